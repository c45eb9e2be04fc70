// `bazaar format`: the files of a new cluster, or of one role that lost its disk;
// or files of an older version made those of today.

import { type Command, Option } from "commander";
import { clusterCommand, configOf } from "../command.ts";
import { formatAlone, replaceRole, upgradeFiles } from "../data-files.ts";
import { processNamed } from "../processes.ts";

interface FormatFlags {
  readonly replace?: string;
  readonly upgrade?: true;
}

export function formatCommand(): Command {
  return clusterCommand("format", "makes the data files of a new cluster")
    .option("--replace <ROLE>", "only those of a replica or catalog that lost its disk")
    .addOption(
      new Option(
        "--upgrade",
        "convert the files of an older version, with everything stopped",
      ).conflicts("replace"),
    )
    .action(async (options: FormatFlags, command: Command) => {
      const config = configOf(command);
      const done = options.upgrade
        ? upgradeFiles(config)
        : options.replace === undefined
          ? await formatAlone(config)
          : replaceRole(config, processNamed(config, options.replace));
      process.stdout.write(`${done}\n`);
    });
}
