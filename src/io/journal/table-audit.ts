// Compares a replica's tables with the commands of its journal, one by one.
//
// Each command must be found in the tables as it stands in the journal; then, if
// the tables also have as many rows as the journal has commands, they hold
// nothing else, and nothing twice. Looks rows up by their keys, as the role does
// when it answers, so a tree that lost one shows as well.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Audit } from "../../core/market/audit.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Command, Order, Stock } from "../../core/market/types.ts";
import type { TableTotals } from "./applied.ts";
import { JournalCorrupt } from "./errors.ts";
import { orderOf } from "./order-rows.ts";
import { requestKey } from "./request-key.ts";
import { RequestTable } from "./request-table.ts";
import { numberOf, reading, textOf } from "./sqlite.ts";
import { changedSum, stockChecksum, stockOf } from "./stock-rows.ts";

export class TableAudit {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #requests: RequestTable;
  readonly #order: StatementSync;
  readonly #problem: (problem: string) => void;
  /** Names by the number that orders use; not verified, since a wrong one shows in what uses it. */
  readonly #names: ReadonlyMap<number, string>;

  /** `problem` is told whatever is wrong, in words. */
  constructor(database: DatabaseSync, path: string, problem: (problem: string) => void) {
    this.#path = path;
    this.#database = database;
    this.#problem = problem;
    this.#requests = new RequestTable(database, path);
    this.#order = database.prepare("SELECT * FROM orders WHERE number = ?");
    this.#names = new Map(
      reading(path, null, () =>
        database
          .prepare("SELECT id, name FROM stocks")
          .all()
          .map(({ id, name }) => [numberOf(id), textOf(name)]),
      ),
    );
  }

  /** A command of an entry that is applied. */
  compare(position: number, command: Command): void {
    this.#complainOnDamage(() => {
      const { requestId } = command;
      const row = this.#requests.find(requestKey(requestId));
      if (row === undefined) {
        this.#problem(`the tables lack request id ${requestId} of position ${position}`);
      } else if (command.kind === "order" ? row.number !== command.number : row.number !== null) {
        this.#problem(
          `the tables have order ${row.number ?? "none"} for request id ${requestId} of position ${position}`,
        );
      } else if (
        command.kind !== "order" &&
        (row.position !== position || !encodeCommandsEquals(command, row.command))
      ) {
        this.#problem(
          `the tables remember something else for request id ${requestId} of position ${position}`,
        );
      }
    });
    if (command.kind !== "order") return;
    this.#complainOnDamage(() => this.#compareOrder(position, command));
  }

  /** All entries that are applied were compared, and fed to `audit`; `totals` is what the tables say they hold. */
  finish(audit: Audit, totals: TableTotals): void {
    const { counts } = audit;
    this.#complainOnDamage(() => {
      const row = this.#database.prepare("SELECT count(*) AS count FROM orders").get();
      this.#compareCount("orders", counts.orders, numberOf(row?.count));
    });
    this.#complainOnDamage(() => {
      this.#compareCount("requests", counts.requests, Array.from(this.#requests.all()).length);
    });
    this.#complainOnDamage(() => {
      const stocks: Stock[] = [];
      let sum = 0;
      for (const row of this.#database.prepare("SELECT * FROM stocks ORDER BY id").all()) {
        this.#complainOnDamage(() => stocks.push(stockOf(this.#path, row)));
      }
      for (const stock of stocks) sum = changedSum(sum, 0, stockChecksum(stock));
      for (const difference of audit.differences(stocks, totals.orders)) this.#problem(difference);
      if (
        totals.requests !== counts.requests ||
        totals.stocks !== stocks.length ||
        totals.stocksSum !== sum
      ) {
        this.#problem("what the tables say they hold isn't what they hold");
      }
    });
  }

  #compareOrder(position: number, order: Order): void {
    const row = this.#order.get(order.number);
    if (row === undefined) {
      this.#problem(`the tables lack order ${order.number} of position ${position}`);
      return;
    }
    const { name, type, quantity, price } = orderOf(this.#path, row, (id) => this.#names.get(id));
    if (
      name !== order.name ||
      type !== order.type ||
      quantity !== order.quantity ||
      price !== order.price ||
      row.position !== position
    ) {
      this.#problem(
        `order ${order.number} of position ${position} is ${order.type} ${order.quantity} ${order.name} ` +
          `in the journal, ${type} ${quantity} ${name} of position ${row.position} in the tables`,
      );
    }
  }

  #compareCount(table: "orders" | "requests", expected: number, count: number): void {
    if (count !== expected) {
      this.#problem(`the journal makes ${expected} ${table}, the tables have ${count}`);
    }
  }

  #complainOnDamage(run: () => void): void {
    try {
      reading(this.#path, null, run);
    } catch (error) {
      if (!(error instanceof JournalCorrupt)) throw error;
      this.#problem(error.message);
    }
  }
}

function encodeCommandsEquals(command: Command, bytes: Uint8Array | null): boolean {
  return bytes !== null && Buffer.from(encodeCommands([command])).equals(bytes);
}
