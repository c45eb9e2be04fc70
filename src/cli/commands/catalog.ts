// `bazaar catalog [PORT]`: one catalog in the foreground.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { processAt } from "../processes.ts";
import { runRoleCommand } from "../role-command.ts";

export function catalogCommand(): Command {
  return clusterCommand("catalog", "one catalog in the foreground")
    .argument("[PORT]", "its port (default: the first catalog's)")
    .action(async (port: string | undefined, _options: unknown, command: Command) => {
      const config = configOf(command);
      const { name } = processAt(config, "catalog", port);
      const { startCatalog } = await import("../../roles/catalog/main.ts");
      process.exitCode = await runRoleCommand(config, name, startCatalog);
    });
}
