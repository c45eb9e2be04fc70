// `bazaar list NAME PRICE QUANTITY`: a new stock.

import type { Command } from "commander";
import { NAME_LETTERS_MAX, PRICE_MAX } from "../../core/market/limits.ts";
import { changeMarket, listContent } from "../change-market.ts";
import { clusterCommand, configOf } from "../command.ts";
import { withLeader } from "../leader.ts";

export function listCommand(): Command {
  return clusterCommand("list", "lists a new stock")
    .argument("<NAME>", `letters only, ${NAME_LETTERS_MAX} at most`)
    .argument("<PRICE>", `a number above 0, up to ${PRICE_MAX}`)
    .argument("<QUANTITY>", "a whole number, 0 or more")
    .action(
      async (
        name: string,
        price: string,
        quantity: string,
        _options: unknown,
        command: Command,
      ) => {
        const content = listContent(name, price, quantity);
        await withLeader(configOf(command), (leader) => changeMarket(leader, content));
        process.stdout.write(`${name} is listed: ${quantity} at ${price}\n`);
      },
    );
}
