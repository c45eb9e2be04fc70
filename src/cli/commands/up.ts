// `bazaar up`: everything on this machine, kept running until it is told to stop.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { givenFlags } from "../options.ts";
import { runUp } from "../up.ts";

interface UpFlags {
  readonly restart: boolean;
  readonly playground?: true;
}

export function upCommand(): Command {
  return clusterCommand("up", "everything on this machine, kept running")
    .option("--no-restart", "leave down what crashes")
    .option(
      "--playground",
      "let the page kill, pause and start processes, cut links, and make load",
    )
    .action(async (options: UpFlags, command: Command) => {
      const config = configOf(command);
      process.exitCode = await runUp(config, givenFlags(command), {
        restart: options.restart,
        playground: options.playground === true,
      });
    });
}
