// The playground of `bazaar up --playground`: what the page may do to processes,
// and who may ask for it.
//
//   - Only from this machine, and not from another site's page.
//   - Only with the token of this run, which `up` prints to who started it, in
//     an address for the browser; nobody else gets it, this process included.
//
// Who hasn't the token sees all and plays nothing, and is told why. The front
// end itself can do nothing to any process: it passes what was asked to the `up`
// that started it, over the channel that every role has with it.
//
// GET and POST /playground: whether who asks may play, and a command. There only
// when `bazaar up --playground` started this front end.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { PlaygroundState } from "../../../client/event-messages.ts";
import { isLoopback } from "../../../io/host-names.ts";
import { bearerOf } from "./access.ts";
import { badRequest, failure, send, success } from "./http-answer.ts";
import { foreignTo } from "./origins.ts";
import {
  type PlaygroundCommand,
  type PlaygroundResult,
  playgroundCommandSchema,
} from "./playground-commands.ts";

/** The `up` that started this front end. */
export interface Playground {
  /** SHA-256 of the token of this run of `up`, 64 hex digits. */
  readonly tokenDigest: string;
  /** As `up` told last; null before it did. */
  readonly state: () => PlaygroundState | null;
  /** `key`: what was sent as Authorization: Bearer, for the load. Never rejects. */
  readonly ask: (command: PlaygroundCommand, key: string | null) => Promise<PlaygroundResult>;
}

/** What a request says of where it comes from. */
export interface Caller {
  /** The peer's address. */
  readonly address: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export const TOKEN_HEADER = "bazaar-playground";
/** Whatever --cors-origin says: that is for trades. */
const isForeign = foreignTo([]);

/** Null when it may play with the run whose token has this digest; else why not. */
export function refusedToPlay({ address, headers }: Caller, tokenDigest: string): string | null {
  if (!isLoopback(address)) return "Only the machine that the bazaar runs on may play";
  if (isForeign({ headers })) return "Another site's page may not play";
  const token = headers[TOKEN_HEADER];
  if (token === undefined) return "Only who opens the address that bazaar up printed may play";
  const digest = createHash("sha256").update(String(token)).digest();
  const known = Buffer.from(tokenDigest, "hex");
  // Takes the same time wherever they differ.
  if (known.length === digest.length && timingSafeEqual(known, digest)) return null;
  return "This address is of an earlier run: open the one that bazaar up printed";
}

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
      const result = await playground.ask(command.data, bearerOf(request.headers.authorization));
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
