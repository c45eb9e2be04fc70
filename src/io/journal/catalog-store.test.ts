import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import type { Stock } from "../../core/market/types.ts";
import { type CatalogStore, createCatalogFile, openCatalogStore } from "./catalog-store.ts";
import { DataFileForeign, DataFileMissing, JournalCorrupt, JournalFailed } from "./errors.ts";
import { stockChecksum } from "./rows.ts";
import { journalFile, temporaryFolder, thrown } from "./test-files.ts";

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR = { name: "BoarCo", price: 28, quantity: 0 };

function byName(stocks: readonly Stock[]): Stock[] {
  return stocks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const CLUSTER = { name: "cluster", members: [9090, 9092, 9094] };

function created(): string {
  const path = join(temporaryFolder(), "catalog.db");
  createCatalogFile(path, CLUSTER);
  return path;
}

function opened(path: string, cluster?: string): CatalogStore {
  const store = openCatalogStore({ path, role: "catalog", ...(cluster && { cluster }) });
  onTestFinished(() => store.close());
  return store;
}

test("a view that is opened again has what it saved", () => {
  const path = created();
  const store = opened(path, "cluster");
  expect([store.position, store.stocks()]).toEqual([0, []]);
  store.save(2, [FISH, BOAR]);
  store.save(5, [{ ...FISH, quantity: 590 }]);
  store.save(6, []);
  store.close();
  const again = opened(path);
  expect(again.position).toBe(6);
  expect(byName(again.stocks())).toEqual([BOAR, { ...FISH, quantity: 590 }]);
});

test("stocks and their position are saved together or not at all, and the position never goes back", () => {
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
    expect([held.position, byName(held.stocks())]).toEqual([2, [BOAR, FISH]]);
  }
  store.save(3, [{ ...FISH, quantity: 2 }]);
  expect(() => store.save(2, [])).toThrow(InvariantViolation);
});

test("a save that the disk refuses fails, and the position stays where it was", () => {
  const path = created();
  const store = opened(path);
  // Another process in the middle of a write stands in for a disk that refuses.
  const writer = new DatabaseSync(path);
  onTestFinished(() => writer.close());
  writer.exec("BEGIN IMMEDIATE");
  expect(thrown(() => store.save(1, [FISH]))).toBeInstanceOf(JournalFailed);
  expect(store.position).toBe(0);
});

/** A closed file with both stocks, then changed. */
function changed(sql: string): string {
  const path = created();
  const store = opened(path);
  store.save(2, [FISH, BOAR]);
  store.close();
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  return path;
}

const DAMAGE = [
  "UPDATE view SET position = 3",
  "UPDATE view SET stocks = 3",
  "UPDATE view SET stocks_sum = 3",
  "UPDATE stocks SET quantity = 1 WHERE name = 'FishCo'",
  // A row that was right once.
  `UPDATE stocks SET quantity = 5, checksum = ${stockChecksum({ ...FISH, quantity: 5 })} WHERE name = 'FishCo'`,
  "DELETE FROM stocks WHERE name = 'FishCo'",
  "DELETE FROM stocks",
];
const DAMAGED_CLUSTER = ["UPDATE view SET cluster = 'another'", "DELETE FROM view"];

test.each([...DAMAGE, ...DAMAGED_CLUSTER])("damage isn't shown to clients: %s", (sql) => {
  expect(thrown(() => opened(changed(sql)))).toBeInstanceOf(JournalCorrupt);
});

test.each([...DAMAGE, ...DAMAGED_CLUSTER])(
  "a damaged file is put aside, and everything is read anew: %s",
  (sql) => {
    const path = changed(sql);
    const renewed: JournalCorrupt[] = [];
    const open = () =>
      openCatalogStore({
        path,
        role: "catalog",
        renewed: (why) => renewed.push(why),
        clusterElsewhere: () => CLUSTER,
      });
    const store = open();
    expect([store.cluster, store.position, store.stocks()]).toEqual([CLUSTER, 0, []]);
    store.save(1, [FISH]);
    store.close();
    const again = open();
    onTestFinished(() => again.close());
    expect([again.position, again.stocks()]).toEqual([1, [FISH]]);
    expect(renewed).toHaveLength(1);
    expect(renewed[0]?.path).toBe(path);
    expect(existsSync(`${path}.damaged`)).toBe(true);
  },
);

test("a damaged file of which nothing tells the cluster stays as it is", () => {
  const path = changed("DELETE FROM view");
  const renewed = () => expect.unreachable();
  const open = () =>
    openCatalogStore({ path, role: "catalog", renewed, clusterElsewhere: () => null });
  const before = readFileSync(path);
  expect(thrown(open)).toBeInstanceOf(JournalCorrupt);
  expect(readFileSync(path)).toEqual(before);
});

test("damage that shows only when the view is saved heals with all that the view holds", () => {
  const path = created();
  const renewed: JournalCorrupt[] = [];
  const options = { path, role: "catalog", renewed: (why: JournalCorrupt) => renewed.push(why) };
  const store = openCatalogStore(options);
  onTestFinished(() => store.close());
  store.save(2, [FISH, BOAR]);
  const other = new DatabaseSync(path);
  other.exec("DROP TABLE stocks");
  other.close();
  store.save(3, [{ ...FISH, quantity: 1 }]);
  expect(renewed).toHaveLength(1);
  store.save(4, []);
  store.close();
  const again = openCatalogStore(options);
  onTestFinished(() => again.close());
  expect([again.position, byName(again.stocks())]).toEqual([4, [BOAR, { ...FISH, quantity: 1 }]]);
  expect(renewed).toHaveLength(1);
});

test("a file that is missing, another cluster's or a replica's isn't taken for the view", () => {
  const path = join(temporaryFolder(), "catalog.db");
  const error = thrown(() => opened(path));
  expect(error).toBeInstanceOf(DataFileMissing);
  expect((error as Error).message).toContain('"bazaar format --replace catalog"');
  expect(existsSync(path)).toBe(false);
  expect(thrown(() => opened(created(), "another"))).toBeInstanceOf(DataFileForeign);
  expect(thrown(() => opened(journalFile()))).toBeInstanceOf(DataFileForeign);
});
