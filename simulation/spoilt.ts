// Directions that carry some kinds of messages and not others: what each loses,
// and delays, for how long. A cut is noticed; this isn't, or not by both.

import type { Target } from "./faults.ts";
import { CONVERSATIONS, type MessageKind } from "./messages.ts";
import type { Random } from "./random.ts";

export type Spoilt = ReadonlyMap<MessageKind, Target>;

const LOST: Target = { loss: 1, late: 0, lateMs: 0 };

/** Of a conversation: some kinds all lost, some all late, some as they should be. */
export function drawSpoilt(random: Random, lateMs: number): Spoilt {
  const spoilt = new Map<MessageKind, Target>();
  for (const kind of new Set(CONVERSATIONS.flat())) {
    const draw = random.next();
    if (draw < 0.4) spoilt.set(kind, LOST);
    else if (draw < 0.7) spoilt.set(kind, { loss: 0, late: 1, lateMs });
  }
  return spoilt;
}

/** How a front end and its catalog come to misunderstand each other: what each loses, and when. */
export interface Misunderstanding {
  readonly asking: Spoilt;
  readonly askingMs: number;
  /** What goes wrong on the way back begins this much later. */
  readonly thenMs: number;
  readonly hearing: Spoilt;
  readonly hearingMs: number;
}

/** Leases aren't renewed, holds aren't heard, and answers may be late: for about a lease, each. */
export function drawMisunderstanding(random: Random): Misunderstanding {
  const draw = random.next();
  if (draw < 0.4) return drawUnheard(random, 0.7);
  return draw < 0.8 ? drawExpiring(random) : drawOutlived(random);
}

/** What the leader answers comes after it was asked again. */
export function drawLateAnswers(random: Random): Spoilt {
  return new Map([["asked", { loss: 0, late: 1, lateMs: random.pick([1_500, 2_500]) }]]);
}

/** Only answers come through, late in a share of cases. */
export function drawUnheard(random: Random, late: number): Misunderstanding {
  const hearing = new Map<MessageKind, Target>([
    ["hold", random.chance(0.8) ? LOST : { loss: 0, late: 1, lateMs: 900 }],
    ["looked", { loss: 0, late: random.chance(late) ? 1 : 0, lateMs: 450 }],
    ["leased", random.chance(0.8) ? LOST : { loss: 0, late: 1, lateMs: 400 }],
  ]);
  const hearingMs = random.between(300, 1_000);
  return { asking: new Map(), askingMs: 0, thenMs: 0, hearing, hearingMs };
}

/** All messages of these kinds. */
export function losing(...kinds: readonly MessageKind[]): Spoilt {
  return new Map(kinds.map((kind) => [kind, LOST]));
}

/** Answers outlive the lease under which they were asked for; all that is held is heard. */
function drawOutlived(random: Random): Misunderstanding {
  const thenMs = random.between(100, 450);
  return {
    asking: new Map([["lease", LOST]]),
    askingMs: random.between(540, 700),
    thenMs,
    hearing: new Map([["looked", { loss: 0, late: 1, lateMs: 680 }]]),
    hearingMs: random.between(500, 600) - thenMs,
  };
}

/** The lease runs out, and what was asked under it is answered under the next one. */
function drawExpiring(random: Random): Misunderstanding {
  return {
    asking: new Map([["lease", LOST]]),
    askingMs: random.between(420, 600),
    thenMs: random.between(200, 450),
    hearing: new Map([
      ["hold", LOST],
      ["looked", { loss: 0, late: 1, lateMs: 480 }],
    ]),
    hearingMs: random.between(300, 800),
  };
}
