// `bazaar format`: the files of a new cluster; or of one role that lost its disk.

import type { Command } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { formatNew, replaceRole } from "../data-files.ts";
import { processNamed } from "../processes.ts";

export function formatCommand(): Command {
  return clusterCommand("format", "makes the data files of a new cluster")
    .option("--replace <ROLE>", "only those of a replica or catalog that lost its disk")
    .action(async (options: { readonly replace?: string }, command: Command) => {
      const config = configOf(command);
      const done =
        options.replace === undefined
          ? await formatNew(config)
          : await replaceRole(config, processNamed(config, options.replace));
      process.stdout.write(`${done}\n`);
    });
}
