// The evaluation's fail-over: replicas killed under clients that trade, then
// whether all copies are the same, those of the running replicas and the files of
// the stopped ones, each read on its own: nothing that runs can have a say in that.
//
// The first to be killed is the leader, so that every evaluation has one; each
// further one is drawn from all replicas, whoever leads.

import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../../lab/cluster.ts";
import { type FailOverOptions, failOver, struckCluster } from "../../../lab/fail-over.ts";
import { BazaarClient } from "../../client/index.ts";
import { auditInWorker } from "../../io/journal/audit.ts";
import { orderFile } from "../../io/journal/data-directory.ts";
import { lastPositionIn } from "../../io/journal/journal.ts";
import type { FailOver, ReplicaFile } from "./results.ts";

/** Between two trades of a client, milliseconds: so many orders that all can be asked for at the end. */
const THINK_MS = 10;

export interface EvaluateFailOverOptions
  extends Pick<FailOverOptions, "names" | "clients" | "random" | "now" | "onProgress"> {
  /** Opened without restarts; stopped in the end. */
  readonly cluster: Cluster;
  readonly kills: number;
}

export async function evaluateFailOver({
  cluster,
  kills,
  ...common
}: EvaluateFailOverOptions): Promise<FailOver> {
  let repeated = 0;
  const counting = countingFetch(fetch, () => {
    repeated += 1;
  });
  const {
    blows,
    requests: calls,
    trades: _,
    problems: __,
    ...seen
  } = await failOver({
    ...common,
    struck: struckCluster(cluster),
    strikes: killing(kills),
    bazaars: [new BazaarClient({ url: cluster.url, fetch: counting })],
    think: () => pause(THINK_MS),
  });
  const verdict = await cluster.verify();
  await cluster.halt();
  const files = cluster.replicas.map((id) =>
    readReplicaFile(cluster.data, `order-${id}`, verdict.position),
  );
  return {
    ...{ ...seen, clients: common.clients, calls, repeated, verdict },
    kills: blows.map(({ replica, led, atMs, gapMs, backMs }) => {
      return { replica, led, atMs, gapMs, backMs };
    }),
    files: await Promise.all(files),
  };
}

/** The leader first, then any. */
export function killing(kills: number): FailOverOptions["strikes"] {
  return Array.from({ length: kills }, (_, nth) => {
    return { how: "kill", whom: nth === 0 ? "leader" : "any" };
  });
}

/** `fetch` that counts the attempts which the client library will repeat, or give up. */
export function countingFetch(inner: typeof fetch, onRepeatable: () => void): typeof fetch {
  return async (input, init) => {
    try {
      const response = await inner(input, init);
      if (response.status >= 500 || response.status === 429) onRepeatable();
      return response;
    } catch (error) {
      onRepeatable();
      throw error;
    }
  };
}

/** What the file of `role` in `data` holds at `position`. Rejects with a DataFileError for one that can't be read. */
export async function readReplicaFile(
  data: string,
  role: string,
  position: number,
): Promise<ReplicaFile> {
  const path = orderFile(data, role);
  const audit = await auditInWorker({ path, position, stocksAt: [position] });
  const { journalDigest, ordersDigest, requestsDigest, problems } = audit;
  const [stocksDigest = ""] = audit.stocksDigests;
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes);
  return {
    role,
    bytes: statSync(path).size,
    fileDigest: hash.digest("hex"),
    journalDigest,
    ordersDigest,
    stocksDigest,
    requestsDigest,
    last: lastPositionIn(path),
    problems,
  };
}
