// `bazaar up`: everything on this machine, kept running until it is told to stop.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { givenFlags } from "../options.ts";
import { runUp } from "../up.ts";

export function upCommand(): Command {
  return clusterCommand("up", "everything on this machine, kept running")
    .option("--no-restart", "leave down what crashes")
    .action(async (options: { readonly restart: boolean }, command: Command) => {
      const config = configOf(command);
      process.exitCode = await runUp(config, givenFlags(command), options);
    });
}
