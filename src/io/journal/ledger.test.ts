import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { recordedRequest } from "../../core/market/content.ts";
import { MarketState } from "../../core/market/state.ts";
import type { Command, Stock } from "../../core/market/types.ts";
import { JournalCorrupt, JournalFailed } from "./errors.ts";
import type { SqliteJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { stockChecksum } from "./stock-rows.ts";
import { journalFile, marketEntry, opened, temporaryFolder, thrown } from "./test-files.ts";

function uuid(number: number): string {
  return `01890000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
}

function order(number: number, name: string, by: number): Command {
  const [type, quantity] = by < 0 ? (["buy", -by] as const) : (["sell", by] as const);
  const price = name === "FishCo" ? 17.99 : 28;
  return { kind: "order", number, requestId: uuid(number), name, type, quantity, price };
}

/** A history with every kind of command; one array per entry, empty for the log's own. */
const HISTORY: readonly (readonly Command[])[] = [
  [{ kind: "list", requestId: "list-1", name: "FishCo", price: 17.99, quantity: 600 }],
  [{ kind: "list", requestId: "list-2", name: "BoarCo", price: 28, quantity: 0 }],
  [],
  [order(1, "FishCo", -10), order(2, "BoarCo", 7), order(3, "FishCo", 4)],
  [
    { kind: "adjust", requestId: "adjust-1", name: "BoarCo", by: -7 },
    {
      kind: "refuse",
      requestId: "key of a client",
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 9_999_999 },
      refusal: { kind: "insufficient-volume", name: "FishCo" },
    },
    { kind: "list", requestId: "list-3", name: "MenhirCo", price: 1.5, quantity: 5 },
    order(4, "MenhirCo", -5),
  ],
  Array.from({ length: 50 }, (_, index) => order(5 + index, "FishCo", -1)),
];
const LAST = HISTORY.length;

/** A journal that holds the history, and a ledger with nothing of it yet. */
function start(): { journal: SqliteJournal; ledger: Ledger; path: string } {
  const path = journalFile(
    HISTORY.map((commands, index) =>
      commands.length > 0
        ? marketEntry(index + 1, commands)
        : { position: index + 1, epoch: 1, at: 0, body: { kind: "reign", leader: 9094 } },
    ),
  );
  const journal = opened(path);
  return { journal, ledger: new Ledger(journal), path };
}

/** Queues the history from what is applied to `through`; once between flushes. */
function queue(ledger: Ledger, through = LAST): void {
  for (let position = ledger.appliedPosition + 1; position <= through; position++) {
    ledger.queue(position, HISTORY[position - 1] ?? []);
  }
}

function replayed(through: number): MarketState {
  const older = { request: () => undefined };
  const state = new MarketState({ stocks: [], lastNumber: 0, older });
  HISTORY.slice(0, through).forEach((commands, index) => {
    state.apply(index + 1, commands);
  });
  return state;
}

function byName(stocks: readonly Stock[]): Stock[] {
  return [...stocks].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The tables say what the first `through` entries amount to, and nothing else. */
function expectReplay(ledger: Ledger, through: number): void {
  const state = replayed(through);
  expect(ledger.appliedPosition).toBe(through);
  expect(byName(ledger.stocks())).toEqual(state.stocks());
  expect(ledger.lastNumber).toBe(state.lastNumber);
  const orders = state.orders(0, 1_000).map(({ number, name, type, quantity, price }) => ({
    number,
    name,
    type,
    quantity,
    price,
  }));
  expect(ledger.orders(0, 1_000)).toEqual(orders);
  for (const each of orders) expect(ledger.order(each.number)).toEqual(each);
  HISTORY.forEach((commands, index) => {
    for (const command of commands) {
      const expected = index < through ? recordedRequest(command) : undefined;
      expect(ledger.request(command.requestId), command.requestId).toEqual(expected);
    }
  });
}

describe("the tables", () => {
  test("are what the journal amounts to, at every position, after every start", () => {
    const { journal, ledger, path } = start();
    expectReplay(ledger, 0);
    for (let position = 1; position <= LAST; position++) {
      queue(ledger, position);
      expectReplay(ledger, position - 1);
      ledger.flush();
      expectReplay(ledger, position);
    }
    journal.close();
    expectReplay(new Ledger(opened(path)), LAST);
  });

  test("are the same however many entries a flush takes", () => {
    for (const step of [2, 3, LAST]) {
      const { ledger } = start();
      for (let position = step; position < LAST + step; position += step) {
        queue(ledger, Math.min(position, LAST));
        ledger.flush();
      }
      expectReplay(ledger, LAST);
    }
  });

  test("written along with entries are there or not there together with them", () => {
    const { journal, ledger, path } = start();
    queue(ledger);
    const more = marketEntry(LAST + 1, [order(55, "FishCo", 1)]);
    journal.write({ entries: [more] }, () => {
      ledger.flush();
      expect(ledger.appliedPosition).toBe(0);
    });
    expectReplay(ledger, LAST);
    expect(journal.lastPosition).toBe(LAST + 1);
    journal.close();
    expectReplay(new Ledger(opened(path)), LAST);
  });

  test("of a crash between two flushes stand at the first", () => {
    const { ledger, path } = start();
    queue(ledger, 4);
    ledger.flush();
    queue(ledger);
    const crashed = join(temporaryFolder(), "order.db");
    copyFileSync(path, crashed);
    copyFileSync(`${path}-wal`, `${crashed}-wal`);
    expectReplay(new Ledger(opened(crashed)), 4);
  });

  test("that people look at name stocks and types", () => {
    const { journal, ledger } = start();
    queue(ledger);
    ledger.flush();
    const rows = journal.database.prepare("SELECT * FROM order_log LIMIT 2").all();
    expect(rows.map((row) => ({ ...row }))).toEqual([
      {
        transaction_number: 1,
        stock_name: "FishCo",
        order_type: "buy",
        trade_quantity: 10,
      },
      {
        transaction_number: 2,
        stock_name: "BoarCo",
        order_type: "sell",
        trade_quantity: 7,
      },
    ]);
  });

  test("a page of orders that isn't limited grows with the history", () => {
    const { ledger } = start();
    queue(ledger);
    ledger.flush();
    expect(ledger.orders(3, 4).map(({ number }) => number)).toEqual([4, 5, 6, 7]);
    expect(ledger.orders(54, 4)).toEqual([]);
    expect(ledger.order(55)).toBeUndefined();
  });
});

describe("a ledger", () => {
  test("that doesn't tell what it holds in memory can't be kept small", () => {
    const { ledger } = start();
    queue(ledger, 4);
    expect(ledger.pendingCommands).toBe(5);
    ledger.flush();
    expect(ledger.pendingCommands).toBe(0);
    ledger.flush();
    expect(ledger.appliedPosition).toBe(4);
  });

  test("that is told entries out of line loses or doubles one", () => {
    const { ledger } = start();
    ledger.queue(1, HISTORY[0] ?? []);
    expect(() => ledger.queue(1, [])).toThrow(InvariantViolation);
    expect(() => ledger.queue(3, [])).toThrow(InvariantViolation);
    ledger.queue(2, []);
  });

  test("whose write failed must not pretend to hold what it didn't write", () => {
    const { journal, ledger, path } = start();
    queue(ledger, 4);
    ledger.flush();
    queue(ledger);
    const write = () =>
      journal.write({}, () => {
        ledger.flush();
        throw new Error("broken");
      });
    expect(write).toThrow("broken");
    expectReplay(ledger, 4);
    expect(thrown(() => ledger.flush())).toBeInstanceOf(JournalFailed);
    journal.close();
    expectReplay(new Ledger(opened(path)), 4);
  });

  test.each<[string, Command]>([
    ["M3: a number left out", order(6, "FishCo", -1)],
    ["M3: a request id used twice", { ...order(5, "FishCo", -1), requestId: uuid(2) }],
    [
      "M3: a refused request id that becomes an order",
      { ...order(5, "FishCo", -1), requestId: "key of a client" },
    ],
    ["M2: more bought than there is", order(5, "FishCo", -595)],
    ["M2: more sold than can be counted", order(5, "FishCo", Number.MAX_SAFE_INTEGER)],
    ["M2: a stock that was never listed", order(5, "Nothing", 1)],
    [
      "M2: a name listed twice",
      { kind: "list", requestId: "x", name: "FishCo", price: 1, quantity: 1 },
    ],
  ])("%s must not reach the tables", (_what, command) => {
    const { ledger } = start();
    queue(ledger, 5);
    ledger.flush();
    ledger.queue(6, [command]);
    expect(thrown(() => ledger.flush())).toBeInstanceOf(InvariantViolation);
    expectReplay(ledger, 5);
  });
});

describe("reads together", () => {
  test("answer the same, in a write too, and leave nothing open after a failure", () => {
    const { journal, ledger } = start();
    queue(ledger);
    ledger.flush();
    const read = () => ledger.request(uuid(3));
    expect(ledger.readTogether(() => ledger.readTogether(read))).toEqual(read());
    journal.write({}, () => expect(ledger.readTogether(read)).toEqual(read()));
    const broken = () => {
      throw new Error("broken");
    };
    expect(() => ledger.readTogether(broken)).toThrow("broken");
    journal.write({ entries: [marketEntry(LAST + 1, [])] });
  });

  test("that write would hold their snapshot while the journal moves on", () => {
    const { ledger } = start();
    queue(ledger);
    expect(() => ledger.readTogether(() => ledger.flush())).toThrow(InvariantViolation);
    ledger.flush();
  });
});

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
    journal.write({}, () => journal.setApplied(LAST, row));
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

describe("made request ids, which grow with time,", () => {
  test("are known to be new without a look at the tables, whatever else clients use as keys", () => {
    const { journal, ledger } = start();
    queue(ledger, 5);
    const drawn = "ffffffff-ffff-4fff-bfff-ffffffffffff";
    ledger.queue(6, [{ ...order(5, "FishCo", -1), requestId: drawn }]);
    ledger.flush();
    journal.database.exec("DROP TABLE requests");
    expect(ledger.request(uuid(5))).toBeUndefined();
    expect(thrown(() => ledger.request(uuid(0)))).toBeInstanceOf(JournalCorrupt);
  });

  test("that were recorded are found after a start", () => {
    const ledger = new Ledger(opened(applied()));
    expect(ledger.request(uuid(54))).toBeDefined();
    expect(ledger.request(uuid(55))).toBeUndefined();
  });
});
