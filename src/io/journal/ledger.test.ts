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
import {
  flipBit,
  journalFile,
  marketEntry,
  offsetOf,
  opened,
  temporaryFolder,
  thrown,
} from "./test-files.ts";

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

describe("a damaged table", () => {
  /** A closed file with the whole history applied. */
  function applied(): string {
    const { journal, ledger, path } = start();
    queue(ledger);
    ledger.flush();
    journal.close();
    return path;
  }

  function change(sql: string): string {
    const path = applied();
    const journal = opened(path);
    journal.database.exec(sql);
    journal.close();
    return path;
  }

  function scrubAll(path: string): void {
    const ledger = new Ledger(opened(path));
    while (!ledger.scrub(500).done);
  }

  test("of stocks must not be decided on", () => {
    const path = change("UPDATE stocks SET quantity = quantity + 1 WHERE name = 'BoarCo'");
    expect(thrown(() => new Ledger(opened(path)))).toBeInstanceOf(JournalCorrupt);
    const shorter = change("DELETE FROM stocks WHERE name = 'BoarCo'");
    expect(thrown(() => new Ledger(opened(shorter)))).toBeInstanceOf(JournalCorrupt);
  });

  test("of orders must not answer", () => {
    const ledger = new Ledger(opened(change("UPDATE orders SET quantity = 11 WHERE number = 1")));
    expect(thrown(() => ledger.order(1))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => ledger.orders(0, 10))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => ledger.request(uuid(1)))).toBeInstanceOf(JournalCorrupt);
    expect(ledger.order(2)).toBeDefined();
  });

  test("of the applied position must not start: entries would be applied twice", () => {
    const path = change("UPDATE applied SET position = 4");
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
  });

  test("of request ids, which would let one buy twice, is found by the scrub", () => {
    scrubAll(applied());
    const missing = change("DELETE FROM requests WHERE number = 30");
    expect(thrown(() => scrubAll(missing))).toMatchObject({ name: "JournalCorrupt", position: 6 });
    const other = change("UPDATE requests SET number = 3 WHERE number = 1");
    expect(thrown(() => scrubAll(other))).toMatchObject({ name: "JournalCorrupt", position: 4 });
    const key = applied();
    flipBit(key, offsetOf(key, Buffer.from("01890000000070008000000000000021", "hex")) + 9);
    expect(thrown(() => scrubAll(key))).toBeInstanceOf(JournalCorrupt);
    const refusal = change(
      "UPDATE requests SET command = CAST(replace(command, 'FishCo', 'FishCe') AS BLOB) " +
        "WHERE command IS NOT NULL",
    );
    expect(thrown(() => scrubAll(refusal))).toMatchObject({ name: "JournalCorrupt", position: 1 });
  });

  test("of orders is found by the scrub before anybody asks for them", () => {
    const path = change("DELETE FROM orders WHERE number = 20");
    expect(thrown(() => scrubAll(path))).toMatchObject({ name: "JournalCorrupt" });
  });
});
