// GET and POST /playground: whether who asks may play, and a command. There only
// when `bazaar up --playground` started this front end. Who may is in playground.ts.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { badRequest, failure, send, success } from "../http/http-answer.ts";
import { type Playground, refusedToPlay } from "./playground.ts";
import { playgroundCommandSchema } from "./playground-commands.ts";

/** A command is a few words. */
const COMMAND_BYTES_MAX = 1_024;
const NO_COMMAND = badRequest("This is no command of the playground");

export function playgroundRoutes(playground: Playground) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers(); // nothing that a form of another site could send
    app.addContentTypeParser(
      "application/json",
      { parseAs: "string", bodyLimit: COMMAND_BYTES_MAX },
      (_request, body, done) => done(null, body),
    );

    // Before a body is looked at.
    app.addHook("onRequest", async (request: FastifyRequest, reply: FastifyReply) => {
      reply.header("cache-control", "no-store");
      const { headers, raw } = request;
      const caller = { address: raw.socket.remoteAddress, headers };
      const refusal = refusedToPlay(caller, playground.tokenDigest);
      if (refusal !== null) return send(reply, failure(403, refusal));
    });

    app.get("/playground", (_request, reply) => send(reply, success("may play")));

    app.post("/playground", async (request, reply) => {
      const command = playgroundCommandSchema.safeParse(jsonOf(request.body));
      if (!command.success) return send(reply, NO_COMMAND);
      const result = await playground.ask(command.data);
      return send(reply, result.done ? success("done") : failure(409, result.why));
    });
  };
}

function jsonOf(body: unknown): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}
