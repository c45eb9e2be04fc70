// What a disk may do to the tables of a replica, and what the ledger must not
// answer then.

import { describe, expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { Ledger } from "./ledger.ts";
import { stockChecksum } from "./rows.ts";
import { marketEntry, opened, thrown } from "./test-files.ts";
import { LAST, order, queue, start, uuid } from "./test-ledger.ts";

/** A closed file with the whole history applied. */
function applied(): string {
  const { journal, ledger, path } = start();
  queue(ledger);
  ledger.flush();
  journal.close();
  return path;
}

/** A closed file with the whole history applied and then changed. */
function changed(sql: string): string {
  const path = applied();
  const journal = opened(path);
  journal.database.exec(sql);
  journal.close();
  return path;
}

/** A ledger whose tables were changed after it was opened. */
function changedWhileOpen(sql: string): Ledger {
  const journal = opened(applied());
  const ledger = new Ledger(journal);
  journal.database.exec(sql);
  return ledger;
}

const DAMAGED_ORDERS = [
  "UPDATE orders SET quantity = 11 WHERE number = 40",
  "DELETE FROM orders WHERE number = 40",
  "UPDATE orders SET number = 99 WHERE number = 40",
  "UPDATE orders SET stock = 9 WHERE number = 40",
];
const DAMAGED_REQUESTS = [
  "DELETE FROM requests WHERE number = 40",
  "UPDATE requests SET number = 3 WHERE number = 40",
  "UPDATE requests SET number = 99 WHERE number = 40",
  "UPDATE requests SET id = id || 'x' WHERE number = 40",
  "UPDATE requests SET number = NULL WHERE number = 40",
];

describe("damage is noticed at the start, before this replica votes or leads:", () => {
  test.each([
    "UPDATE stocks SET quantity = quantity + 1 WHERE name = 'BoarCo'",
    "DELETE FROM stocks WHERE id = 1",
    "DELETE FROM stocks WHERE id = 3",
    "DELETE FROM stocks",
    "DELETE FROM orders WHERE number = 54",
    "DELETE FROM orders",
    "DELETE FROM requests",
    "UPDATE applied SET position = 4",
    "UPDATE applied SET orders = 53",
    "DELETE FROM applied",
    ...DAMAGED_ORDERS,
    ...DAMAGED_REQUESTS,
  ])("%s", (sql) => {
    const path = changed(sql);
    expect(thrown(() => new Ledger(opened(path)))).toBeInstanceOf(JournalCorrupt);
  });

  test("an older row of a stock, with a checksum that was right once", () => {
    const path = applied();
    const journal = opened(path);
    const before = { name: "BoarCo", price: 28, quantity: 7 };
    journal.database.exec(
      `UPDATE stocks SET quantity = 7, checksum = ${stockChecksum(before)} WHERE name = 'BoarCo'`,
    );
    journal.close();
    expect(thrown(() => new Ledger(opened(path)))).toBeInstanceOf(JournalCorrupt);
  });

  test("tables and journal that end with different orders, though both are whole", () => {
    const path = applied();
    const journal = opened(path);
    const row = { ...journal.applied, orders: 53 };
    journal.writeTables(() => journal.setApplied(LAST, row));
    journal.close();
    expect(thrown(() => new Ledger(opened(path)))).toBeInstanceOf(JournalCorrupt);
  });
});

describe("damage that comes while it runs", () => {
  test.each(DAMAGED_ORDERS)("in orders isn't answered: %s", (sql) => {
    const ledger = changedWhileOpen(sql);
    expect(thrown(() => ledger.order(40))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => ledger.orders(30, 20))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => ledger.request(uuid(40)))).toBeInstanceOf(JournalCorrupt);
    expect(ledger.order(2)).toBeDefined();
    expect(ledger.order(55)).toBeUndefined();
  });

  test.each(DAMAGED_REQUESTS)("in request ids lets nobody trade twice: %s", (sql) => {
    const ledger = changedWhileOpen(sql);
    expect(thrown(() => ledger.request(uuid(40)))).toBeInstanceOf(JournalCorrupt);
    ledger.queue(LAST + 1, [{ ...order(55, "FishCo", -1), requestId: uuid(40) }]);
    expect(thrown(() => ledger.flush())).toBeInstanceOf(JournalCorrupt);
    expect(ledger.lastNumber).toBe(54);
  });

  test("and hides all request ids lets no id seem new", () => {
    const ledger = changedWhileOpen("DELETE FROM requests");
    for (const id of ["key of a client", "never used", uuid(3), uuid(0)]) {
      expect(
        thrown(() => ledger.request(id)),
        id,
      ).toBeInstanceOf(JournalCorrupt);
    }
  });

  test("in a stock that a flush moves fails the flush", () => {
    const journal = opened(applied());
    const ledger = new Ledger(journal);
    journal.database.exec("DELETE FROM stocks WHERE name = 'FishCo'");
    const more = marketEntry(LAST + 1, [order(55, "FishCo", -1)]);
    journal.write({ entries: [more] });
    ledger.queue(LAST + 1, [order(55, "FishCo", -1)]);
    expect(thrown(() => ledger.flush())).toBeInstanceOf(JournalCorrupt);
  });

  test("in what a refusal was recorded as isn't answered", () => {
    const ledger = changedWhileOpen(
      "UPDATE requests SET command = CAST(replace(command, 'FishCo', 'FishCe') AS BLOB) " +
        "WHERE id = 'key of a client'",
    );
    expect(thrown(() => ledger.request("key of a client"))).toBeInstanceOf(JournalCorrupt);
  });

  test("is found by the scrub wherever it is, before anybody asks", () => {
    const scrubAll = (ledger: Ledger) => {
      while (!ledger.scrub(500).done);
    };
    scrubAll(new Ledger(opened(applied())));
    for (const sql of [...DAMAGED_ORDERS, ...DAMAGED_REQUESTS]) {
      const ledger = changedWhileOpen(sql);
      expect(
        thrown(() => scrubAll(ledger)),
        sql,
      ).toBeInstanceOf(JournalCorrupt);
    }
  });
});
