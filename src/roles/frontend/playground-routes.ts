// GET and POST /playground: there only when `bazaar up --playground` started
// this front end. Who may ask is in playground.ts.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { badRequest, failure, send, success } from "./http-answer.ts";
import { type Caller, type Playground, refusedToCommand, refusedToRead } from "./playground.ts";
import { playgroundCommandSchema } from "./playground-commands.ts";

export const TOKEN_HEADER = "bazaar-playground";
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

    app.get("/playground", (request, reply) => {
      const refusal = refusedToRead(callerOf(request));
      if (refusal !== null) return send(reply, failure(403, refusal));
      reply.header("cache-control", "no-store");
      return send(reply, success({ token: playground.token }));
    });

    app.post("/playground", async (request, reply) => {
      const refusal = refusedToCommand(callerOf(request), playground.token);
      if (refusal !== null) return send(reply, failure(403, refusal));
      const command = playgroundCommandSchema.safeParse(jsonOf(request.body));
      if (!command.success) return send(reply, NO_COMMAND);
      const result = await playground.ask(command.data);
      return send(reply, result.done ? success("done") : failure(409, result.why));
    });
  };
}

function callerOf(request: FastifyRequest): Caller {
  const { host, origin } = request.headers;
  const token = request.headers[TOKEN_HEADER];
  return {
    address: request.raw.socket.remoteAddress,
    host,
    origin,
    token: typeof token === "string" ? token : undefined,
  };
}

function jsonOf(body: unknown): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}
