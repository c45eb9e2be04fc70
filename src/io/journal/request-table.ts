// The `requests` table: what each request id led to, and proof that an id has
// led to nothing.
//
// Most ids that are looked for aren't there, and a flipped bit can hide a row,
// or a page full of them: then a repeated key would be carried out twice. So
// "not there" is never taken from the tree alone. Each row names the id that
// follows its own, and its checksum covers both; who looks for an id reads the
// row at or before it. That is the id's own row, or one that says that none lies
// between itself and a later one (as NSEC records do for names, RFC 4034), or
// else the file is damaged. The row of the empty id, which is nobody's, stands
// before all others.
//
// A count compared at the start, or a digest over all ids, would need to read
// the whole table, and would miss what is damaged after that.
//
// Front ends make UUIDs (version 7, so that new ones come last in the index); as
// 16 bytes they take less than half of their text, and there is one for every
// order. Any other id, which a client chose, stays text. SQLite never takes bytes
// and text for equal, and only the one way of writing a UUID becomes bytes, so two
// ids never share a key.

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { prepareBulkInsert } from "./rows.ts";
import { bytesOf, numberOf } from "./sqlite.ts";

/** What a request id led to: the order of this number, or else a command. */
export interface RequestRow {
  readonly id: RequestKey;
  readonly number: number | null;
  /** Of the entry that recorded the command; null for an order, which has its own. */
  readonly position: number | null;
  /** Encoded; null for an order. */
  readonly command: Uint8Array | null;
}

/** A row as the table has it. */
interface LinkedRow extends RequestRow {
  /** The id after this one; null in the last row. */
  readonly next: RequestKey | null;
}

const COLUMNS = 6;
/** Before every other key: no request id is empty. */
const FIRST: LinkedRow = { id: "", next: null, number: null, position: null, command: null };

export class RequestTable {
  readonly #path: string;
  readonly #atOrBefore: StatementSync;
  readonly #all: StatementSync;
  readonly #between: StatementSync;
  readonly #insert: (values: readonly SQLInputValue[]) => void;
  readonly #link: StatementSync;

  /** Of the file at `path`. */
  constructor(database: DatabaseSync, path: string) {
    this.#path = path;
    this.#atOrBefore = database.prepare(
      "SELECT * FROM requests WHERE id <= ? ORDER BY id DESC LIMIT 1",
    );
    this.#all = database.prepare("SELECT * FROM requests ORDER BY id");
    this.#between = database.prepare("SELECT * FROM requests WHERE id >= ? AND id < ? ORDER BY id");
    this.#insert = prepareBulkInsert(database, "requests", COLUMNS);
    this.#link = database.prepare("UPDATE requests SET next = ?, checksum = ? WHERE id = ?");
  }

  /** Writes the row before all others, of a table that holds nothing. */
  static insertFirst(database: DatabaseSync): void {
    database.prepare("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)").run(...valuesOf(FIRST));
  }

  /** The row of an id; undefined if there is none. Throws JournalCorrupt when neither can be proved. */
  find(id: RequestKey): RequestRow | undefined {
    const row = this.#before(id);
    return compareKeys(row.id, id) === 0 ? row : undefined;
  }

  /**
   * Adds rows, in any order. M3: throws InvariantViolation for an id that is
   * there, JournalCorrupt when it can't be proved that it isn't.
   */
  add(rows: readonly RequestRow[]): void {
    const sorted = rows.toSorted((a, b) => compareKeys(a.id, b.id));
    const values: SQLInputValue[] = [];
    for (let index = 0; index < sorted.length; ) {
      const first = sorted[index] as RequestRow;
      const before = this.#before(first.id);
      let last: RequestRow = before;
      /** The rows between `before` and what followed it. */
      const between: RequestRow[] = [];
      for (; index < sorted.length; index++) {
        const row = sorted[index] as RequestRow;
        if (before.next !== null && compareKeys(row.id, before.next) >= 0) break;
        invariant(compareKeys(last.id, row.id) < 0, "a request id has one outcome"); // M3
        between.push(row);
        last = row;
      }
      between.forEach((row, at) => {
        values.push(...valuesOf({ ...row, next: between[at + 1]?.id ?? before.next }));
      });
      this.#setNext(before, first.id);
    }
    this.#insert(values);
  }

  /** Every row, ascending by id, each verified and proved to follow the one before. */
  *all(): Generator<RequestRow> {
    const last = yield* this.#linked(this.#all.iterate(), FIRST.id);
    if (last !== null) this.#isWrong();
  }

  /** The rows from the id `from` on and before `before`; proved to be all of them, as all() does. */
  *between(from: string, before: string): Generator<RequestRow> {
    const preceding = this.#before(from);
    const first = compareKeys(preceding.id, from) === 0 ? preceding.id : preceding.next;
    const next = yield* this.#linked(this.#between.iterate(from, before), first);
    if (next !== null && compareKeys(next, before) < 0) this.#isWrong();
  }

  /** Verified, the first being `first`, each the next of the one before; returns the last one's next. */
  *#linked(
    rows: Iterable<Readonly<Record<string, unknown>>>,
    first: RequestKey | null,
  ): Generator<RequestRow, RequestKey | null> {
    let expected = first;
    for (const columns of rows) {
      const row: LinkedRow = this.#verified(columns);
      if (expected === null || compareKeys(row.id, expected) !== 0) this.#isWrong();
      expected = row.next;
      if (row.id !== FIRST.id) yield row;
    }
    return expected;
  }

  /** The last row whose id isn't after this one; there is no other between them. */
  #before(id: RequestKey): LinkedRow {
    const columns = this.#atOrBefore.get(id);
    if (columns === undefined) this.#isWrong();
    const row = this.#verified(columns);
    const isRight =
      compareKeys(row.id, id) <= 0 && (row.next === null || compareKeys(id, row.next) < 0);
    if (!isRight) this.#isWrong();
    return row;
  }

  #setNext(row: LinkedRow, next: RequestKey): void {
    const { changes } = this.#link.run(next, checksumOf({ ...row, next }), row.id);
    if (changes !== 1) this.#isWrong();
  }

  #verified(columns: Readonly<Record<string, unknown>>): LinkedRow {
    const row: LinkedRow = {
      id: keyOf(columns.id),
      next: columns.next === null ? null : keyOf(columns.next),
      number: columns.number === null ? null : numberOf(columns.number),
      position: columns.position === null ? null : numberOf(columns.position),
      command: columns.command === null ? null : bytesOf(columns.command),
    };
    if (checksumOf(row) !== numberOf(columns.checksum)) this.#isWrong();
    return row;
  }

  #isWrong(): never {
    throw new JournalCorrupt(this.#path, null, "a row of request ids is wrong or gone");
  }
}

function keyOf(value: unknown): RequestKey {
  return typeof value === "string" ? value : bytesOf(value);
}

function valuesOf(row: LinkedRow) {
  const { id, next, number, position, command } = row;
  return [id, next, number, position, command, checksumOf(row)] as const;
}

/** With kinds and lengths, so that no two rows give the same bytes. */
function checksumOf({ id, next, number, position, command }: LinkedRow): number {
  const ids = `${typeof id} ${id.length} ${typeof next} ${next?.length}`;
  const head = crc32(`${ids} ${number} ${position} ${command?.length}`);
  return crc32(command ?? "", crc32(next ?? "", crc32(id, head)));
}

const UUID_LENGTH = 36;
const UUID_BYTES = 16;
const HYPHEN = 0x2d;
/** RFC 9562: the version is the upper half of this byte. */
const VERSION_BYTE = 6;
const MADE_VERSION = 7;

/** A UUID as bytes, or any other request id. */
export type RequestKey = string | Uint8Array;

/**
 * The key under which a request id is stored. Read digit by digit, because every trade comes
 * through here twice: a regular expression and Buffer.from(…, "hex") take ten times as long.
 */
export function requestKey(requestId: string): RequestKey {
  if (requestId.length !== UUID_LENGTH) return requestId;
  const bytes = Buffer.allocUnsafe(UUID_BYTES);
  let at = 0;
  for (let index = 0; index < UUID_BYTES; index++) {
    if (at === 8 || at === 13 || at === 18 || at === 23) {
      if (requestId.charCodeAt(at) !== HYPHEN) return requestId;
      at++;
    }
    const high = digitOf(requestId.charCodeAt(at));
    const low = digitOf(requestId.charCodeAt(at + 1));
    if (high < 0 || low < 0) return requestId;
    bytes[index] = high * 16 + low;
    at += 2;
  }
  return bytes;
}

/** How two keys stand to each other, as SQLite orders them: text before bytes, both byte by byte. */
export function compareKeys(a: RequestKey, b: RequestKey): number {
  if (typeof a === "string") {
    return typeof b === "string" ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : -1;
  }
  return typeof b === "string" ? 1 : Buffer.compare(a, b);
}

/**
 * Whether a key is that of an id as front ends make them, which grow with time:
 * a UUID of version 7. Those that clients draw at random (version 4) aren't.
 */
export function isMade(key: RequestKey): key is Uint8Array {
  return typeof key !== "string" && (key[VERSION_BYTE] ?? 0) >> 4 === MADE_VERSION;
}

/** The value of a lower-case hex digit; -1 for any other character. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10;
  return -1;
}
