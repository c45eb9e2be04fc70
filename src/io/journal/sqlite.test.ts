import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { DataFileForeign, JournalCorrupt, JournalFailed } from "./errors.ts";
import { journalFolder } from "./journal.ts";
import {
  bytesOf,
  createDatabase,
  explain,
  type FileKind,
  numberOf,
  openDatabase,
  openReadOnly,
  placeDatabase,
  reading,
  removeDatabase,
  syncPath,
  textOf,
} from "./sqlite.ts";
import { entriesThrough, journalFile, opened, temporaryFolder, thrown } from "./test-files.ts";

const KIND: FileKind = {
  applicationId: 7,
  schemaVersion: 3,
  schema: "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT",
};

function created(): string {
  const path = join(temporaryFolder(), "file.db");
  createDatabase(path, KIND).close();
  return path;
}

function kept(database: DatabaseSync): DatabaseSync {
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}

test("a file outlives a crash whole, though a power cut may take its newest commits", () => {
  const database = kept(openDatabase(created(), KIND));
  const setting = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[name];
  expect(setting("journal_mode")).toBe("wal");
  expect(setting("synchronous")).toBe(1);
});

test("a file of another kind, or of an older or newer format, is refused", () => {
  const path = created();
  const other = { ...KIND, applicationId: 8 };
  expect(thrown(() => openDatabase(path, other))).toBeInstanceOf(DataFileForeign);
  expect(thrown(() => openReadOnly(path, other))).toBeInstanceOf(DataFileForeign);
  const older = { ...KIND, schemaVersion: 2 };
  expect(thrown(() => openDatabase(path, older))).toMatchObject({
    name: "DataFileTooNew",
  });
  const newer = { ...KIND, schemaVersion: 4 };
  expect(thrown(() => openDatabase(path, newer))).toMatchObject({
    name: "DataFileTooOld",
    message: expect.stringContaining("format --upgrade"),
  });
});

test("a schema in which a bit was flipped is damage, whatever it then says", () => {
  for (const [before, after] of [
    ["a INTEGER PRIMARY", "c INTEGER PRIMARY"],
    ["b TEXT NOT NULL", "b BLOB NOT NULL"],
    ["table t", "table u"],
  ] as const) {
    const path = created();
    const bytes = readFileSync(path);
    const offset = bytes.indexOf(before.replace("table ", "tablet"));
    expect(offset, before).toBeGreaterThan(0);
    bytes.write(after.replace("table ", "tableu"), offset);
    writeFileSync(path, bytes);
    expect(
      thrown(() => openDatabase(path, KIND)),
      before,
    ).toBeInstanceOf(JournalCorrupt);
    expect(
      thrown(() => openReadOnly(path, KIND)),
      before,
    ).toBeInstanceOf(JournalCorrupt);
  }
});

test("a reader sees what is committed, and can change nothing", () => {
  const path = created();
  const writer = kept(openDatabase(path, KIND));
  const reader = kept(openReadOnly(path, KIND));
  writer.exec("INSERT INTO t VALUES (1, 'one')");
  expect(reader.prepare("SELECT b FROM t").get()?.b).toBe("one");
  expect(
    explain(
      path,
      thrown(() => reader.exec("DELETE FROM t")),
    ),
  ).toBeInstanceOf(JournalFailed);
});

test("damage and a failing disk are different errors", () => {
  const path = created();
  const database = kept(openDatabase(path, KIND));
  database.exec("INSERT INTO t VALUES (1, 'one')");
  const constraint = thrown(() => database.exec("INSERT INTO t VALUES (1, 'two')"));
  expect(explain(path, constraint)).toBeInstanceOf(JournalCorrupt);
  const busy = thrown(() => {
    const other = kept(new DatabaseSync(path, { timeout: 0 }));
    other.exec("BEGIN IMMEDIATE");
    const second = kept(new DatabaseSync(path, { timeout: 0 }));
    second.exec("BEGIN IMMEDIATE");
  });
  expect(explain(path, busy)).toBeInstanceOf(JournalFailed);
  const ours = new Error("not of SQLite");
  expect(explain(path, ours)).toBe(ours);
});

test("an error for a file that can't be opened at all names its path", () => {
  const path = join(temporaryFolder(), "missing", "file.db");
  const error = thrown(() => openDatabase(path, KIND));
  expect(error).toBeInstanceOf(JournalFailed);
  expect((error as Error).message).toContain(path);
});

test("a full disk is called full, whatever the call it hits", () => {
  const path = created();
  // A limit on the size of files, set for a process of its own, stands in for the disk.
  const script = `
    import { openDatabase, explain } from ${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)};
    const database = openDatabase(${JSON.stringify(path)}, ${JSON.stringify(KIND)});
    process.on("SIGXFSZ", () => {});
    try {
      for (let a = 1; ; a++) database.prepare("INSERT INTO t VALUES (?, ?)").run(a, "x".repeat(9000));
    } catch (error) {
      console.log(explain(${JSON.stringify(path)}, error).name);
    }
  `;
  const { stdout, stderr } = spawnSync(
    "sh",
    ["-c", 'ulimit -f 256 && exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: "utf8" },
  );
  expect(stdout.trim(), stderr).toBe("JournalFailed");
});

test("a column of another type is damage", () => {
  expect(numberOf(1)).toBe(1);
  expect(textOf("a")).toBe("a");
  expect(bytesOf(new Uint8Array([1]))).toEqual(new Uint8Array([1]));
  const reads: readonly (() => unknown)[] = [
    () => numberOf("1"),
    () => textOf(null),
    () => bytesOf(undefined),
  ];
  for (const read of reads) {
    expect(thrown(() => reading("path", 9, read))).toMatchObject({
      name: "JournalCorrupt",
      position: 9,
    });
  }
  expect(thrown(() => reading("path", null, () => numberOf(1n)))).toBeInstanceOf(JournalCorrupt);
});

test("a replacement isn't mixed with the log of the lost file", () => {
  const lost = journalFile(entriesThrough(3));
  opened(lost).writeTables(() => {});
  const folder = temporaryFolder();
  const path = join(folder, "order.db");
  copyFileSync(`${lost}-wal`, `${path}-wal`);
  const fresh = journalFile(entriesThrough(2));
  renameSync(journalFolder(fresh), journalFolder(path));
  placeDatabase(fresh, path);
  expect(existsSync(fresh)).toBe(false);
  expect(readdirSync(folder)).toEqual(["journal", "order.db"]);
  expect(opened(path).lastPosition).toBe(2);
});

test("a database that is removed leaves nothing behind, and may be gone already", () => {
  const path = journalFile(entriesThrough(3));
  opened(path).writeTables(() => {});
  removeDatabase(path);
  removeDatabase(path);
  for (const suffix of ["", "-wal", "-shm"]) expect(existsSync(path + suffix)).toBe(false);
});

test("files and folders can be made durable; what isn't there can't", () => {
  const path = journalFile();
  syncPath(path);
  syncPath(temporaryFolder());
  expect(() => syncPath(`${path}.missing`)).toThrow();
});
