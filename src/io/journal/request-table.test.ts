import { randomUUID, randomUUIDv7 } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_FILE } from "./order-file.ts";
import {
  compareKeys,
  isMade,
  type RequestKey,
  type RequestRow,
  RequestTable,
  requestKey,
} from "./request-table.ts";
import { thrown } from "./test-files.ts";

function fresh(): { table: RequestTable; database: DatabaseSync } {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE.schema);
  RequestTable.insertFirst(database);
  return { table: new RequestTable(database, "path"), database };
}

function row(id: RequestKey, number = 1): RequestRow {
  return { id, number, position: null, command: null };
}

const KEYS: readonly RequestKey[] = ["b", "d", "f", Buffer.from("4d", "hex"), Buffer.from("4f00")];

function filled(): { table: RequestTable; database: DatabaseSync } {
  const made = fresh();
  made.table.add(KEYS.map((id, index) => row(id, index + 1)));
  return made;
}

const anyKey = fc.oneof(
  fc.string({ minLength: 1, maxLength: 3, unit: "grapheme" }).filter((text) => text.isWellFormed()),
  fc.uint8Array({ minLength: 0, maxLength: 2 }),
);
const distinct = fc.uniqueArray(anyKey, { comparator: (a, b) => compareKeys(a, b) === 0 });

test("what was added is found, in whatever order and pieces it came; nothing else is", () => {
  fc.assert(
    fc.property(fc.array(distinct, { maxLength: 6 }), anyKey, (pieces, other) => {
      const { table } = fresh();
      const held: RequestKey[] = [];
      const holds = (id: RequestKey) => held.some((each) => compareKeys(each, id) === 0);
      for (const piece of pieces) {
        const added = piece.filter((id) => !holds(id));
        table.add(added.map((id, index) => row(id, held.length + index)));
        held.push(...added);
      }
      held.forEach((id, index) => {
        expect(table.find(id)?.number).toBe(index);
      });
      expect(table.find(other) !== undefined).toBe(holds(other));
      const all = [...table.all()].map(({ id }) => id);
      expect(all).toEqual(
        held.toSorted(compareKeys).map((id) => all.find((one) => compareKeys(one, id) === 0)),
      );
    }),
  );
});

test("a command comes back as it was", () => {
  const { table } = fresh();
  const command = Buffer.from([0, 1, 255]);
  table.add([{ id: "key", number: null, position: 7, command }]);
  const found = table.find("key");
  expect({ ...found, command: [...(found?.command ?? [])] }).toMatchObject({
    number: null,
    position: 7,
    command: [0, 1, 255],
  });
});

test("M3: an id that is there, or comes twice at once, isn't added", () => {
  for (const rows of [
    [row("d")],
    [row("e"), row("d")],
    [row("a"), row("a")],
    [row("z"), row("z")],
  ]) {
    expect(() => filled().table.add(rows)).toThrow(InvariantViolation);
  }
});

test.each([
  "DELETE FROM requests WHERE id = 'd'",
  "DELETE FROM requests WHERE id >= 'd'",
  "DELETE FROM requests",
  "UPDATE requests SET id = 'c' WHERE id = 'd'",
  "UPDATE requests SET id = 'dd' WHERE id = 'd'",
  "UPDATE requests SET id = CAST('d' AS BLOB) WHERE id = 'd'",
  "UPDATE requests SET next = 'e' WHERE id = 'd'; DELETE FROM requests WHERE id = 'b'",
  "UPDATE requests SET number = 5 WHERE id = 'd'",
  "UPDATE requests SET number = NULL WHERE id = 'd'",
  "UPDATE requests SET position = 5 WHERE id = 'd'",
  "UPDATE requests SET command = x'00' WHERE id = 'd'",
  "UPDATE requests SET command = x'' WHERE id = 'd'",
  "UPDATE requests SET next = NULL WHERE id = 'd'",
  "UPDATE requests SET checksum = checksum + 1 WHERE id = 'd'",
])("a hidden, moved or changed row is neither found nor taken for absent: %s", (sql) => {
  const { table, database } = filled();
  database.exec(sql);
  expect(thrown(() => table.find("d"))).toBeInstanceOf(JournalCorrupt);
  expect(thrown(() => table.add([row("d")]))).toBeInstanceOf(JournalCorrupt);
  expect(thrown(() => [...table.all()])).toBeInstanceOf(JournalCorrupt);
});

test("a row that is missing is damage, though the row before it leads past its place", () => {
  const { table, database } = filled();
  database.exec(
    "UPDATE requests SET next = 'f' WHERE id = 'b'; DELETE FROM requests WHERE id = 'd'",
  );
  expect(thrown(() => table.find("d"))).toBeInstanceOf(JournalCorrupt);
  expect(thrown(() => table.find("c"))).toBeInstanceOf(JournalCorrupt);
});

const UUID = "01890000-0000-7abc-8def-0123456789ab";

test("a UUID is kept as its 16 bytes", () => {
  expect(requestKey(UUID)).toEqual(Buffer.from("0189000000007abc8def0123456789ab", "hex"));
});

test("any id but a UUID in its usual form is kept as text, so that no two ids have one key", () => {
  const others = [
    UUID.toUpperCase(),
    UUID.replaceAll("-", ""),
    `${UUID} `,
    `{${UUID}}`,
    UUID.replace("-", "_"),
    UUID.replace("a", "g"),
    "0".repeat(36),
    "k",
  ];
  for (const id of others) expect(requestKey(id)).toBe(id);
});

test("keys are ordered as SQLite orders them", () => {
  const keys = [
    "",
    "!",
    "a",
    "aa",
    "b",
    "é",
    "\uffee",
    "😀",
    Buffer.from([0]),
    Buffer.from([0, 0]),
    Buffer.from([255]),
  ];
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (id ANY PRIMARY KEY, place INTEGER) STRICT, WITHOUT ROWID");
  for (const [place, key] of [...keys.entries()].reverse()) {
    database.prepare("INSERT INTO t VALUES (?, ?)").run(key, place);
  }
  const rows = database.prepare("SELECT place FROM t ORDER BY id").all();
  expect(rows.map(({ place }) => place)).toEqual([...keys.keys()]);
  for (const [index, key] of keys.entries()) {
    keys.forEach((other, at) => {
      expect(Math.sign(compareKeys(key, other))).toBe(Math.sign(index - at));
    });
  }
});

test("only ids as front ends make them, which grow with time, count as made", () => {
  expect(isMade(requestKey(randomUUIDv7()))).toBe(true);
  expect(isMade(requestKey(randomUUID()))).toBe(false);
  expect(isMade(requestKey("7".repeat(36)))).toBe(false);
});
