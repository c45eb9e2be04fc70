import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { type CatalogStore, createCatalogFile, openCatalogStore } from "./catalog-store.ts";
import { DataFileForeign, DataFileMissing, JournalCorrupt, JournalFailed } from "./errors.ts";
import { journalFile, temporaryFolder, thrown } from "./test-files.ts";

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR = { name: "BoarCo", price: 28, quantity: 0 };

function created(): string {
  const path = join(temporaryFolder(), "catalog.db");
  createCatalogFile(path, "cluster");
  return path;
}

function opened(path: string, cluster?: string): CatalogStore {
  const store = openCatalogStore(path, "catalog", cluster);
  onTestFinished(() => store.close());
  return store;
}

test("a view that forgets what it read reads all history at every start", () => {
  const path = created();
  const store = opened(path, "cluster");
  expect([store.position, store.stocks()]).toEqual([0, []]);
  store.save(2, [FISH, BOAR]);
  store.save(5, [{ ...FISH, quantity: 590 }]);
  store.save(6, []);
  store.close();
  const again = opened(path);
  expect(again.position).toBe(6);
  expect(again.stocks()).toEqual([BOAR, { ...FISH, quantity: 590 }]);
});

test("stocks of one position with the number of another would count a trade twice", () => {
  const path = created();
  const store = opened(path);
  store.save(2, [FISH, BOAR]);
  const crashed = join(temporaryFolder(), "catalog.db");
  function* failing() {
    yield { ...FISH, quantity: 1 };
    copyFileSync(path, crashed);
    copyFileSync(`${path}-wal`, `${crashed}-wal`);
    throw new Error("broken");
  }
  expect(() => store.save(3, failing())).toThrow("broken");
  for (const held of [store, opened(crashed)]) {
    expect([held.position, held.stocks()]).toEqual([2, [BOAR, FISH]]);
  }
  store.save(3, [{ ...FISH, quantity: 2 }]);
  expect(() => store.save(2, [])).toThrow(InvariantViolation);
});

test("a view on a disk that refuses must say so, not go on as if it had written", () => {
  const path = created();
  const store = opened(path);
  // Another process in the middle of a write stands in for a disk that refuses.
  const writer = new DatabaseSync(path);
  onTestFinished(() => writer.close());
  writer.exec("BEGIN IMMEDIATE");
  expect(thrown(() => store.save(1, [FISH]))).toBeInstanceOf(JournalFailed);
  expect(store.position).toBe(0);
});

test("damage must not be shown to clients", () => {
  for (const sql of [
    "UPDATE view SET position = 3",
    "UPDATE view SET cluster = 'another'",
    "UPDATE stocks SET quantity = 1 WHERE name = 'FishCo'",
    "DELETE FROM view",
  ]) {
    const path = created();
    const store = opened(path);
    store.save(2, [FISH, BOAR]);
    store.close();
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
    expect(
      thrown(() => opened(path).stocks()),
      sql,
    ).toBeInstanceOf(JournalCorrupt);
  }
});

test("a file that is missing, another's or a replica's must not be taken for the view", () => {
  const path = join(temporaryFolder(), "catalog.db");
  const error = thrown(() => opened(path));
  expect(error).toBeInstanceOf(DataFileMissing);
  expect((error as Error).message).toContain('"bazaar format --replace catalog"');
  expect(existsSync(path)).toBe(false);
  expect(thrown(() => opened(created(), "another"))).toBeInstanceOf(DataFileForeign);
  expect(thrown(() => opened(journalFile()))).toBeInstanceOf(DataFileForeign);
});
