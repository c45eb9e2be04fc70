import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { LabPostgres } from "../../../lab/postgres.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Command } from "../../core/market/types.ts";
import type { Entry } from "../../core/replication/types.ts";
import { formatTables } from "../../io/log/postgres.ts";
import { PostgresViews } from "./postgres-views.ts";

const ORDERS = 60;
const LISTED = 1_000;
/** On a busy machine, with the start of a server. */
const LIMIT_MS = 60_000;

test(
  "two replicas that take themselves for the leader write each order once, whatever its stock is called",
  async () => {
    const postgres = await LabPostgres.start({ standbys: 0 });
    onTestFinished(() => postgres.stop());
    const name = "Nul\u0000Co";
    const orders = Array.from({ length: ORDERS }, (_, index): Command => {
      const number = index + 1;
      return {
        kind: "order",
        requestId: `order-${number}`,
        number,
        name,
        type: "buy",
        quantity: 2,
        price: 12.5,
      };
    });
    const commands: readonly Command[] = [
      { kind: "list", requestId: "list", name, price: 12.5, quantity: LISTED },
      ...orders,
    ];
    const entries = commands.map(
      (command, index): Entry => ({
        position: index + 1,
        epoch: 1,
        at: Date.UTC(2026, 0, 1),
        body: { kind: "command", bytes: encodeCommands([command]) },
      }),
    );
    const options = { url: postgres.url, acceptLoss: true, cluster: "some" };
    await formatTables(options, { cluster: "some", entries });
    const both = [3, 7].map(
      (most) =>
        new PostgresViews({
          ...options,
          log: pino({ level: "silent" }),
          read: (after) => entries.slice(after, after + most),
        }),
    );
    for (const views of both) views.lead();
    onTestFinished(() => {
      for (const views of both) views.rest();
    });
    const ask = (sql: string) => postgres.server(0).ask(sql);
    const position = "SELECT position::int FROM bazaar.views";
    await expect
      .poll(() => ask(position), { timeout: LIMIT_MS })
      .toEqual([{ position: ORDERS + 1 }]);
    expect(await ask("SELECT DISTINCT price, at FROM bazaar.orders")).toEqual([
      { price: 12.5, at: new Date(Date.UTC(2026, 0, 1)) },
    ]);
    const numbers = await ask("SELECT number::int FROM bazaar.orders ORDER BY number");
    expect(numbers).toEqual(orders.map((_, index) => ({ number: index + 1 })));
    expect(await ask("SELECT name, quantity::int FROM bazaar.stocks")).toEqual([
      { name: "Nul␀Co", quantity: LISTED - 2 * ORDERS },
    ]);
  },
  2 * LIMIT_MS,
);
