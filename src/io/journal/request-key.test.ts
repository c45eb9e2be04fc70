import { randomUUID, randomUUIDv7 } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { compareKeys, isMade, requestKey } from "./request-key.ts";

const UUID = "01890000-0000-7abc-8def-0123456789ab";

test("a UUID as text takes twice the room, for every order, for ever", () => {
  expect(requestKey(UUID)).toEqual(Buffer.from("0189000000007abc8def0123456789ab", "hex"));
});

test("two ids with one key would share an answer", () => {
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

test("keys stand to each other as SQLite orders them", () => {
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
