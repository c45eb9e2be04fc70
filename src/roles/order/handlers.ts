// The calls that an order replica serves, each handed to the part that does it.

import type { Logger } from "pino";
import { replicationContract } from "../../io/log/envelope-schema.ts";
import type { QuorumLog } from "../../io/log/quorum-log.ts";
import type { Handlers, Peer } from "../../io/rpc/types.ts";
import { type OrderAudit, orderContract, type RoleStatus } from "../contract.ts";
import { logTraces } from "../trace.ts";
import type { ReplicaService } from "./replica-service.ts";

/** The order contract, with replication's own schema for its messages. */
export const servedContract = { ...orderContract, ...replicationContract } as const;

export interface OrderHandlersOptions {
  readonly name: string;
  readonly replica: number;
  readonly service: Pick<ReplicaService, "ask" | "health" | "follow" | "held" | "exposed">;
  readonly source: Pick<QuorumLog, "receive" | "lead" | "hasVote">;
  /** The tables durably hold the effects of the entries up to here. */
  readonly appliedPosition: () => number;
  readonly audit: (position: number, stocksAt: readonly number[]) => Promise<OrderAudit>;
  /** A front end stops. */
  readonly leaves: (peer: Peer) => void;
  readonly log: Logger;
}

export function orderHandlers(options: OrderHandlersOptions): Handlers<typeof servedContract> {
  const { service, source, replica, log } = options;
  return {
    message: (envelope) => source.receive(envelope),
    ask({ relayed, questions, traces }) {
      logTraces(log, traces);
      return service.ask(relayed, questions);
    },
    health: () => service.health(),
    nominate: async (_, peer) => {
      log.info({ by: peer.identity.name }, "Nominated as leader");
      const outcome = await source.lead();
      log.info({ outcome }, `Nomination ended: ${outcome.kind}`);
      return outcome;
    },
    notifyLeader: ({ leader }) => {
      if (leader === replica) {
        log.info("This process is the leader of the replicated order pool - Flag is True");
      } else {
        log.info("This process is a replica - Flag is False");
      }
      return {};
    },
    follow: (question, peer) => service.follow(peer, question),
    held: (answer, peer) => service.held(peer, answer),
    leaving: (_, peer) => options.leaves(peer),
    status: () => statusOf(options),
    audit: ({ position, stocksAt }) => options.audit(position, stocksAt),
  };
}

function statusOf({ name, service, source, appliedPosition }: OrderHandlersOptions): RoleStatus {
  const { leads, leader, epoch, lastPosition, commitPosition } = service.health();
  const { exposed } = service;
  return {
    role: name,
    pid: process.pid,
    up: true,
    leads,
    leader,
    vote: source.hasVote,
    epoch,
    last: lastPosition,
    commit: commitPosition,
    ...(exposed !== undefined && { exposed }),
    applied: appliedPosition(),
  };
}
