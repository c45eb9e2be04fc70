// `bazaar frontend [PORT]`: one front end in the foreground.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { processAt, withFrontend } from "../processes.ts";
import { runRoleCommand } from "../role-command.ts";

export function frontendCommand(): Command {
  return clusterCommand("frontend", "one front end in the foreground")
    .argument("[PORT]", "its port (default: the first front end's)")
    .action(async (port: string | undefined, _options: unknown, command: Command) => {
      const config = withFrontend(configOf(command), port);
      const { name } = processAt(config, "frontend", port);
      const { startFrontend } = await import("../../roles/frontend/main.ts");
      const { playgroundOf } = await import("../playground.ts");
      const playground = playgroundOf(process, process.env);
      process.exitCode = await runRoleCommand(config, name, (options) =>
        startFrontend({ ...options, ...(playground && { playground }) }),
      );
    });
}
