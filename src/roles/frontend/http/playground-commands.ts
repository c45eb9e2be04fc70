// What the page may ask of the playground, and what it is answered: shapes only,
// for the page, the front end and `up` alike.

import { z } from "zod";

/** Requests a second that the built-in client makes at most. */
export const LOAD_MAX = 2_000;

export const playgroundCommandSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("process"),
    /** `kill` is kill -9: it stays down until `start`; `pause` is SIGSTOP, `resume` SIGCONT. */
    action: z.enum(["kill", "pause", "resume", "start"]),
    role: z.string().max(64),
  }),
  z.strictObject({
    kind: z.literal("link"),
    /** Everything between these two processes is cut, both ways, or carried again. */
    action: z.enum(["cut", "mend"]),
    between: z.tuple([z.string().max(64), z.string().max(64)]).readonly(),
  }),
  z.strictObject({ kind: z.literal("load"), perSecond: z.int().min(0).max(LOAD_MAX) }),
]);
export type PlaygroundCommand = z.infer<typeof playgroundCommandSchema>;

/** What became of a command. */
export type PlaygroundResult =
  | { readonly done: true }
  | { readonly done: false; readonly why: string };
