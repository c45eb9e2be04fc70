import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { Audit } from "../../core/market/audit.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Command } from "../../core/market/types.ts";
import { TableAudit } from "./audit.ts";
import { AppliedRow, readApplied } from "./order-file.ts";
import { type RequestRow, RequestTable } from "./request-table.ts";
import { appliedFile } from "./test-files.ts";

function order(number: number, quantity: number, name = "FishCo"): Command {
  return { kind: "order", number, requestId: `r${number}`, name, type: "buy", quantity, price: 2 };
}

const HISTORY: readonly (readonly Command[])[] = [
  [{ kind: "list", requestId: "l1", name: "FishCo", price: 2, quantity: 100 }],
  [{ kind: "list", requestId: "l2", name: "BoarCo", price: 2, quantity: 50 }],
  [
    order(1, 10),
    order(2, 5, "BoarCo"),
    {
      kind: "refuse",
      requestId: "no",
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 9_999 },
      refusal: { kind: "insufficient-volume", name: "FishCo" },
    },
  ],
  [order(3, 1), { kind: "adjust", requestId: "a1", name: "BoarCo", by: 7 }],
  [order(4, 1)],
];

function fileOf(): string {
  return appliedFile(HISTORY);
}

/** What is found when the tables of a file are compared with the history. */
function problemsOf(path: string): string[] {
  const problems: string[] = [];
  const database = new DatabaseSync(path, { readOnly: true });
  const tables = new TableAudit(database, path, (problem) => problems.push(problem));
  const audit = new Audit();
  HISTORY.forEach((commands, index) => {
    audit.feed(index + 1, commands);
    for (const command of commands) tables.compare(index + 1, command);
  });
  tables.finish(audit, readApplied(database, path));
  database.close();
  return problems;
}

test("tables that hold what the journal says have no problems", () => {
  expect(problemsOf(fileOf())).toEqual([]);
});

/** Writes all rows of request ids anew, as they should have been were `change` right. */
function rewrite(database: DatabaseSync, change: (row: RequestRow) => RequestRow | null): void {
  const rows = [...new RequestTable(database, "path").all()];
  database.exec("DELETE FROM requests");
  RequestTable.insertFirst(database);
  const changed = rows.map(change).filter((row) => row !== null);
  new RequestTable(database, "path").add(changed);
}

function changed(id: string, change: Partial<RequestRow>) {
  return (row: RequestRow): RequestRow => (row.id === id ? { ...row, ...change } : row);
}

describe("planted damage is found:", () => {
  test.each<[string, string | ((row: RequestRow) => RequestRow | null), RegExp]>([
    ["an order changed", "UPDATE orders SET quantity = 6 WHERE number = 2", /checksum of order 2/],
    ["an order gone", "DELETE FROM orders WHERE number = 2", /lack order 2 of position 3/],
    ["an order too many", "INSERT INTO orders VALUES (9, 1, 0, 1, 2, 5, 0)", /tables have 5/],
    [
      "two orders in each other's place",
      "UPDATE orders SET number = -number; UPDATE orders SET number = 7 + number WHERE number IN (-3, -4); " +
        "UPDATE orders SET number = -number WHERE number < 0",
      /checksum of order 3/,
    ],
    [
      "a stock changed",
      "UPDATE stocks SET quantity = 89 WHERE name = 'FishCo'",
      /checksum of stock FishCo/,
    ],
    ["a stock gone", "DELETE FROM stocks WHERE name = 'BoarCo'", /lacks BoarCo/],
    ["a row of request ids gone", "DELETE FROM requests WHERE id = 'r3'", /request ids is wrong/],
    [
      "a row of request ids that leads to another order",
      "UPDATE requests SET number = 1 WHERE id = 'r3'",
      /request ids is wrong/,
    ],
    ["a request gone", (row) => (row.id === "r3" ? null : row), /lack request id r3 of position 4/],
    [
      "a request too many",
      (row) => (row.id === "r3" ? { ...row, id: "r9" } : row),
      /lack request id r3/,
    ],
    [
      "a request that leads to another order",
      changed("r3", { number: 1 }),
      /have order 1 for request id r3/,
    ],
    [
      "a refusal that became an order",
      changed("no", { number: 1, position: null, command: null }),
      /have order 1 for request id no/,
    ],
    [
      "a refusal for another reason",
      changed("no", { command: encodeCommands([order(9, 1)]) }),
      /something else for request id no of position 3/,
    ],
    [
      "a listing at another position",
      changed("l1", { position: 2 }),
      /something else for request id l1 of position 1/,
    ],
  ])("%s", (_what, change, problem) => {
    const path = fileOf();
    const database = new DatabaseSync(path);
    if (typeof change === "string") database.exec(change);
    else rewrite(database, change);
    database.close();
    expect(problemsOf(path).join("\n")).toMatch(problem);
  });
});

test.each([{ stocks: 3 }, { stocksSum: 3 }, { requests: 9 }, { orders: 5 }])(
  "tables that say they hold something else are found: %j",
  (change) => {
    const path = fileOf();
    const database = new DatabaseSync(path);
    new AppliedRow(database, path).write({ ...readApplied(database, path), ...change });
    database.close();
    expect(problemsOf(path).join("\n")).toMatch(
      /what the tables say they hold isn't what they hold|the table's 5/,
    );
  },
);
