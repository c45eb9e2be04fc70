// `bazaar orders`: all orders, page by page as they are read, in the reference program's columns.

import { once } from "node:events";
import type { Command } from "commander";
import { ROWS_PER_PAGE_MAX } from "../../roles/contract.ts";
import { clusterCommand, configOf } from "../command.ts";
import { withLeader } from "../leader.ts";
import { ordersText } from "../orders-text.ts";
import { UserError } from "../user-error.ts";

/** Whose an order is, is read from the journal: few at a time, since the leader does so beside all else. */
const OWNED_ORDERS_PER_PAGE = 100;

interface OrdersOptions {
  readonly csv?: true;
  readonly keys?: true;
}

export function ordersCommand(): Command {
  return clusterCommand("orders", "all orders")
    .option("--csv", "as CSV")
    .option("--keys", "and the name of the key that made each")
    .action(async (options: OrdersOptions, command: Command) => {
      const owned = options.keys === true;
      const text = ordersText({ csv: options.csv === true, owned });
      await withLeader(configOf(command), async (leader) => {
        let after: number | null = 0;
        let isFirst = true;
        while (after !== null) {
          const limit = owned ? OWNED_ORDERS_PER_PAGE : ROWS_PER_PAGE_MAX;
          const page = await leader.ask({ kind: "orders", after, limit, owned });
          if (page.kind !== "orders") throw new UserError(`the leader answered with ${page.kind}`);
          await write(`${isFirst ? text.header : ""}${text.lines(page.orders)}`);
          isFirst = false;
          after = page.next;
        }
      });
    });
}

/** Not faster than it is read: a million orders are not kept here. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}
