// What is asked about the service itself: who leads, is it up, is it ready.

import type { FastifyInstance } from "fastify";
import type { Orders } from "../orders/orders.ts";
import { api, described } from "./api-schemas.ts";
import { NO_LEADER, STOPPING, send, success } from "./http-answer.ts";
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
