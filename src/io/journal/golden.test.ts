// What is in the files on disk, row for row and byte for byte: a version that writes others
// can't go on with the files of the one before. Whoever means to change what is
// in testdata needs another version of the format, and a step in upgrade.ts.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { createJournal, SegmentJournal } from "../../core/journal/journal.ts";
import type { Entry } from "../../core/replication/types.ts";
import { createCatalogFile, openCatalogStore } from "./catalog-store.ts";
import { createJournalFile, openJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { segmentsIn } from "./segment-files.ts";
import { HARD_STATE, IDENTITY, marketEntry, temporaryFolder } from "./test-files.ts";
import { HISTORY } from "./test-ledger.ts";

/** The whole content of a database: its format, its tables, every row; bytes in hex. */
function contentOf(path: string): string {
  using database = new DatabaseSync(path, { readOnly: true, readBigInts: true });
  const one = (pragma: string) => Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {});
  const lines = [`application ${one("application_id")}, version ${one("user_version")}`];
  const schema = database.prepare("SELECT name, type, sql FROM sqlite_schema ORDER BY name").all();
  for (const { name, type, sql } of schema) {
    lines.push("", `${type} ${name}`, `${sql}`.replaceAll(/\s+/g, " "));
    if (type !== "table") continue;
    for (const row of database.prepare(`SELECT * FROM ${name}`).all()) {
      lines.push(Object.values(row).map(shown).join(" | "));
    }
  }
  return `${lines.join("\n")}\n`;
}

function shown(value: unknown): string {
  return value instanceof Uint8Array ? `x${Buffer.from(value).toString("hex")}` : String(value);
}

/** Every kind of entry, and every kind of command. */
const ENTRIES: readonly Entry[] = [
  { position: 1, epoch: 0, at: 0, body: { kind: "members", members: IDENTITY.members } },
  { position: 2, epoch: 1, at: 5, body: { kind: "reign", leader: 9094, state: "no orders, é" } },
  ...HISTORY.map((commands, index) => marketEntry(index + 3, commands)),
  { position: 9, epoch: 3, at: 2.5, body: { kind: "admit", replica: 9090, incarnation: 7 } },
];

test("the rows of a replica's file are those that the format has always had", async () => {
  const path = join(temporaryFolder(), "order.db");
  createJournalFile(path, IDENTITY, HARD_STATE, ENTRIES.slice(0, 4));
  const journal = openJournal(path, { replica: IDENTITY.replica });
  const ledger = new Ledger(journal);
  journal.write({
    entries: ENTRIES.slice(4),
    hardState: { promise: { epoch: 3, nominee: 9092 }, voter: true },
  });
  for (const [index] of HISTORY.entries()) {
    if (index === 0) for (const position of [1, 2]) ledger.queue(position, []);
    ledger.queue(index + 3, HISTORY[index] ?? []);
    if (index % 2 === 1) ledger.flush();
  }
  journal.close();
  await expect(contentOf(path)).toMatchFileSnapshot("testdata/replica.txt");
});

test("the bytes of a replica's journal are those that the format has always had", async () => {
  const folder = temporaryFolder();
  const options = {
    ...segmentsIn(folder),
    salt: () => Buffer.from("a salt  "),
    segmentBytes: 8_192,
  };
  createJournal(options, IDENTITY, HARD_STATE, ENTRIES.slice(0, 2));
  const journal = new SegmentJournal(options);
  journal.write({ entries: ENTRIES.slice(2, 4) });
  journal.write({ hardState: { promise: { epoch: 3, nominee: 9092 }, voter: false } });
  journal.write({
    hardState: { promise: { epoch: 4, nominee: 9090 }, voter: true },
    truncateFrom: 4,
    entries: ENTRIES.slice(3),
  });
  journal.close();
  const dumps = readdirSync(folder)
    .toSorted()
    .map((name) => `${name}\n${dumpOf(readFileSync(join(folder, name)))}`);
  await expect(dumps.join("\n")).toMatchFileSnapshot("testdata/segments.txt");
});

/** Rows of 32 bytes in hex, without those that are zeros. */
function dumpOf(bytes: Buffer): string {
  const rows: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += 32) {
    const row = bytes.subarray(offset, offset + 32);
    if (row.some((byte) => byte !== 0)) {
      rows.push(
        `${`${offset}`.padStart(5)}  ${row.toString("hex").replaceAll(/.{8}/g, "$& ")}`.trimEnd(),
      );
    }
  }
  return `${rows.join("\n")}\n${bytes.length} bytes\n`;
}

test("the rows of a catalog's file are those that the format has always had", async () => {
  const path = join(temporaryFolder(), "catalog.db");
  createCatalogFile(path, { name: IDENTITY.cluster, members: IDENTITY.members });
  const store = openCatalogStore({ path, role: "catalog" });
  store.save(4, [
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 0.1 + 0.2, quantity: 0 },
  ]);
  store.save(9, [{ name: "FishCo", price: 17.99, quantity: Number.MAX_SAFE_INTEGER }]);
  store.close();
  await expect(contentOf(path)).toMatchFileSnapshot("testdata/catalog.txt");
});
