// The calls that an order replica serves, each handed to the part that does it.

import type { Logger } from "pino";
import type { ReplicaDesk } from "../../core/service/replica-desk.ts";
import { replicationContract } from "../../io/log/envelope-schema.ts";
import type { ReplicaLog } from "../../io/log/links.ts";
import type { Handlers, Peer } from "../../io/rpc/types.ts";
import { type OrderAudit, orderContract, type RoleStatus } from "../contract.ts";
import type { Steps } from "../steps.ts";
import { logTraces } from "../trace.ts";

/** The order contract, with replication's own schema for its messages. */
export const servedContract = { ...orderContract, ...replicationContract } as const;

export interface OrderHandlersOptions {
  readonly name: string;
  readonly replica: number;
  readonly desk: Pick<
    ReplicaDesk<Peer>,
    "ask" | "nominate" | "health" | "follow" | "held" | "exposed"
  >;
  readonly replicated: Pick<ReplicaLog, "handlers" | "status">;
  /** The tables durably hold the effects of the entries up to here. */
  readonly appliedPosition: () => number;
  readonly audit: (position: number, stocksAt: readonly number[]) => Promise<OrderAudit>;
  /** A front end stops. */
  readonly leaves: (peer: Peer) => void;
  readonly steps: (after: number) => Steps;
  readonly log: Logger;
}

export function orderHandlers(options: OrderHandlersOptions): Handlers<typeof servedContract> {
  const { desk, replicated, replica, log } = options;
  return {
    message(envelope, peer) {
      expectSpeaker(envelope.from, peer);
      return replicated.handlers.message(envelope, peer);
    },
    leads(heard, peer) {
      expectSpeaker(heard.from, peer);
      return replicated.handlers.leads(heard, peer);
    },
    ask({ relayed, questions, traces }) {
      logTraces(log, traces);
      return new Promise((settle) => desk.ask(relayed, questions, settle));
    },
    health: () => desk.health(),
    nominate(_, peer) {
      log.info({ by: peer.identity.name }, "Nominated as leader");
      return new Promise((settle) =>
        desk.nominate((outcome) => {
          log.info({ outcome }, `Nomination ended: ${outcome.kind}`);
          settle(outcome);
        }),
      );
    },
    notifyLeader: ({ leader }) => {
      if (leader === replica) {
        log.info("This process is the leader of the replicated order pool - Flag is True");
      } else {
        log.info("This process is a replica - Flag is False");
      }
      return {};
    },
    follow: (question, peer) => desk.follow(peer, question),
    held: (answer, peer) => desk.held(peer, answer),
    leaving: (_, peer) => options.leaves(peer),
    status: () => statusOf(options),
    steps: ({ after }) => options.steps(after),
    audit: ({ position, stocksAt }) => options.audit(position, stocksAt),
  };
}

/** A replica speaks for itself alone; which one it is, its connection has proven. */
function expectSpeaker(from: number, { identity }: Peer): void {
  if (identity.name === `order-${from}`) return;
  throw new Error(`${identity.name} spoke as replica ${from}`);
}

function statusOf({ name, desk, replicated, appliedPosition }: OrderHandlersOptions): RoleStatus {
  const { leads, leader, epoch, lastPosition, commitPosition } = desk.health();
  const { exposed } = desk;
  return {
    role: name,
    pid: process.pid,
    up: true,
    leads,
    leader,
    vote: replicated.status().voter,
    epoch,
    last: lastPosition,
    commit: commitPosition,
    ...(exposed !== undefined && { exposed }),
    applied: appliedPosition(),
  };
}
