// `bazaar verify`: brings all replicas and catalogs to one position and compares.

import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { readSecret } from "../../io/rpc/secret.ts";
import type { Calls } from "../../io/rpc/types.ts";
import { membersOf } from "../../roles/config.ts";
import { catalogContract, orderContract } from "../../roles/contract.ts";
import { clusterCommand, configOf } from "../command.ts";
import { Peers } from "../peers.ts";
import { type ConfiguredProcess, processesOf } from "../processes.ts";
import { NotReachable, type Verdict, verifyCluster } from "../verify-cluster.ts";

const REACH_LIMIT_MS = 1_500;
const HEALTH_LIMIT_MS = 1_500;
/** Reading a journal of millions of orders takes its time, milliseconds. */
const AUDIT_LIMIT_MS = 120_000;
const LEADER_PAUSE_MS = 250;
/** A leader is waited for about as long as a fail-over may take. */
const LEADER_ROUNDS_MAX = 20;

export function verifyCommand(): Command {
  return clusterCommand("verify", "compares all replicas and catalogs at one position")
    .option("--json", "as JSON")
    .action(async (options: { readonly json?: true }, command: Command) => {
      const config = configOf(command);
      const processes = processesOf(config);
      const peers = new Peers(readSecret(config.data), membersOf(config));
      try {
        const verdict = await verifyCluster({
          replicas: processes.filter(({ kind }) => kind === "order").map(replicaOver(peers)),
          catalogs: processes.filter(({ kind }) => kind === "catalog").map(catalogOver(peers)),
          pause: () => pause(LEADER_PAUSE_MS),
          leaderRoundsMax: LEADER_ROUNDS_MAX,
        });
        process.stdout.write(options.json ? `${JSON.stringify(verdict)}\n` : textOf(verdict));
        process.exitCode = verdict.ok ? 0 : 1;
      } finally {
        peers.close();
      }
    });
}

const replicaOver = (peers: Peers) => (replica: ConfiguredProcess) => {
  const calls = async (timeoutMs: number): Promise<Calls<typeof orderContract>> =>
    (await reach(peers, replica)).calls(orderContract, { timeoutMs });
  return {
    name: replica.name,
    health: async () => {
      const { leads, commitPosition } = await (await calls(HEALTH_LIMIT_MS)).health({});
      return { leads, commit: commitPosition };
    },
    audit: async (position: number, stocksAt: readonly number[]) =>
      (await calls(AUDIT_LIMIT_MS)).audit({ position, stocksAt: [...stocksAt] }),
  };
};

const catalogOver = (peers: Peers) => (catalog: ConfiguredProcess) => ({
  name: catalog.name,
  audit: async (position: number) => {
    const peer = await reach(peers, catalog);
    return peer.calls(catalogContract, { timeoutMs: AUDIT_LIMIT_MS }).audit({ position });
  },
});

async function reach(peers: Peers, process: ConfiguredProcess) {
  const reached = await peers.reach(process, REACH_LIMIT_MS);
  if (reached.kind === "reached") return reached.peer;
  if (reached.isFinal) throw new Error(reached.why);
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
