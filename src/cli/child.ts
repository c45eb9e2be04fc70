// A role as a child process of `up`.
//
// The channel between them does three things. The child says when it serves, or
// that it can't start, and needn't be started again. The parent closes it to ask for a stop.
// And it closes by itself when the parent is gone, however it went: so a role
// never outlives its `up`, not even one that was killed with -9. With
// --playground, a front end passes on over it what its page asks for.
//
// Each child leads a process group of its own: Ctrl-C in a terminal then reaches
// `up` alone, which stops the roles in their order.

import { spawn } from "node:child_process";
import { z } from "zod";
import type { PlaygroundState } from "../client/event-messages.ts";
import {
  type PlaygroundCommand,
  type PlaygroundResult,
  playgroundCommandSchema,
} from "../roles/frontend/http/playground-commands.ts";
import { type Child, type ChildExit, HOPELESS } from "./supervisor.ts";

/** What a role tells the `up` that started it. */
export const childMessageSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  /** It ends now, and would end again. */
  z.object({
    kind: z.literal("cannot-start"),
    hopeless: z.enum(HOPELESS),
    reason: z.string(),
  }),
  /** A front end's page asks for something; the answer carries the same `id`. */
  z.object({
    kind: z.literal("playground"),
    id: z.int(),
    command: playgroundCommandSchema,
    /** The API key of who asks. */
    key: z.string().nullable(),
  }),
]);
export type ChildMessage = z.infer<typeof childMessageSchema>;

/** What `up --playground` tells a front end. */
export type ParentMessage =
  | { readonly kind: "played"; readonly id: number; readonly result: PlaygroundResult }
  | { readonly kind: "playground-state"; readonly state: PlaygroundState };

/** A child that can be told something, as long as it listens. */
export interface TalkingChild extends Child {
  tell(message: ParentMessage): void;
}

/** Of what a child writes to stderr, this much of the end is kept, characters. */
const LAST_WORDS_KEPT = 4_096;

export interface SpawnOptions {
  /** The Node.js to run it with. */
  readonly execPath: string;
  /** Options of Node.js itself. */
  readonly nodeArgs?: readonly string[];
  readonly script: string;
  readonly args: readonly string[];
  /** Of its environment, what differs from this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Carries out what its page asks for; without it, nothing is. */
  readonly play?: (command: PlaygroundCommand, key: string | null) => Promise<PlaygroundResult>;
}

export function spawnChild(options: SpawnOptions): TalkingChild {
  const child = spawn(
    options.execPath,
    [...(options.nodeArgs ?? []), options.script, ...options.args],
    {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: true,
      env: { ...process.env, ...options.env },
    },
  );
  let said = "";
  let cannotStart: Extract<ChildMessage, { kind: "cannot-start" }> | null = null;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-LAST_WORDS_KEPT);
  });
  const tell = (message: ParentMessage) => {
    if (child.connected) child.send(message, () => {}); // an error: it is gone, which is known
  };
  const ready = new Promise<void>((resolve) => {
    child.on("message", (raw) => {
      const message = childMessageSchema.safeParse(raw);
      if (!message.success) return;
      switch (message.data.kind) {
        case "ready":
          resolve();
          break;
        case "cannot-start":
          cannotStart = message.data;
          break;
        case "playground": {
          const { id, command, key } = message.data;
          void options.play?.(command, key).then((result) => tell({ kind: "played", id, result }));
        }
      }
    });
  });
  // Not the event `close`: it doesn't come when this side closed the channel first.
  const exited = new Promise<ChildExit>((resolve) => {
    let waitsFor = 3;
    const oneEnded = () => {
      waitsFor -= 1;
      if (waitsFor > 0) return;
      const { exitCode: code, signalCode: signal } = child;
      const lastWords = cannotStart?.reason ?? lastLine(said);
      resolve({ code, signal, lastWords, hopeless: cannotStart?.hopeless ?? null });
    };
    child.once("exit", oneEnded);
    // What it said and told may be read only after its end is known.
    child.stderr?.once("close", oneEnded);
    child.once("disconnect", oneEnded);
    child.on("error", (error) => {
      if (child.pid !== undefined) return; // A message that couldn't be sent is no end.
      resolve({ code: null, signal: null, lastWords: error.message, hopeless: null });
    });
  });
  return {
    pid: child.pid,
    ready,
    exited,
    stop: () => {
      if (child.connected) child.disconnect();
      // It closed the channel itself, or never had one.
      else if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    },
    kill: () => {
      child.kill("SIGKILL");
    },
    signal: (signal) => {
      child.kill(signal);
    },
    tell,
  };
}

/** The last line with something in it, without the program's name. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const last = lines.findLast((line) => line !== "") ?? "";
  return last.replace(/^bazaar: /, "");
}
