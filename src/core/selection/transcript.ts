// What a front end's log says about its choice of a leader: the reference program's lines,
// in the reference program's order (test output document, parts 2 and 3).
//
// The reference program asks the replicas one after the other, from the highest id down, and
// stops at the first that answers. Here all are asked at once; the lines still
// tell it in that order, once the leader is found.

import { LEADER_SILENCE_MS } from "./limits.ts";
import type { ReplicaView } from "./replica-view.ts";

/** How the leader was found. `replicas` from the highest id down. */
export function foundLines(
  replicas: readonly ReplicaView[],
  leader: number,
  awakeMs: number,
): string[] {
  const lines: string[] = [];
  for (const replica of replicas) {
    if (replica.id < leader) break;
    lines.push(`Calling ping (health check) service for ${replica.id} order`);
    if (replica.id === leader) lines.push(`Order service leader found - ${leader} order`);
    else if (isUp(replica, awakeMs)) lines.push(`${replica.id} order is up, but doesn't lead`);
    else lines.push(`Health check failed for ${replica.id} order`);
  }
  return lines;
}

/** One replica being told of the leader. */
export function notifyLines(replica: ReplicaView): string[] {
  const lines = [`Notifying ${replica.id} replica of order leader`];
  if (!replica.connected) {
    const why = replica.reached ? "service down" : "unreachable";
    lines.push(`Cannot reach ${replica.id} replica - ${why}`);
  }
  return lines;
}

/** The leader's connection closed, or its beats stopped. */
export function downLine(leader: number): string {
  return `${leader} leader of backend order service down`;
}

/** The leader says itself that it leads no more. */
export function deposedLine(leader: number): string {
  return `${leader} order leads no more`;
}

/** No leader for some time, and who could become one. */
export function searchingLine(replicas: readonly ReplicaView[], awakeMs: number): string {
  const states = replicas.map(
    (replica) => `${replica.id} ${isUp(replica, awakeMs) ? "up" : "down"}`,
  );
  return `No order service leader found yet - ${states.join(", ")}`;
}

/** Two replicas claim one epoch, which the protocol rules out; the one known first stays. */
export function disputedLine(epoch: number, known: number, other: number): string {
  return `Both ${known} and ${other} order claim to lead epoch ${epoch} - staying with ${known}`;
}

function isUp(replica: ReplicaView, awakeMs: number): boolean {
  return replica.health !== null && replica.silenceMs(awakeMs) < LEADER_SILENCE_MS;
}
