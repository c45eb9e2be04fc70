// What kind of run it is, apart from its faults: how large the world is, and what
// its clients are like. Half of the runs are plain; each of the others is drawn
// to be narrow in some ways, since many rules can only be seen to break when
// much happens at one place: many readers of one stock, buyers of the last items,
// clients that wait for nobody.

import type { Random } from "./random.ts";

/** What one client does. */
export interface Habits {
  /** About how long it waits between two calls, milliseconds. */
  readonly thinkMs: number;
  /** Shares of trades, and of lookups; the rest are adjustments, new stocks, lists and queries of orders. */
  readonly trades: number;
  readonly lookups: number;
  /** Of the rest, only questions. */
  readonly asksOnly: boolean;
}

export interface Setting {
  /** Not plain. */
  readonly isNarrow: boolean;
  readonly catalogs: number;
  readonly frontends: number;
  /** Stocks from the start. */
  readonly stocks: number;
  /** Of the first stock; each further one has ten more. */
  readonly firstQuantity: number;
  /** One of these is drawn for each client. */
  readonly habits: readonly Habits[];
  readonly quantityMax: number;
  /** Share of buyers among the trades. */
  readonly buys: number;
  /** Share of trades under a key of the client. */
  readonly keyed: number;
  /** Whoever asks through the first front end only asks. */
  readonly divided: boolean;
  /** How faithful a client is to its front end, while that is up. */
  readonly loyal: number;
  /** Share of what is asked about a stock that isn't there, or with a quantity that makes no sense. */
  readonly nonsense: number;
  /** A client goes on to its next call after about this long without an answer, milliseconds; null: it waits. */
  readonly patienceMs: number | null;
}

const MIXES = [
  [0.4, 0.38],
  [0.2, 0.7],
  [0.3, 0.3],
  [0.7, 0.2],
] as const;

const TRADER: Habits = { thinkMs: 10, trades: 1, lookups: 0, asksOnly: true };

/** Each does one thing only, and some of it all the time. */
export const SPECIALISTS: readonly Habits[] = [
  { thinkMs: 2, trades: 0, lookups: 1, asksOnly: true },
  { thinkMs: 6, trades: 0, lookups: 1, asksOnly: true },
  TRADER,
  TRADER,
  { thinkMs: 6, trades: 0.3, lookups: 0, asksOnly: true },
  { thinkMs: 15, trades: 0.4, lookups: 0.4, asksOnly: false },
];

/** Changes nothing. */
const ASKER: Habits = { thinkMs: 6, trades: 0, lookups: 0.4, asksOnly: true };

function plain(random: Random): Setting {
  const thinkMs = random.pick([8, 15, 40]);
  const [trades, lookups] = random.pick(MIXES);
  return {
    isNarrow: false,
    catalogs: 1 + random.below(2),
    frontends: 1 + random.below(3),
    stocks: 3,
    firstQuantity: 20,
    habits: [{ thinkMs, trades, lookups, asksOnly: false }],
    quantityMax: random.pick([3, 12, 40]),
    buys: random.pick([0.5, 0.55, 0.7]),
    keyed: random.pick([0, 0.3, 1]),
    divided: false,
    loyal: random.pick([0, 0.5, 1]),
    nonsense: 0.03,
    patienceMs: null,
  };
}

export function drawSetting(random: Random): Setting {
  const setting = plain(random);
  return random.chance(0.5) ? setting : { ...setting, ...narrowed(random) };
}

function narrowed(random: Random): Partial<Setting> {
  const small = random.chance(0.5);
  const scarce = random.chance(0.4);
  return {
    isNarrow: true,
    catalogs: random.pick([1, 2, 2]),
    ...(small ? { frontends: 2, stocks: random.pick([1, 2, 8]) } : {}),
    ...(scarce ? { firstQuantity: random.below(4), quantityMax: 3, buys: 0.5 } : {}),
    ...(random.chance(0.6) ? { habits: SPECIALISTS } : {}),
    ...(random.chance(0.6) ? { patienceMs: random.pick([30, 150, 500]) } : {}),
    ...(random.chance(0.3) ? { keyed: 0 } : {}),
    ...(random.chance(0.4) ? { frontends: 2, divided: true, loyal: 1 } : {}),
    nonsense: random.pick([0, 0.03]),
  };
}

/** The same for every seed; for tests. */
export const SIMPLE: Setting = {
  isNarrow: false,
  catalogs: 1,
  frontends: 2,
  stocks: 3,
  firstQuantity: 20,
  habits: [{ thinkMs: 15, trades: 0.4, lookups: 0.38, asksOnly: false }],
  quantityMax: 12,
  buys: 0.55,
  keyed: 0.3,
  divided: false,
  loyal: 0.5,
  nonsense: 0.03,
  patienceMs: null,
};

/** What a client is like; in a narrow setting one at least trades. */
export function drawHabits(setting: Setting, client: number, random: Random): Habits {
  const { divided, frontends, habits, isNarrow } = setting;
  if (divided && client % frontends === 0) return ASKER;
  return isNarrow && client === 1 ? TRADER : random.pick(habits);
}
