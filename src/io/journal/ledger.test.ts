import { copyFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { recordedRequest } from "../../core/market/content.ts";
import { KeyBook } from "../../core/market/keys.ts";
import { MarketState } from "../../core/market/state.ts";
import type { Command, Stock } from "../../core/market/types.ts";
import { JournalCorrupt, JournalFailed } from "./errors.ts";
import { journalFolder } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { marketEntry, opened, temporaryFolder, thrown } from "./test-files.ts";
import { HISTORY, LAST, order, queue, start, uuid } from "./test-ledger.ts";

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
  const { lastNumber } = state;
  const requestIds = state.orders(0, 1_000).map(({ requestId }) => requestId);
  if (lastNumber > 0) expect(ledger.requestIds(1, lastNumber)).toEqual(requestIds);
  expect(new KeyBook(ledger.keyCommands()).all()).toEqual(state.keys.all());
  expect(new KeyBook(ledger.keyCommands()).version).toBe(state.keys.version);
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

  test("of a crash between two flushes stand at the first", () => {
    const { ledger, path } = start();
    queue(ledger, 4);
    ledger.flush();
    queue(ledger);
    const crashed = join(temporaryFolder(), "order.db");
    copyFileSync(path, crashed);
    copyFileSync(`${path}-wal`, `${crashed}-wal`);
    cpSync(journalFolder(path), journalFolder(crashed), { recursive: true });
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

  test("a page of orders has no more than its limit", () => {
    const { ledger } = start();
    queue(ledger);
    ledger.flush();
    expect(ledger.orders(3, 4).map(({ number }) => number)).toEqual([4, 5, 6, 7]);
    expect(ledger.orders(54, 4)).toEqual([]);
    expect(ledger.order(55)).toBeUndefined();
  });
});

describe("a ledger", () => {
  test("tells how many commands it holds in memory, and none after a flush", () => {
    const { ledger } = start();
    queue(ledger, 4);
    expect(ledger.pendingCommands).toBe(5);
    ledger.flush();
    expect(ledger.pendingCommands).toBe(0);
    ledger.flush();
    expect(ledger.appliedPosition).toBe(4);
  });

  test("compares its newest entries with the journal in few reads", () => {
    const { journal, ledger } = start();
    queue(ledger);
    const more = Array.from({ length: 900 }, (_, index) => order(55 + index, "BoarCo", 1));
    const positionOf = (index: number): number => LAST + 1 + index;
    journal.write({
      entries: more.map((command, index) => marketEntry(positionOf(index), [command])),
    });
    for (const [index, command] of more.entries()) ledger.queue(positionOf(index), [command]);
    ledger.flush();
    const reads = vi.spyOn(journal, "entries");
    expect(new Ledger(journal).lastNumber).toBe(954);
    expect(reads.mock.calls.length).toBeLessThan(30);
  });

  test("refuses entries out of line", () => {
    const { ledger } = start();
    ledger.queue(1, HISTORY[0] ?? []);
    expect(() => ledger.queue(1, [])).toThrow(InvariantViolation);
    expect(() => ledger.queue(3, [])).toThrow(InvariantViolation);
    ledger.queue(2, []);
  });

  test("whose write failed holds only what was written", () => {
    const { journal, ledger, path } = start();
    queue(ledger, 4);
    ledger.flush();
    queue(ledger);
    const write = () =>
      journal.writeTables(() => {
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
  ])("refuses what breaks an invariant, its tables unchanged: %s", (_what, command) => {
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
    journal.writeTables(() => expect(ledger.readTogether(read)).toEqual(read()));
    const broken = () => {
      throw new Error("broken");
    };
    expect(() => ledger.readTogether(broken)).toThrow("broken");
    queue(ledger);
    ledger.flush();
  });

  test("are refused when they write, since their snapshot would be held meanwhile", () => {
    const { ledger } = start();
    queue(ledger);
    expect(() => ledger.readTogether(() => ledger.flush())).toThrow(InvariantViolation);
    ledger.flush();
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
    const { journal, ledger: before, path } = start();
    queue(before);
    before.flush();
    journal.close();
    const ledger = new Ledger(opened(path));
    expect(ledger.request(uuid(54))).toBeDefined();
    expect(ledger.request(uuid(55))).toBeUndefined();
  });
});
