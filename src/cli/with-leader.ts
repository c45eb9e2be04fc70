// A command's time with the order leader: connections opened for it, and closed.

import { readSecret } from "../io/rpc/secret.ts";
import { type ClusterConfig, membersOf } from "../roles/config.ts";
import { AskLeader, askOver } from "./ask-leader.ts";
import { Peers } from "./peers.ts";

/** Does `work` with the order leader of the configuration at hand, then closes what that opened. */
export async function withLeader<T>(
  config: ClusterConfig,
  work: (leader: AskLeader) => Promise<T>,
): Promise<T> {
  const peers = new Peers(readSecret(config.data), membersOf(config));
  try {
    return await work(new AskLeader({ replicas: config.replicas, ask: askOver(peers) }));
  } finally {
    peers.close();
  }
}
