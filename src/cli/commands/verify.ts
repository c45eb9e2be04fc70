// `bazaar verify`: brings all replicas and catalogs to one position and compares.

import type { Command } from "commander";
import type { Peers } from "../../roles/peers.ts";
import {
  catalogOver,
  NotReachable,
  replicaOver,
  type Verdict,
  verifyCluster,
} from "../../roles/verification.ts";
import { commandPeers } from "../closed.ts";
import { clusterCommand, configOf } from "../command.ts";
import { type ConfiguredProcess, processesOf } from "../processes.ts";
import { UserError } from "../user-error.ts";

const REACH_LIMIT_MS = 1_500;

export function verifyCommand(): Command {
  return clusterCommand("verify", "compares all replicas and catalogs at one position")
    .option("--json", "as JSON")
    .action(async (options: { readonly json?: true }, command: Command) => {
      const config = configOf(command);
      const processes = processesOf(config);
      const peers = commandPeers(config);
      /** Something there isn't ours: there is nothing to compare, and no use in waiting. */
      const refused = Promise.withResolvers<never>();
      const reach = (process: ConfiguredProcess) =>
        reachOrTell(peers, process, (why) => refused.reject(new UserError(why)));
      try {
        const comparison = verifyCluster({
          replicas: processes
            .filter(({ kind }) => kind === "order")
            .map((replica) => replicaOver(replica.name, () => reach(replica))),
          catalogs: processes
            .filter(({ kind }) => kind === "catalog")
            .map((catalog) => catalogOver(catalog.name, () => reach(catalog))),
        });
        const verdict = await Promise.race([comparison, refused.promise]);
        process.stdout.write(options.json ? `${JSON.stringify(verdict)}\n` : textOf(verdict));
        process.exitCode = verdict.ok ? 0 : 1;
      } finally {
        peers.close();
      }
    });
}

async function reachOrTell(
  peers: Peers,
  process: ConfiguredProcess,
  refused: (why: string) => void,
) {
  const reached = await peers.reach(process, REACH_LIMIT_MS);
  if (reached.kind === "reached") return reached.peer;
  if (reached.isFinal) refused(reached.why);
  throw new NotReachable(reached.why);
}

function textOf(verdict: Verdict): string {
  const lines = verdict.ok
    ? [`All agree at position ${verdict.position}: ${verdict.orders} orders.`]
    : [
        ...verdict.differences,
        `${verdict.differences.length} difference${verdict.differences.length === 1 ? "" : "s"} found at position ${verdict.position}.`,
      ];
  return lines.map((line) => `${line}\n`).join("");
}
