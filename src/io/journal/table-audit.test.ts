import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { Audit } from "../../core/market/audit.ts";
import type { Command } from "../../core/market/types.ts";
import { TableAudit } from "./table-audit.ts";
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
  tables.finish(audit);
  database.close();
  return problems;
}

test("tables that hold what the journal says must not be complained of", () => {
  expect(problemsOf(fileOf())).toEqual([]);
});

describe("planted damage is found:", () => {
  test.each([
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
    ["a request gone", "DELETE FROM requests WHERE id = 'r3'", /lack request id r3 of position 4/],
    ["a request too many", "INSERT INTO requests (id, number) VALUES ('x', 1)", /tables have 9/],
    [
      "a request that leads to another order",
      "UPDATE requests SET number = 1 WHERE id = 'r3'",
      /have order 1 for request id r3/,
    ],
    [
      "a refusal that became an order",
      "UPDATE requests SET number = 1 WHERE id = 'no'",
      /have order 1 for request id no/,
    ],
    [
      "a refusal for another reason",
      "UPDATE requests SET command = (SELECT command FROM requests WHERE id = 'a1') WHERE id = 'no'",
      /something else for request id no of position 3/,
    ],
    [
      "a listing at another position",
      "UPDATE requests SET position = 2 WHERE id = 'l1'",
      /something else for request id l1 of position 1/,
    ],
  ])("%s", (_what, sql, problem) => {
    const path = fileOf();
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
    expect(problemsOf(path).join("\n")).toMatch(problem);
  });
});
