// Entries as rows, and the digest that chains them.
//
// The digest of an entry is SHA-256 over the previous entry's digest and all
// fields of this one, from a start that names the cluster. So one value is the
// row's checksum, proof that everything before is unchanged, and what two
// replicas compare to know that their journals are equal.

import { hash } from "node:crypto";
import type { Entry, EntryBody } from "../../core/replication/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { bytesOf, numberOf } from "./sqlite.ts";

/** Kinds of entries on disk. Add numbers, never change one. */
const REIGN = 0;
export const ADMIT = 1;
const COMMAND = 2;
const MEMBERS = 3;

/** Bytes of the digested fields: previous digest, position, epoch, at, kind. */
const DIGEST_BYTES = 32;
const HEAD_BYTES = DIGEST_BYTES + 8 + 8 + 8 + 1;

/** An entry as the `entries` table holds it. */
export interface EntryRow {
  readonly position: number;
  readonly epoch: number;
  readonly at: number;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly digest: Uint8Array;
}

/** A verified entry with its digest, which the next one is verified with. */
export interface ChainedEntry {
  readonly entry: Entry;
  readonly digest: Uint8Array;
}

/** The digest at position 0. */
export function firstDigest(cluster: string): Uint8Array {
  return hash("sha256", `journal of cluster ${cluster}`, "buffer");
}

/** The row of an entry that follows the entry with digest `previous`. */
export function rowOf(previous: Uint8Array, entry: Entry): EntryRow {
  const { kind, bytes } = encodeBody(entry.body);
  const row = { ...entry, kind, body: bytes };
  return { ...row, digest: digestOf(previous, row) };
}

/**
 * The entry of a row read from `path`, verified against the digest before it.
 * Throws JournalCorrupt; which of the two rows changed can't be told.
 */
export function verifiedEntry(
  path: string,
  previous: Uint8Array,
  columns: Readonly<Record<string, unknown>>,
): ChainedEntry {
  const row: EntryRow = {
    position: numberOf(columns.position),
    epoch: numberOf(columns.epoch),
    at: numberOf(columns.at),
    kind: numberOf(columns.kind),
    body: bytesOf(columns.body),
    digest: bytesOf(columns.digest),
  };
  if (!digestOf(previous, row).equals(row.digest)) {
    throw new JournalCorrupt(path, row.position, "the checksum is wrong");
  }
  const { position, epoch, at } = row;
  return { entry: { position, epoch, at, body: decodeBody(path, row) }, digest: row.digest };
}

function digestOf(previous: Uint8Array, row: Omit<EntryRow, "digest">): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + row.body.byteLength);
  bytes.set(previous, 0);
  // As floats, which every number is: exact for positions and epochs, which are safe integers.
  let offset = bytes.writeDoubleBE(row.position, DIGEST_BYTES);
  offset = bytes.writeDoubleBE(row.epoch, offset);
  offset = bytes.writeDoubleBE(row.at, offset);
  offset = bytes.writeUInt8(row.kind, offset);
  bytes.set(row.body, offset);
  return hash("sha256", bytes, "buffer");
}

function encodeBody(body: EntryBody): { readonly kind: number; readonly bytes: Uint8Array } {
  switch (body.kind) {
    case "reign": {
      const bytes = Buffer.alloc(8 + Buffer.byteLength(body.state));
      bytes.writeDoubleBE(body.leader, 0);
      bytes.write(body.state, 8);
      return { kind: REIGN, bytes };
    }
    case "admit": {
      const bytes = Buffer.alloc(16);
      bytes.writeDoubleBE(body.replica, 0);
      bytes.writeDoubleBE(body.incarnation, 8);
      return { kind: ADMIT, bytes };
    }
    case "members": {
      const bytes = Buffer.alloc(8 * body.members.length);
      body.members.forEach((id, index) => {
        bytes.writeDoubleBE(id, 8 * index);
      });
      return { kind: MEMBERS, bytes };
    }
    case "command":
      return { kind: COMMAND, bytes: body.bytes };
  }
}

function decodeBody(path: string, { kind, body, position }: EntryRow): EntryBody {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  switch (kind) {
    case REIGN:
      return { kind: "reign", leader: bytes.readDoubleBE(0), state: bytes.toString("utf8", 8) };
    case ADMIT:
      return { kind: "admit", replica: bytes.readDoubleBE(0), incarnation: bytes.readDoubleBE(8) };
    case MEMBERS: {
      const ids = Array.from({ length: bytes.length / 8 }, (_, index) =>
        bytes.readDoubleBE(8 * index),
      );
      return { kind: "members", members: ids };
    }
    case COMMAND:
      return { kind: "command", bytes: body };
    default:
      throw new JournalCorrupt(path, position, `there is no entry of kind ${kind}`);
  }
}
