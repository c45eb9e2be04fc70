// Which faults a run has, and how often. Swarm testing (Groce et al., ISSTA
// 2012): each run draws its own mix, since faults that are always on hide the
// bugs that need a quiet stretch.

import { CONVERSATIONS, type MessageKind } from "./messages.ts";
import type { Random } from "./random.ts";

/** What befalls messages of one kind: shares of them, and up to how many milliseconds. */
export interface Target {
  readonly loss: number;
  readonly late: number;
  readonly lateMs: number;
}

/**
 * What a replica has just done when it is struck. `reign`: it wrote or sent the
 * first entry of an epoch that it has won; `lead`: later ones; `fetch`: as a
 * nominee it asked for what it lacks.
 */
const STRIKES = [
  "prepare",
  "promise",
  "fetch",
  "reign",
  "lead",
  "ack",
  "committed",
  "leading",
] as const;
export type StrikeOn = (typeof STRIKES)[number];

/** Replicas are struck right after one of these deeds, at most every `truceMs`. */
interface Strike {
  readonly on: ReadonlySet<StrikeOn>;
  readonly chance: number;
  readonly truceMs: number;
  /** How many are killed rather than cut off; for how long, about. */
  readonly kills: number;
  readonly downMs: number;
}

/** Connections between two living processes break. */
interface Resets {
  readonly resetPerSecond: number;
}

/** Connections fall silent though nobody closes them, in few runs, in which processes watch for that. */
interface Mutes {
  readonly mutePerSecond: number;
}

/** Catalogs are led astray, in few runs: see astray.ts. */
interface Astrays {
  readonly astrayPerSecond: number;
}

/** A replica's tables lose something, in few runs: see lies.ts. */
interface Lies {
  readonly liePerSecond: number;
}

/** Processes are started with other replicas, in few runs: see misconfigured.ts. */
interface Misconfigurations {
  readonly misconfiguredPerSecond: number;
}

/** What is drawn from streams of its own. */
export type Extras = Resets & Mutes & Astrays & Lies & Misconfigurations;

/** Per message, per second and per write: see the names. Zero means off. */
export interface FaultMix extends Extras {
  readonly lossPerMessage: number;
  /** Also clients' questions to replicas, and their answers. */
  readonly losesCalls: boolean;
  readonly duplicatePerMessage: number;
  readonly reorder: boolean;
  /** Kinds of messages of one conversation that are lost or late, out of order, on top of the others. */
  readonly targets: ReadonlyMap<MessageKind, Target>;
  /** What a cut meets arrives when it is mended. */
  readonly keepsThroughCuts: boolean;
  /** Typical one-way delay, milliseconds. */
  readonly delayMs: number;
  readonly spikePerMessage: number;
  readonly crashPerSecond: number;
  readonly crashAllPerSecond: number;
  /** Right after it did this, a replica crashes or is cut off, with this probability. */
  readonly strike: Strike | null;
  readonly pausePerSecond: number;
  readonly partitionPerSecond: number;
  readonly pairCutPerSecond: number;
  readonly oneWayPerSecond: number;
  readonly wipePerSecond: number;
  /** A disk is lost while a leader sleeps that was replaced, and the replacement meets only that one. */
  readonly staleAdmissionPerSecond: number;
  readonly strayNominationPerSecond: number;
  /** While nobody leads: several replicas nominated in the same moment. */
  readonly rivalsPerSecond: number;
  /** A replica that fell behind is nominated when the leader crashes, and is left alone as it fetches. */
  readonly stragglerPerSecond: number;
  /** A direction becomes slow for a while, as through a full buffer: messages come, but late. */
  readonly slowLinkPerSecond: number;
  /** A direction carries some kinds of messages, loses others and delays a third sort, for a while. */
  readonly spoilPerSecond: number;
  /** A front end and a catalog lose each other's leases and holds for about a lease, and answers are late. */
  readonly misunderstandingPerSecond: number;
  /** A front end turns to a catalog that is behind. */
  readonly laggardPerSecond: number;
  /** The leader, paused, alone with some of its catalogs and front ends. */
  readonly isolationPerSecond: number;
  /** All others lose the leader, and it doesn't know, nor does who is cut off with it. */
  readonly desertionPerSecond: number;
  /** A catalog with some front ends, cut off from all others. */
  readonly islandPerSecond: number;
  /** A front end loses its catalog without a word, and the catalog restarts. */
  readonly orphaningPerSecond: number;
  readonly switchGrantorPerSecond: number;
  /** How long the store of copies takes, one way, milliseconds. */
  readonly storeMs: number;
  readonly storeOutagePerSecond: number;
  readonly writeMs: number;
  readonly slowWrite: number;
  /** A process's clock runs faster or slower by at most this share. */
  readonly clockDrift: number;
  /** By role: whether all clocks run faster by that much, or slower; null: each as it likes. */
  readonly clockSides: Readonly<Record<string, 1 | -1>> | null;
}

/** In a narrow setting more often one subtle fault and little else. */
export function drawFaults(random: Random, isNarrow: boolean): Omit<FaultMix, keyof Extras> {
  const mix = drawMix(random);
  if (!random.chance(isNarrow ? 0.6 : 0.3)) return mix;
  return random.chance(0.5) ? { ...mix, ...mostly(random) } : { ...mix, ...alone(random) };
}

/** What needs a quiet world around it to be seen. */
const SUBTLE = [
  "spoilPerSecond",
  "misunderstandingPerSecond",
  "laggardPerSecond",
  "isolationPerSecond",
  "desertionPerSecond",
  "desertionPerSecond",
  "islandPerSecond",
  "slowLinkPerSecond",
  "stragglerPerSecond",
  "stragglerPerSecond",
  "misunderstandingPerSecond",
] as const;

const ALONE = [
  ...SUBTLE,
  "desertionPerSecond",
  "crashPerSecond",
  "targets",
  "lossPerMessage",
] as const;

/** One subtle fault again and again, and little else. */
function mostly(random: Random): Partial<FaultMix> {
  const none = { partitionPerSecond: 0, pairCutPerSecond: 0, oneWayPerSecond: 0, wipePerSecond: 0 };
  const few = { crashPerSecond: random.pick([0, 0, 0.5, 1.5]), pausePerSecond: 0, strike: null };
  return { ...none, ...few, lossPerMessage: 0, [random.pick(SUBTLE)]: random.between(1, 5) };
}

/** One fault now and then, and nothing else: between two of them much gets done. */
function alone(random: Random): Partial<FaultMix> {
  const quiet = { ...WITHOUT_BLOWS, ...WITHOUT_NOMINATIONS, slowWrite: 0, storeOutagePerSecond: 0 };
  const fault = random.pick(ALONE);
  if (fault === "targets") return { ...quiet, targets: drawTargets(random) };
  if (fault === "lossPerMessage") return { ...quiet, lossPerMessage: random.between(0.001, 0.02) };
  return { ...quiet, [fault]: random.between(0.5, 2) };
}

export function drawResets(random: Random): Resets {
  return { resetPerSecond: random.chance(0.3) ? random.between(0.2, 3) : 0 };
}

export function drawMutes(random: Random): Mutes {
  return { mutePerSecond: random.chance(0.03) ? random.between(0.2, 2) : 0 };
}

export function drawMisconfigurations(random: Random): Misconfigurations {
  return { misconfiguredPerSecond: random.chance(0.04) ? random.between(0.3, 2) : 0 };
}

function drawMix(random: Random): Omit<FaultMix, keyof Extras> {
  const maybe = (probability: number, value: () => number): number =>
    random.chance(probability) ? value() : 0;
  return {
    lossPerMessage: maybe(0.4, () => 10 ** random.between(-3, -1)),
    losesCalls: random.chance(0.3),
    duplicatePerMessage: maybe(0.4, () => random.between(0.001, 0.1)),
    reorder: random.chance(0.3),
    targets: random.chance(0.6) ? drawTargets(random) : new Map(),
    keepsThroughCuts: random.chance(0.4),
    delayMs: random.pick([0.05, 0.2, 1, 5]),
    spikePerMessage: maybe(0.4, () => random.between(0.0005, 0.01)),
    crashPerSecond: maybe(0.6, () => random.between(0.05, 0.8)),
    crashAllPerSecond: maybe(0.15, () => random.between(0.02, 0.1)),
    strike: random.chance(0.4) ? drawStrike(random) : null,
    pausePerSecond: maybe(0.5, () => random.between(0.05, 0.6)),
    partitionPerSecond: maybe(0.4, () => random.between(0.05, 0.5)),
    pairCutPerSecond: maybe(0.4, () => random.between(0.1, 1)),
    oneWayPerSecond: maybe(0.4, () => random.between(0.05, 0.5)),
    wipePerSecond: maybe(0.25, () => random.between(0.02, 0.15)),
    staleAdmissionPerSecond: maybe(0.15, () => random.between(0.1, 0.4)),
    strayNominationPerSecond: maybe(0.4, () => random.between(0.1, 3)),
    rivalsPerSecond: maybe(0.4, () => random.between(3, 60)),
    stragglerPerSecond: maybe(0.3, () => random.between(0.2, 1.5)),
    slowLinkPerSecond: maybe(0.4, () => random.between(0.1, 1)),
    spoilPerSecond: maybe(0.4, () => random.between(0.5, 5)),
    misunderstandingPerSecond: maybe(0.4, () => random.between(0.5, 4)),
    laggardPerSecond: maybe(0.4, () => random.between(0.5, 4)),
    isolationPerSecond: maybe(0.4, () => random.between(0.2, 1.5)),
    desertionPerSecond: maybe(0.4, () => random.between(0.2, 1.5)),
    islandPerSecond: maybe(0.3, () => random.between(0.1, 0.5)),
    orphaningPerSecond: maybe(0.3, () => random.between(0.1, 0.5)),
    switchGrantorPerSecond: maybe(0.5, () => random.between(0.1, 4)),
    storeMs: random.pick([0.1, 1, 10, 40]),
    storeOutagePerSecond: maybe(0.5, () => random.between(0.1, 0.5)),
    writeMs: random.pick([0.1, 0.5, 2]),
    slowWrite: maybe(0.4, () => random.between(0.001, 0.05)),
    clockDrift: maybe(0.5, () => random.pick([0.01, 0.01, random.between(0, 0.01)])),
    clockSides: random.chance(0.5) ? drawSides(random) : null,
  };
}

/** A lease is shortest by a fast clock, and longest by a slow one. */
function drawSides(random: Random): Readonly<Record<string, 1 | -1>> {
  const side = (): 1 | -1 => (random.chance(0.5) ? 1 : -1);
  return { replica: side(), catalog: side(), frontend: side() };
}

/** One short reign after the other, each with entries that nobody else has yet (Raft, figure 8). */
const SHORT_REIGNS: ReadonlySet<StrikeOn> = new Set(["reign", "lead", "committed", "fetch"]);

function drawStrike(random: Random): Strike {
  if (random.chance(0.3)) {
    const chance = random.between(0.1, 0.5);
    return { on: SHORT_REIGNS, chance, truceMs: 50, kills: 1, downMs: random.pick([20, 100]) };
  }
  const on = new Set(STRIKES.filter(() => random.chance(0.3)));
  return {
    on: on.size > 0 ? on : new Set([random.pick(STRIKES)]),
    chance: 10 ** random.between(-2, -0.3),
    truceMs: random.pick([20, 100, 400]),
    kills: random.pick([0.2, 0.5, 1]),
    downMs: random.pick([5, 50, 300]),
  };
}

/** Some kinds of one conversation, so that what belongs together fails together. */
function drawTargets(random: Random): ReadonlyMap<MessageKind, Target> {
  const targets = new Map<MessageKind, Target>();
  for (const kind of random.pick(CONVERSATIONS)) {
    if (!random.chance(0.4)) continue;
    const loses = random.chance(0.4);
    targets.set(kind, {
      loss: loses ? random.between(0.05, 0.8) : 0,
      late: loses ? 0 : random.between(0.05, 0.6),
      lateMs: random.pick([20, 200, 700, 2_500]),
    });
  }
  return targets;
}

/** Nothing is lost or late, nobody dies, sleeps or is cut off. */
export const WITHOUT_BLOWS: Partial<FaultMix> = {
  lossPerMessage: 0,
  targets: new Map(),
  spikePerMessage: 0,
  crashPerSecond: 0,
  crashAllPerSecond: 0,
  strike: null,
  pausePerSecond: 0,
  partitionPerSecond: 0,
  pairCutPerSecond: 0,
  oneWayPerSecond: 0,
  wipePerSecond: 0,
  staleAdmissionPerSecond: 0,
  slowLinkPerSecond: 0,
  spoilPerSecond: 0,
  misunderstandingPerSecond: 0,
  isolationPerSecond: 0,
  desertionPerSecond: 0,
  islandPerSecond: 0,
  orphaningPerSecond: 0,
  laggardPerSecond: 0,
  switchGrantorPerSecond: 0,
  resetPerSecond: 0,
  mutePerSecond: 0,
  misconfiguredPerSecond: 0,
};

/** Nobody is nominated but when a leader is needed. */
const WITHOUT_NOMINATIONS: Partial<FaultMix> = {
  strayNominationPerSecond: 0,
  rivalsPerSecond: 0,
  stragglerPerSecond: 0,
};

/** No faults at all: how a run ends, so that everything must settle. */
export function withoutFaults(mix: FaultMix): FaultMix {
  return {
    ...mix,
    ...WITHOUT_BLOWS,
    ...WITHOUT_NOMINATIONS,
    duplicatePerMessage: 0,
    reorder: false,
    astrayPerSecond: 0,
    liePerSecond: 0,
    slowWrite: 0,
    storeOutagePerSecond: 0,
  };
}
