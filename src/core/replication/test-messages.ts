// Messages, answers and the way to an epoch, short to write in tests. Rounds are 7.

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

/** 9094 has canvassed and prepared; the promises of the others are on the wire. */
export function prepared(cluster: Cluster): Cluster {
  cluster.step(9094, { kind: "lead" });
  cluster.deliver({ kind: "canvass" });
  cluster.deliver({ kind: "canvass-answer" });
  cluster.persist(9094);
  cluster.deliver({ kind: "prepare" });
  cluster.persist(9090, 9092);
  return cluster;
}
