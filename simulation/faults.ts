// Which faults a run has, and how often. Swarm testing (Groce et al., ISSTA
// 2012): each run draws its own mix, since faults that are always on hide the
// bugs that need a quiet stretch.

import type { Random } from "./random.ts";

/** Per message, per second and per write: see the names. Zero means off. */
export interface FaultMix {
  readonly lossPerMessage: number;
  readonly duplicatePerMessage: number;
  readonly reorder: boolean;
  /** Typical one-way delay, milliseconds. */
  readonly delayMs: number;
  readonly spikePerMessage: number;
  readonly crashPerSecond: number;
  readonly crashAllPerSecond: number;
  readonly pausePerSecond: number;
  readonly partitionPerSecond: number;
  readonly oneWayPerSecond: number;
  readonly wipePerSecond: number;
  readonly strayNominationPerSecond: number;
  /** A direction becomes slow for a while, as through a full buffer: messages come, but late. */
  readonly slowLinkPerSecond: number;
  /** The leader, paused, alone with some of its catalogs and front ends. */
  readonly isolationPerSecond: number;
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
}

export function drawFaults(random: Random): FaultMix {
  const maybe = (probability: number, value: () => number): number =>
    random.chance(probability) ? value() : 0;
  return {
    lossPerMessage: maybe(0.4, () => random.between(0.001, 0.1)),
    duplicatePerMessage: maybe(0.4, () => random.between(0.001, 0.1)),
    reorder: random.chance(0.3),
    delayMs: random.pick([0.05, 0.2, 1, 5]),
    spikePerMessage: maybe(0.4, () => random.between(0.0005, 0.01)),
    crashPerSecond: maybe(0.7, () => random.between(0.05, 0.8)),
    crashAllPerSecond: maybe(0.2, () => random.between(0.02, 0.1)),
    pausePerSecond: maybe(0.5, () => random.between(0.05, 0.6)),
    partitionPerSecond: maybe(0.5, () => random.between(0.05, 0.5)),
    oneWayPerSecond: maybe(0.4, () => random.between(0.05, 0.5)),
    wipePerSecond: maybe(0.25, () => random.between(0.02, 0.15)),
    strayNominationPerSecond: maybe(0.4, () => random.between(0.1, 3)),
    slowLinkPerSecond: maybe(0.4, () => random.between(0.1, 1)),
    isolationPerSecond: maybe(0.4, () => random.between(0.1, 0.5)),
    orphaningPerSecond: maybe(0.3, () => random.between(0.1, 0.5)),
    switchGrantorPerSecond: maybe(0.5, () => random.between(0.1, 4)),
    storeMs: random.pick([0.1, 1, 10, 40]),
    storeOutagePerSecond: maybe(0.5, () => random.between(0.1, 0.5)),
    writeMs: random.pick([0.1, 0.5, 2]),
    slowWrite: maybe(0.4, () => random.between(0.001, 0.05)),
    clockDrift: maybe(0.5, () => random.between(0, 0.01)),
  };
}

/** No faults at all: how a run ends, so that everything must settle. */
export function withoutFaults(mix: FaultMix): FaultMix {
  return {
    ...mix,
    lossPerMessage: 0,
    duplicatePerMessage: 0,
    reorder: false,
    spikePerMessage: 0,
    crashPerSecond: 0,
    crashAllPerSecond: 0,
    pausePerSecond: 0,
    partitionPerSecond: 0,
    oneWayPerSecond: 0,
    wipePerSecond: 0,
    strayNominationPerSecond: 0,
    slowLinkPerSecond: 0,
    isolationPerSecond: 0,
    orphaningPerSecond: 0,
    switchGrantorPerSecond: 0,
    slowWrite: 0,
    storeOutagePerSecond: 0,
  };
}
