// The steps of the protocol as a process sees them: the messages that it sends and
// gets, for who wants to watch them in slow motion.
//
//   P1. While nobody asks, nothing is recorded: a message costs one look at a
//       null. It begins with the first question, and ends by itself soon after
//       the last one.
//   P2. What is kept is bounded; who asks too seldom is told how many are gone.
//   P3. What a step says is positions, epochs, stocks and numbers of orders:
//       no key, no secret, and nothing of who the clients are.
//
// Recorded is what passes at the connections, not what the roles believe of
// themselves: so nothing in them has to know of it, and the simulation records
// at its network in the same words.

import { z } from "zod";
import {
  ENTRIES_TOLD_MAX,
  type Said,
  saidByAnswer,
  saidByCall,
  WORD_LETTERS_MAX,
  WORDS_TOLD_MAX,
} from "../core/service/said.ts";
import type { Passed, Tap } from "../io/rpc/types.ts";

/** Recording ends so long after the last question, milliseconds. */
const WATCHED_MS = 3_000;
/** Steps that a process keeps: some seconds of a bazaar at work. */
const STEPS_KEPT_MAX = 4_000;
/** Steps in one answer. */
export const STEPS_PER_ANSWER_MAX = 1_000;
/** Calls whose answers are still waited for. */
const CALLS_KEPT_MAX = 1_000;

const position = z.int().min(0);

/** As {@link Said}. */
export const saidSchema: z.ZodType<Said> = z.object({
  what: z.string().max(64),
  epoch: position.optional(),
  first: position.optional(),
  epochs: z.array(position).max(ENTRIES_TOLD_MAX).optional(),
  through: position.optional(),
  commit: position.optional(),
  exposed: position.optional(),
  words: z.array(z.string().max(WORD_LETTERS_MAX)).max(WORDS_TOLD_MAX).optional(),
  orders: z.array(position).max(WORDS_TOLD_MAX).optional(),
});

export const stepSchema = z.object({
  /** Milliseconds since 1970, with fractions, by the clock of who recorded it. */
  at: z.number(),
  /** Who recorded it, and who is at the other end. */
  role: z.string().max(64),
  peer: z.string().max(64),
  kind: z.enum(["sent", "received"]),
  /** The same at both ends of one message, different for all others of this direction. */
  id: z.string().max(160),
  /** The same for a question and its answer. */
  call: z.string().max(64).optional(),
  said: saidSchema,
});
export type Step = z.infer<typeof stepSchema>;

/** The answer to a question for steps after the `next` of an earlier one. */
export const stepsSchema = z.object({
  steps: z.array(stepSchema).max(STEPS_PER_ANSWER_MAX),
  next: z.int().min(0),
  /** Steps since `after` that are gone. */
  missed: z.int().min(0),
});
export type Steps = z.infer<typeof stepsSchema>;

/** Messages that say nothing of trades and leaders, or what others say, too. */
const LEFT_OUT = new Set(["beat", "health", "status", "steps", "audit", "leaving", "notifyLeader"]);

/** Records what passes at the connections of this process. */
export class StepRecorder {
  readonly tap: Tap = { sent: { messages: 0, frames: 0 }, watch: null };
  readonly #role: string;
  #steps: Step[] = [];
  /** Of the step that is next recorded; 0 is of the first. */
  #next = 0;
  /** What was called, by the id of the call, until it is answered. */
  readonly #calls = new Map<string, string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(role: string) {
    this.#role = role;
  }

  /** Steps after `after`, 0 for all; records from now on, and for a while. P1 */
  ask(after: number): Steps {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), WATCHED_MS).unref();
    this.tap.watch ??= (passed) => this.#passed(passed);
    const first = this.#next - this.#steps.length;
    // A number from before this process was started begins anew.
    const from = after > this.#next ? first : Math.max(first, after);
    const next = Math.min(this.#next, from + STEPS_PER_ANSWER_MAX);
    const missed = after > this.#next || after === 0 ? 0 : from - after;
    return { steps: this.#steps.slice(from - first, next - first), next, missed };
  }

  /** Ends recording, and forgets. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.tap.watch = null;
    this.#steps = [];
    this.#calls.clear();
  }

  #passed({ kind, peer, link, nth, message }: Passed): void {
    const said = told(() => (message.t === "q" ? this.#asked(message) : this.#answered(message)));
    if (said === null) return;
    this.#steps.push({
      at: performance.timeOrigin + performance.now(),
      role: this.#role,
      peer,
      kind,
      id: `${link}:${nth}`,
      ...(message.i !== undefined && { call: message.i }),
      said,
    });
    this.#next += 1;
    if (this.#steps.length > STEPS_KEPT_MAX) this.#steps.shift(); // P2
  }

  #asked({ m: name, a: [argument], i: call }: Extract<Passed["message"], { t: "q" }>): Said | null {
    if (LEFT_OUT.has(name) || isOfKeys(argument)) return null; // P3
    if (call !== undefined && this.#calls.size < CALLS_KEPT_MAX) this.#calls.set(call, name);
    return saidByCall(name, argument);
  }

  #answered({ i: call, r: result }: Extract<Passed["message"], { t: "s" }>): Said | null {
    const name = this.#calls.get(call);
    this.#calls.delete(call);
    return name === undefined ? null : saidByAnswer(name, result);
  }
}

/** Whether nothing but API keys is asked for, as a front end does all the time. */
function isOfKeys(argument: unknown): boolean {
  const { questions } = (argument ?? {}) as { questions?: readonly { kind?: unknown }[] };
  return Array.isArray(questions) && questions.every(({ kind }) => kind === "keys");
}

/** What comes in isn't checked yet: what can't be told is no step, and throws through nobody. */
function told(say: () => Said | null): Said | null {
  try {
    const said = saidSchema.safeParse(say());
    return said.success ? said.data : null;
  } catch {
    return null;
  }
}
