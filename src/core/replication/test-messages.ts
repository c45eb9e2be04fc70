// Messages and answers of replicas, short to write in tests. Rounds are 7.

import type { Cluster } from "./test-support.ts";
import type { Entry, Message, ReplicaId } from "./types.ts";

export function append(
  epoch: number,
  [prevPosition, prevEpoch]: readonly [number, number],
  entries: readonly Entry[],
  commit = 0,
): Message {
  return { kind: "append", epoch, round: 7, prevPosition, prevEpoch, entries, commit };
}

export function ack(epoch: number, position: number): Message {
  return { kind: "ack", epoch, round: 7, position, goBackTo: null };
}

export function goBack(epoch: number, goBackTo: number): Message {
  return { kind: "ack", epoch, round: 7, position: 0, goBackTo };
}

export function fetch(epoch: number, prevPosition: number, prevEpoch: number): Message {
  return { kind: "fetch", epoch, prevPosition, prevEpoch };
}

/** What `id` answers once its disk is done; the wire is empty after. */
export function answers(cluster: Cluster, id: ReplicaId): Message[] {
  if (cluster.disk(id).underWay.length > 0) cluster.persist(id);
  const answered = cluster.sent({ from: id }).map(({ message }) => message);
  cluster.wire = [];
  return answered;
}
