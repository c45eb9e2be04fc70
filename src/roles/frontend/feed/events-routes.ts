// GET /events: server-sent events (WHATWG HTML, section 9.2). What they say is
// in client/event-messages.ts.

import type { FastifyInstance } from "fastify";
import { failure, send } from "../http/http-answer.ts";
import type { Feed } from "./events.ts";
import { RECONNECT_MS } from "./events-limits.ts";

const TOO_MANY = failure(503, "Too many readers of events. Ask again later");
const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // A proxy that gathers answers would keep the events to itself.
  "x-accel-buffering": "no",
} as const;

export function eventRoutes(
  app: FastifyInstance,
  feed: Pick<Feed, "watch" | "isOpen" | "close">,
): void {
  // Readers would keep the server from closing.
  app.addHook("preClose", async () => feed.close());

  app.get("/events", { exposeHeadRoute: false }, async (request, reply) => {
    if (!feed.isOpen) return send(reply, TOO_MANY);
    const lastId = request.headers["last-event-id"];
    reply.hijack();
    reply.raw.writeHead(200, HEADERS);
    reply.raw.write(`retry: ${RECONNECT_MS}\n\n`);
    const after = typeof lastId === "string" ? lastId : undefined;
    await feed.watch(reply.raw, after, request.grant);
  });
}
