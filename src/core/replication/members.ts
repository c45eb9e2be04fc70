// Which cluster something belongs to, and the one comparison of it: of a file
// with a configuration, and of two processes that open a connection.
//
// A majority is one only of a set that everybody agrees on. A replica that took
// itself for the whole cluster would acknowledge alone what the others never
// hear of. So the members are named by the journal's first entry and by every
// file, and whoever is configured with another set is refused: it isn't started,
// connected to, voted for or followed.

import type { ReplicaId } from "./types.ts";

/** The cluster that a file or a process belongs to. */
export interface Cluster {
  /** Its random name; null in a process that keeps no file, until the first peer has told it. */
  name: string | null;
  /** The ids of all its replicas, fixed when it was made. */
  readonly members: readonly ReplicaId[];
}

/** The cluster of a file, which always knows the name. */
export type FileCluster = Cluster & { readonly name: string };

/** A process that everybody refuses, since it is configured with other replicas, or is of another cluster. */
export class OtherCluster extends Error {
  override readonly name = "OtherCluster";
}

/** Whether these are the same replicas, in whatever order. */
export function areSameMembers(some: readonly ReplicaId[], others: readonly ReplicaId[]): boolean {
  return some.length === others.length && some.every((id) => others.includes(id));
}

/** The members as `--replicas` takes them: ascending, with commas between. */
export function membersText(members: readonly ReplicaId[]): string {
  return members.toSorted((a, b) => a - b).join(",");
}

/**
 * Why a process that is configured with the replicas `ours` may have nothing to do
 * with `what`, which has the members `theirs`, in one line for its operator; null
 * if they are the same.
 */
export function otherMembers(
  what: string,
  theirs: readonly ReplicaId[],
  ours: readonly ReplicaId[],
): string | null {
  if (areSameMembers(theirs, ours)) return null;
  const [has, given] = [membersText(theirs), membersText(ours)];
  return `${what} belongs to a cluster of the replicas ${has}, and this process is configured with ${given}: give it --replicas ${has}`;
}

/** The same of two clusters, of which one or the other may not know its name. */
export function otherCluster(what: string, theirs: Cluster, ours: Cluster): string | null {
  const other = otherMembers(what, theirs.members, ours.members);
  if (other !== null || theirs.name === null || ours.name === null) return other;
  if (theirs.name === ours.name) return null;
  return `${what} belongs to cluster ${theirs.name}, not to ${ours.name}: give the right --data directory`;
}
