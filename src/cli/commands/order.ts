// `bazaar order ID`: one order replica in the foreground.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { processAt } from "../processes.ts";
import { runRoleCommand } from "../role-command.ts";

export function orderCommand(): Command {
  return clusterCommand("order", "one order replica in the foreground")
    .argument("<ID>", "its id, which is its port")
    .action(async (id: string, _options: unknown, command: Command) => {
      const config = configOf(command);
      const { name } = processAt(config, "order", id);
      const { startOrder } = await import("../../roles/order/main.ts");
      process.exitCode = await runRoleCommand(config, name, startOrder);
    });
}
