// Entries as bytes in a chain.
//
// The digest of an entry is SHA-256 over the previous entry's digest and all
// fields of this one, from a start that names the cluster. So one value is the
// entry's checksum, proof that everything before is unchanged, and what two
// replicas compare to know that their journals are equal.

import { invariant } from "../invariant.ts";
import type { Admission } from "../replication/admissions.ts";
import type { Entry, EntryBody } from "../replication/types.ts";

/** Hashes, which the core can't import. */
export interface Hashes {
  /** CRC-32 (IEEE 802.3) of `bytes`, going on from the value `seed`. */
  crc32(bytes: Uint8Array, seed: number): number;
  sha256(bytes: Uint8Array): Uint8Array;
}

/** Kinds of entries on disk. Add numbers, never change one. */
const REIGN = 0;
const ADMIT = 1;
const COMMAND = 2;
const MEMBERS = 3;

export const DIGEST_BYTES = 32;
/** Bytes of the digested fields before the body: previous digest, position, epoch, at, kind. */
const HEAD_BYTES = DIGEST_BYTES + 8 + 8 + 8 + 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An entry as files and tables hold it. */
export interface EntryRow {
  readonly position: number;
  readonly epoch: number;
  readonly at: number;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly digest: Uint8Array;
}

/** The digest at position 0. */
export function firstDigest({ sha256 }: Hashes, cluster: string): Uint8Array {
  return sha256(encoder.encode(`journal of cluster ${cluster}`));
}

/** The row of an entry that follows the entry with digest `previous`. */
export function rowOf(hashes: Hashes, previous: Uint8Array, entry: Entry): EntryRow {
  const { kind, bytes } = encodeBody(entry.body);
  const row = { ...entry, kind, body: bytes };
  return { ...row, digest: digestOf(hashes, previous, row) };
}

/** Whether a row is what followed the entry with digest `previous`. */
export function isChained(hashes: Hashes, previous: Uint8Array, row: EntryRow): boolean {
  return areEqual(digestOf(hashes, previous, row), row.digest);
}

function digestOf({ sha256 }: Hashes, previous: Uint8Array, row: Omit<EntryRow, "digest">) {
  const bytes = new Uint8Array(HEAD_BYTES + row.body.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set(previous, 0);
  // As floats, which every number is: exact for positions and epochs, which are safe integers.
  view.setFloat64(DIGEST_BYTES, row.position);
  view.setFloat64(DIGEST_BYTES + 8, row.epoch);
  view.setFloat64(DIGEST_BYTES + 16, row.at);
  bytes[DIGEST_BYTES + 24] = row.kind;
  bytes.set(row.body, HEAD_BYTES);
  return sha256(bytes);
}

/** The columns `kind` and `body` of an entry's row. */
export function encodeBody(body: EntryBody): { readonly kind: number; readonly bytes: Uint8Array } {
  switch (body.kind) {
    case "reign": {
      const state = encoder.encode(body.state);
      const bytes = new Uint8Array(8 + state.length);
      new DataView(bytes.buffer).setFloat64(0, body.leader);
      bytes.set(state, 8);
      return { kind: REIGN, bytes };
    }
    case "admit":
      return { kind: ADMIT, bytes: floats([body.replica, body.incarnation]) };
    case "members":
      return { kind: MEMBERS, bytes: floats(body.members) };
    case "command":
      return { kind: COMMAND, bytes: body.bytes };
  }
}

/** The entry of a row, its digest not looked at; null for one of no known kind. */
export function entryOf({ position, epoch, at, kind, body }: EntryRow): Entry | null {
  const decoded = decodeBody(kind, body);
  return decoded && { position, epoch, at, body: decoded };
}

function decodeBody(kind: number, bytes: Uint8Array): EntryBody | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (kind) {
    case REIGN:
      return {
        kind: "reign",
        leader: view.getFloat64(0),
        state: decoder.decode(bytes.subarray(8)),
      };
    case ADMIT:
      return { kind: "admit", replica: view.getFloat64(0), incarnation: view.getFloat64(8) };
    case MEMBERS: {
      const count = bytes.length / 8;
      const members = Array.from({ length: count }, (_, index) => view.getFloat64(8 * index));
      return { kind: "members", members };
    }
    case COMMAND:
      return { kind: "command", bytes };
    default:
      return null;
  }
}

function floats(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setFloat64(8 * index, number);
  return bytes;
}

/** Whether two byte strings are the same. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** What an entry admits; null for one of another kind. */
export function admissionIn({ position, body }: Entry): Admission | null {
  if (body.kind !== "admit") return null;
  return { position, replica: body.replica, incarnation: body.incarnation };
}

/** Beginnings of epochs kept; with one leader change a second they cover the last quarter of an hour. */
const EPOCHS_MAX = 1_024;

interface Beginning {
  readonly position: number;
  readonly epoch: number;
}

/**
 * The epochs of the newest entries, without a look at the disk. A reign is many entries long, so
 * what is kept is where each epoch begins; bounded, since a cluster that changes its leader for
 * ever must not fill the memory.
 */
export class RecentEpochs {
  /** Ascending by position. */
  #beginnings: Beginning[] = [];

  /** Tells of the next entry. */
  push(position: number, epoch: number): void {
    const newest = this.#beginnings.at(-1);
    if (newest?.epoch === epoch) return;
    invariant(newest === undefined || newest.position < position, "epochs begin one after another");
    this.#beginnings.push({ position, epoch });
    if (this.#beginnings.length > EPOCHS_MAX) this.#beginnings.shift();
  }

  /** Forgets the entries from `position` on. */
  truncateFrom(position: number): void {
    while ((this.#beginnings.at(-1)?.position ?? 0) >= position) this.#beginnings.pop();
  }

  /** The epoch of the entry at `position`, which must exist; undefined for one older than what is kept. */
  at(position: number): number | undefined {
    return this.#beginnings.findLast((beginning) => beginning.position <= position)?.epoch;
  }
}
