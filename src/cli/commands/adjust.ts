// `bazaar adjust NAME BY`: more or less of a stock.

import type { Command } from "commander";
import { adjustContent, changeMarket } from "../change-market.ts";
import { clusterCommand, configOf } from "../command.ts";
import { withLeader } from "../leader.ts";

export function adjustCommand(): Command {
  return clusterCommand("adjust", "more of a stock, or less")
    .argument("<NAME>", "the stock")
    .argument("<BY>", "a whole number: 10, or -5")
    .action(async (name: string, by: string, _options: unknown, command: Command) => {
      const content = adjustContent(name, by);
      await withLeader(configOf(command), async (leader) => {
        await changeMarket(leader, content);
        const now = await leader.ask({ kind: "lookup", name });
        const quantity = now.kind === "stock" ? now.stock?.quantity : undefined;
        process.stdout.write(`${name} is adjusted by ${by}: ${quantity ?? "unknown"} now\n`);
      });
    });
}
