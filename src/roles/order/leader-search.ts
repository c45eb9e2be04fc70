// Looks for a leader when a replica starts: asks every other replica once.
//
// A replica that can't be reached now isn't waited for, since it can't lead us
// now; what is replicated is found anyway, whenever a leader makes contact. So
// on a machine where all start together this takes milliseconds.

import type { Logger } from "pino";
import { connect } from "../../io/rpc/connect.ts";
import type { Identity, Link } from "../../io/rpc/types.ts";
import type { ClusterConfig } from "../config.ts";
import { orderContract } from "../contract.ts";
import { STARTUP_LEADER_WAIT_MS } from "./limits.ts";

/** A leader as it described itself. */
export interface FoundLeader {
  readonly replica: number;
  readonly commitPosition: number;
}

export interface LeaderSearch {
  readonly others: ClusterConfig["replicas"];
  readonly identity: Identity;
  readonly secret: string;
  readonly log: Logger;
}

/** The leader if one of the others leads; null if none does, or none says so in time. Never rejects. */
export async function searchLeader(search: LeaderSearch): Promise<FoundLeader | null> {
  const links: Link[] = [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), STARTUP_LEADER_WAIT_MS);
  });
  const asked = search.others.map((other) => askOnce(search, other, links));
  const found = new Promise<FoundLeader>((resolve) => {
    for (const each of asked) each.then((leader) => leader && resolve(leader));
  });
  try {
    return await Promise.race([found, late, Promise.all(asked).then(first)]);
  } finally {
    clearTimeout(timer);
    for (const link of links) link.close();
  }
}

function first(answers: readonly (FoundLeader | null)[]): FoundLeader | null {
  return answers.find((answer) => answer !== null) ?? null;
}

function askOnce(
  { identity, secret, log }: LeaderSearch,
  { id, host, port }: LeaderSearch["others"][number],
  links: Link[],
): Promise<FoundLeader | null> {
  return new Promise((resolve) => {
    // That another replica isn't up is nothing to report here: the log's own connection to it does.
    const quiet = log.child({}, { level: "silent" });
    const link = connect({
      host,
      port,
      secret,
      identity,
      contract: {},
      handlers: {},
      log: quiet,
      onOpen: (peer) => {
        peer
          .calls(orderContract, { timeoutMs: STARTUP_LEADER_WAIT_MS })
          .health({})
          .then(
            ({ leads, commitPosition }) => resolve(leads ? { replica: id, commitPosition } : null),
            () => resolve(null),
          );
      },
      onUnreachable: () => resolve(null),
    });
    links.push(link);
  });
}
