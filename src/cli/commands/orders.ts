// `bazaar orders`: all orders, page by page as they are read, in the reference program's columns.

import { once } from "node:events";
import type { Command } from "commander";
import { ROWS_PER_PAGE_MAX } from "../../roles/contract.ts";
import { clusterCommand, configOf } from "../command.ts";
import { withLeader } from "../leader.ts";
import { ordersAsColumns, ordersAsCsv } from "../orders-text.ts";
import { UserError } from "../user-error.ts";

export function ordersCommand(): Command {
  return clusterCommand("orders", "all orders")
    .option("--csv", "as CSV")
    .action(async (options: { readonly csv?: true }, command: Command) => {
      const text = options.csv ? ordersAsCsv : ordersAsColumns;
      await withLeader(configOf(command), async (leader) => {
        let after: number | null = 0;
        let isFirst = true;
        while (after !== null) {
          const page = await leader.ask({ kind: "orders", after, limit: ROWS_PER_PAGE_MAX });
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
