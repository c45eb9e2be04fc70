// Both ends of the playground on the command line: `up --playground`, which
// carries out what a page asks for, and the front end that passes it on.
//
// They speak over the channel that `up` has with each role anyway: no port, and
// so nothing that another program could reach.

import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import type { PlaygroundState } from "../client/event-messages.ts";
import type { ClusterConfig } from "../roles/config.ts";
import type { Playground } from "../roles/frontend/http/playground.ts";
import {
  LOAD_MAX,
  type PlaygroundCommand,
  type PlaygroundResult,
} from "../roles/frontend/http/playground-commands.ts";
import type { ParentMessage } from "./child.ts";
import type { PlaygroundLinks } from "./playground-links.ts";
import type { PlaygroundLoad } from "./playground-load.ts";
import type { Supervisor } from "./supervisor.ts";
import { UserError } from "./user-error.ts";

/**
 * Where a front end finds the SHA-256 of its run's token, 64 hex digits: enough to know the token
 * by, and of no use to who looks into a process's environment.
 */
export const DIGEST_VARIABLE = "BAZAAR_PLAYGROUND_DIGEST";
/** A paused front end goes on by itself: its page couldn't ask for it, milliseconds. */
export const FRONTEND_PAUSE_MS = 5_000;
/** `up` answers at once, or it is gone, milliseconds. */
const ANSWER_LIMIT_MS = 5_000;
const TOKEN_BYTES = 24;

/** Addresses that this machine reaches over its loopback interface, whoever reaches them besides. */
const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"]);

/** Throws UserError where this machine couldn't play: commands are taken from its loopback interface only. */
export function checkPlaygroundHosts(config: ClusterConfig): void {
  const shut = config.frontends.find(({ host }) => !LOOPBACK.has(host));
  if (shut) {
    throw new UserError(
      `--playground is played from this machine, and ${shut.name} listens on ${shut.host} alone: use --host 127.0.0.1, or 0.0.0.0 to let others look on`,
    );
  }
}

export interface PlaygroundHostOptions {
  readonly supervisor: Pick<Supervisor, "play" | "standings">;
  readonly links: Pick<PlaygroundLinks, "play" | "all" | "cut">;
  readonly load: Pick<PlaygroundLoad, "set" | "perSecond" | "seen">;
  /** Tells all front ends. */
  readonly tell: (state: PlaygroundState) => void;
  readonly frontends: readonly string[];
  readonly after: (ms: number, callback: () => void) => unknown;
}

/** The end in `up`. */
export class PlaygroundHost {
  /** Who has it may command: it is in the addresses that `up` prints, and nowhere else. */
  readonly #token = randomBytes(TOKEN_BYTES).toString("base64url");
  readonly #options: PlaygroundHostOptions;

  constructor(options: PlaygroundHostOptions) {
    this.#options = options;
  }

  /** What a front end needs of the token, in its environment. */
  get environment(): Readonly<Record<string, string>> {
    return { [DIGEST_VARIABLE]: createHash("sha256").update(this.#token).digest("hex") };
  }

  /** The address under which the page of the front end at `url` may play. A fragment isn't sent to any server. */
  urlOf(url: string): string {
    return `${url}/#playground=${this.#token}`;
  }

  /** Never rejects. */
  async play(command: PlaygroundCommand, key: string | null = null): Promise<PlaygroundResult> {
    const { supervisor, links, load, frontends, after } = this.#options;
    if (command.kind === "load") {
      load.set(command.perSecond, key);
      this.changed();
      return { done: true };
    }
    if (command.kind === "link") {
      const { action, between } = command;
      const isDone = links.play(action, between);
      this.changed();
      const [one, other] = between;
      if (isDone) return { done: true };
      return { done: false, why: `Nothing to ${action} between ${one} and ${other}` };
    }
    const { action, role } = command;
    if (!supervisor.play(action, role)) {
      return { done: false, why: `Nothing to ${action}: ${role} isn't there, or is so already` };
    }
    if (action === "pause" && frontends.includes(role)) {
      after(FRONTEND_PAUSE_MS, () => {
        if (supervisor.standings()[role] === "paused") supervisor.play("resume", role);
        this.changed();
      });
    }
    this.changed();
    return { done: true };
  }

  /** Something became of a process: every front end is told how they are. */
  changed(): void {
    const { supervisor, links, load, tell } = this.#options;
    tell({
      roles: supervisor.standings(),
      links: links.all,
      cut: links.cut,
      load: load.perSecond,
      loadSeen: load.seen,
      loadMax: LOAD_MAX,
    });
  }
}

const links = z.array(z.tuple([z.string(), z.string()]));

const parentMessageSchema: z.ZodType<ParentMessage> = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("played"),
    id: z.int(),
    result: z.discriminatedUnion("done", [
      z.object({ done: z.literal(true) }),
      z.object({ done: z.literal(false), why: z.string() }),
    ]),
  }),
  z.object({
    kind: z.literal("playground-state"),
    state: z.object({
      roles: z.record(z.string(), z.enum(["running", "paused", "down"])),
      links,
      cut: links,
      load: z.number(),
      loadSeen: z
        .object({
          sent: z.int(),
          answered: z.int(),
          skipped: z.int(),
          refused: z.string().nullable(),
        })
        .nullable(),
      loadMax: z.number(),
    }),
  }),
]);

/** The process's side of the channel to its `up`. */
export type Channel = Pick<NodeJS.Process, "connected" | "send" | "on">;

/** The end in a front end; undefined unless it was started by `up --playground`. */
export function playgroundOf(
  channel: Channel,
  environment: NodeJS.ProcessEnv,
): Playground | undefined {
  const tokenDigest = environment[DIGEST_VARIABLE];
  if (!tokenDigest || !channel.connected) return undefined;
  const waiting = new Map<number, (result: PlaygroundResult) => void>();
  let state: PlaygroundState | null = null;
  let lastId = 0;
  channel.on("message", (raw: unknown) => {
    const message = parentMessageSchema.safeParse(raw);
    if (!message.success) return;
    if (message.data.kind === "playground-state") state = message.data.state;
    else waiting.get(message.data.id)?.(message.data.result);
  });
  return {
    tokenDigest,
    state: () => state,
    ask: (command, key) =>
      new Promise((resolve) => {
        const id = ++lastId;
        const settle = (result: PlaygroundResult) => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(result);
        };
        const timer = setTimeout(
          () => settle({ done: false, why: "bazaar up doesn't answer" }),
          ANSWER_LIMIT_MS,
        );
        waiting.set(id, settle);
        channel.send?.({ kind: "playground", id, command, key }, () => {});
      }),
  };
}
