// etcd: three members on this machine, their data on disk, puts over HTTP.
//
// Puts go to the leader: another member would only pass them on.

import { join } from "node:path";
import { freePorts } from "../../lab/ports.ts";
import { findProgram, Running, TemporaryFolder } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { CONNECTIONS_SWEPT, START_LIMIT_MS } from "../limits.ts";
import { puts } from "../requests.ts";
import { type Round, type Subject, secondsFor } from "../round.ts";
import { warmUp, wrk, wrkCommand, wrkMissing } from "../wrk.ts";

const MEMBERS = 3;
/** For one question to a member. */
const STATUS_LIMIT_MS = 2_000;

export const etcdSubject: Subject = {
  name: "etcd",
  slots: CONNECTIONS_SWEPT.map((connections) => `etcd.puts.${connections}`),
  missing: () => wrkMissing() ?? (findProgram("etcd") === null ? "etcd-server" : null),
  async run(round: Round) {
    using folder = new TemporaryFolder("bench-etcd");
    const ports = await freePorts(2 * MEMBERS);
    const members = memberArguments(folder.path, ports).map((args) => new Running("etcd", args));
    try {
      const port = await leaderPort(ports.slice(0, MEMBERS), members);
      const requests = puts();
      await warmUp(port, requests, 2 * round.timing.warmUpS);
      for (const connections of CONNECTIONS_SWEPT) {
        const seconds = secondsFor(round.timing, connections);
        const load = { port, connections, requests, seconds };
        await round.measure(`etcd.puts.${connections}`, wrkCommand(load), () => wrk(load));
      }
    } finally {
      await Promise.all(members.map((member) => member.stop()));
    }
  },
};

/** The arguments of each member; `ports` are those for clients, then those for peers. */
export function memberArguments(folder: string, ports: readonly number[]): string[][] {
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const members = Array.from({ length: MEMBERS }, (_, index) => ({
    name: `member${index}`,
    client: urls[index] ?? "",
    peer: urls[MEMBERS + index] ?? "",
  }));
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  return members.map(({ name, client, peer }) => [
    `--name=${name}`,
    `--data-dir=${join(folder, name)}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${cluster}`,
    "--logger=zap",
    "--log-outputs=stderr",
    "--log-level=error",
  ]);
}

/** Waits until one of the members leads. */
function leaderPort(ports: readonly number[], members: readonly Running[]): Promise<number> {
  return until(
    "an etcd leader",
    async () => {
      const ended = members.find(({ finished }) => finished !== null);
      if (ended) throw new Error(ended.printed);
      for (const port of ports) if (await leads(port)) return port;
      return null;
    },
    START_LIMIT_MS,
  );
}

async function leads(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
    method: "POST",
    body: "{}",
    signal: AbortSignal.timeout(STATUS_LIMIT_MS),
  });
  const status = (await response.json()) as {
    readonly header?: { readonly member_id?: string };
    readonly leader?: string;
  };
  return status.leader !== undefined && status.leader === status.header?.member_id;
}
