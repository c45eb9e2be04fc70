// The shape of a replication message on the wire. What doesn't have it is
// refused before the core sees it: the core asserts, and an assertion stops
// the process.

import { z } from "zod";
import { MEMBERS_MAX, MESSAGE_ENTRIES_MAX, WORDS_MAX } from "../../core/replication/limits.ts";
import type { Envelope } from "../../core/replication/types.ts";
import type { Contract } from "../rpc/types.ts";

const replica = z.int().min(1).max(65_535);
const incarnation = z.int().min(1);
const position = z.int().min(0);
const epoch = z.int().min(0);
const counter = z.int().min(0);

/** A line for people, or to be compared. */
const words = z.string().max(WORDS_MAX);

const body = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("members"), members: z.array(replica).min(1).max(MEMBERS_MAX) }),
  z.object({ kind: z.literal("reign"), leader: replica, state: words }),
  z.object({ kind: z.literal("admit"), replica, incarnation }),
  z.object({ kind: z.literal("command"), bytes: z.instanceof(Uint8Array) }),
]);

const entry = z.object({ position: z.int().min(1), epoch, at: z.number().min(0), body });

/** Entries follow the position they are said to follow, one by one. */
function consecutive(message: {
  readonly prevPosition: number;
  readonly entries: readonly { readonly position: number }[];
}): boolean {
  return message.entries.every(
    ({ position }, index) => position === message.prevPosition + 1 + index,
  );
}

const entries = z.array(entry).max(MESSAGE_ENTRIES_MAX);

const message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("canvass"), token: counter }),
  z.object({
    kind: z.literal("canvass-answer"),
    token: counter,
    willing: z.boolean(),
    epoch,
    leader: replica.nullable(),
  }),
  z.object({ kind: z.literal("prepare"), epoch }),
  z.object({ kind: z.literal("promise"), epoch, lastEpoch: epoch, lastPosition: position }),
  z.object({ kind: z.literal("refuse"), epoch }),
  z.object({ kind: z.literal("misfit"), epoch, position, reason: words }),
  z.object({ kind: z.literal("fetch"), epoch, prevPosition: position, prevEpoch: epoch }),
  z
    .object({
      kind: z.literal("fetched"),
      epoch,
      prevPosition: position,
      prevEpoch: epoch,
      goBackTo: position.nullable(),
      entries,
    })
    .refine(consecutive, "entries are not consecutive"),
  z
    .object({
      kind: z.literal("append"),
      epoch,
      round: counter,
      prevPosition: position,
      prevEpoch: epoch,
      entries,
      commit: position,
    })
    .refine(consecutive, "entries are not consecutive"),
  z.object({
    kind: z.literal("ack"),
    epoch,
    round: counter,
    position,
    goBackTo: position.nullable(),
  }),
]);

/** A replication message with who speaks. */
export const envelopeSchema: z.ZodType<Envelope> = z.object({
  from: replica,
  incarnation,
  message,
});

/** What replicas serve each other; a notification, since an answer is a message of its own. */
export const replicationContract = {
  message: { callers: ["order"], argument: envelopeSchema },
  /** Of a log over tables: a leader lives, or leads no more. */
  leads: {
    callers: ["order"],
    argument: z.object({
      from: replica,
      beat: z.object({ leads: z.boolean(), epoch, committed: position }),
    }),
  },
} as const satisfies Contract;
