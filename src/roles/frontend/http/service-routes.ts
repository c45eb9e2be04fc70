// What is asked about the service itself: who leads, is it up, is it ready; and
// POST /verify, `bazaar verify` for who has no command line, as the page.
//
// All replicas read their whole journals for that, so only this machine may ask; it
// is done once for all who ask meanwhile, and what it found is told again for a
// while, the longer the longer it took: readers of the files that follow each
// other without a gap would keep the write-ahead logs from ever being emptied.

import type { FastifyInstance } from "fastify";
import { isLoopback } from "../../../io/host-names.ts";
import type { Verdict } from "../../verification.ts";
import { VERDICT_KEPT_MS, VERDICT_KEPT_TIMES } from "../limits.ts";
import type { Orders } from "../orders/order-service.ts";
import { api, described } from "./api-schemas.ts";
import { failure, NO_LEADER, STOPPING, send, success } from "./http-answer.ts";
import { FOREIGN_PAGE, type IsForeign } from "./origins.ts";
import type { RequestGate } from "./request-gate.ts";

export function serviceRoutes(
  app: FastifyInstance,
  orders: Pick<Orders, "leader" | "health">,
  gate: Pick<RequestGate, "isStopping">,
): void {
  app.get("/get_order_leader", described(api.leader), (_request, reply) => {
    const leader = orders.leader();
    return send(reply, leader === null ? NO_LEADER : success({ order_leader: leader }));
  });

  // The process is up.
  app.get("/healthz", described(api.health), (_request, reply) => send(reply, success("up")));

  // A trade could be answered now, and more may come.
  app.get("/readyz", described(api.readiness), (_request, reply) => {
    if (gate.isStopping) return send(reply, STOPPING);
    return send(reply, orders.health().ready ? success("ready") : NO_LEADER);
  });
}

const FROM_ELSEWHERE = failure(
  403,
  "Only the machine that this front end runs on may ask for it: it costs the replicas much",
);

/** What was found, and how it compares with what this front end told its clients. */
export interface Verified extends Verdict {
  /** When, milliseconds since 1970. */
  readonly at: number;
  /** Orders that this front end answered before, and that aren't there; null when nothing could be compared. */
  readonly lost: number | null;
  /** Trades that got no answer in time from this front end, since it started. */
  readonly failed: number;
}

export interface VerifyOptions {
  readonly verify: () => Promise<Verdict>;
  /** What this front end told so far. */
  readonly told: () => { readonly lastOrder: number; readonly failed: number };
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

export function verifyRoute(
  app: FastifyInstance,
  options: VerifyOptions,
  isForeign: IsForeign,
): void {
  let newest: { readonly result: Promise<Verified>; readonly untilMs: number } | null = null;
  app.post("/verify", described(api.verify), async (request, reply) => {
    if (isForeign(request.raw)) return send(reply, FOREIGN_PAGE);
    if (!isLoopback(request.raw.socket.remoteAddress)) return send(reply, FROM_ELSEWHERE);
    if (newest === null || options.nowMs() >= newest.untilMs) {
      const result = verified(options);
      newest = { result, untilMs: Number.POSITIVE_INFINITY };
      const beganMs = options.nowMs();
      const ended = () => {
        const endedMs = options.nowMs();
        const keptMs = Math.max(VERDICT_KEPT_MS, VERDICT_KEPT_TIMES * (endedMs - beganMs));
        newest = { result, untilMs: endedMs + keptMs };
      };
      result.then(ended, ended);
    }
    return send(reply, success(await newest.result));
  });
}

async function verified({ verify, told, wallMs }: VerifyOptions): Promise<Verified> {
  const { lastOrder } = told(); // before the replicas are asked: what comes meanwhile may not be counted
  const verdict = await verify();
  const lost = verdict.position === 0 ? null : Math.max(0, lastOrder - verdict.orders);
  return { ...verdict, at: wallMs(), lost, failed: told().failed };
}
