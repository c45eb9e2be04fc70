// One client: a call, its answer, a moment's thought, the next call, until it is
// told to stop. What it calls is drawn from its seed.
//
// A call of unknown fate that has a key is made again under it, at the other
// front end; when that doesn't tell either, it is left for later: settle() asks
// until there is an answer.

import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../simulation/random.ts";
import type { Calls, Patience } from "./calls.ts";
import { type Attempt, isUnknown } from "./history.ts";

/** Longer than the bazaar takes to say that it can't answer, milliseconds. */
const PATIENT: Patience = { ms: 13_000 };
/** What an impatient call waits at most, milliseconds. */
const IMPATIENT_MS = 400;
const IMPATIENCE = 0.05;
/** Attempts under one key in a row, before it is left for later. */
const ATTEMPTS_MAX = 3;
/** Answered calls that are asked again now and then. */
const REMEMBERED_MAX = 20;
/** Of a call to be one that was left. */
const SETTLING = 0.2;
/** After a call that nobody took: a front end that is down refuses thousands a second. Milliseconds. */
const REFUSED_PAUSE_MS = 100;
/** Between two attempts to settle a call, milliseconds. */
const SETTLE_PAUSE_MS = 100;
const QUANTITY_MAX = 12;
const LISTED_QUANTITY_MAX = 100;

/** What all clients of a run share. */
export interface Market {
  /** Names to look up and trade; those that are being listed are among them. */
  readonly names: string[];
  /** The highest number that anybody was told. */
  lastNumber: number;
}

export interface ClientOptions {
  readonly name: string;
  readonly seed: number;
  readonly calls: Calls;
  readonly market: Market;
  readonly frontends: number;
  readonly catalogs: number;
  /** Between two calls, milliseconds, on average. */
  readonly thinkMs: number;
}

/** Makes one attempt, at this front end or catalog. */
type Again = (process: string, at: number, patience: Patience) => Promise<Attempt>;

export class Client {
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #answered: Again[] = [];
  readonly #unsettled: Again[] = [];
  #calls = 0;
  #stopping = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  stop(): void {
    this.#stopping = true;
  }

  /** Calls until stop(). */
  async run(): Promise<void> {
    const { thinkMs } = this.#options;
    while (!this.#stopping) {
      if (this.#unsettled.length > 0 && this.#random.chance(SETTLING)) await this.#settleOne();
      else await this.#call();
      await delay(this.#random.between(0, 2 * thinkMs));
    }
  }

  /** Asks for what was left, until all is answered. Returns how many weren't within `limitMs`. */
  async settle(limitMs: number): Promise<number> {
    const end = performance.now() + limitMs;
    while (this.#unsettled.length > 0 && performance.now() < end) {
      if (!(await this.#settleOne())) await delay(SETTLE_PAUSE_MS);
    }
    return this.#unsettled.length;
  }

  /** Asks once for the oldest call that was left; true when it is answered. */
  async #settleOne(): Promise<boolean> {
    const [again] = this.#unsettled;
    const attempt = await again?.(this.#options.name, this.#calls++, PATIENT);
    if (!attempt || isUnknown(attempt)) return false;
    this.#unsettled.shift();
    return true;
  }

  async #call(): Promise<void> {
    const { calls, frontends, market, name: process } = this.#options;
    const random = this.#random;
    const at = random.below(frontends);
    const drawn = random.next();
    const nth = this.#calls++;
    if (drawn < 0.3) await calls.lookup(process, at, random.pick(market.names), PATIENT);
    else if (drawn < 0.36) await calls.stocks(process, at, PATIENT);
    else if (drawn < 0.5) {
      // Sometimes a number that hasn't been given yet.
      await calls.query(process, at, 1 + random.below(market.lastNumber + 3), PATIENT);
    } else if (drawn < 0.9) await this.#trade(at, nth);
    else if (drawn < 0.94 && this.#answered.length > 0) {
      await random.pick(this.#answered)(process, at, PATIENT);
    } else if (drawn < 0.985) await this.#adjust(at, nth);
    else await this.#list(at, nth);
  }

  async #trade(at: number, nth: number): Promise<void> {
    const { calls, market, name } = this.#options;
    const random = this.#random;
    const trade = {
      name: random.pick(market.names),
      type: random.chance(0.5) ? ("buy" as const) : ("sell" as const),
      quantity: 1 + random.below(QUANTITY_MAX),
    };
    const again =
      (key: string | undefined): Again =>
      async (process, frontend, patience) => {
        const place = frontend % this.#options.frontends;
        const attempt = await calls.trade(process, place, trade, key, patience);
        market.lastNumber = Math.max(market.lastNumber, attempt.number ?? 0);
        return attempt;
      };
    if (random.chance(0.6)) {
      await this.#untilAnswered(again(`${name}-${nth}`), at);
      return;
    }
    const { key } = await again(undefined)(name, at, this.#patience()).then((attempt) =>
      isUnknown(attempt) ? attempt : { key: undefined },
    );
    // The front end's key came with its 503: the call can be settled.
    if (key !== undefined) this.#unsettled.push(again(key));
  }

  async #adjust(at: number, nth: number): Promise<void> {
    const { calls, catalogs, market } = this.#options;
    const random = this.#random;
    const key = `${this.#options.name}-${nth}`;
    const name = random.pick(market.names);
    const by = (random.chance(0.5) ? 1 : -1) * (1 + random.below(QUANTITY_MAX));
    const byCatalog = random.chance(0.5);
    await this.#untilAnswered(
      (process, place, patience) =>
        byCatalog
          ? calls.update(process, place % catalogs, name, by, key, patience)
          : calls.adjust(process, name, by, key, patience),
      at,
    );
  }

  async #list(at: number, nth: number): Promise<void> {
    const { calls, market } = this.#options;
    const random = this.#random;
    const key = `${this.#options.name}-${nth}`;
    const isKnown = random.chance(0.3);
    const name = isKnown ? random.pick(market.names) : newName(key);
    if (!isKnown) market.names.push(name);
    const stock = {
      name,
      price: (1 + random.below(9_999)) / 100,
      quantity: random.below(LISTED_QUANTITY_MAX),
    };
    await this.#untilAnswered(
      (process, _, patience) => calls.list(process, stock, key, patience),
      at,
    );
  }

  async #untilAnswered(again: Again, first: number): Promise<void> {
    const { name } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { outcome } = await again(name, first + attempt, this.#patience());
      if (!outcome.startsWith("unknown")) {
        this.#answered.push(again);
        if (this.#answered.length > REMEMBERED_MAX) this.#answered.shift();
        return;
      }
      if (outcome.includes("ECONNREFUSED")) await delay(REFUSED_PAUSE_MS);
    }
    this.#unsettled.push(again);
  }

  #patience(): Patience {
    if (!this.#random.chance(IMPATIENCE)) return PATIENT;
    return { ms: Math.ceil(this.#random.between(1, IMPATIENT_MS)) };
  }
}

/** A stock's name has letters only: the key's digits as letters. */
function newName(key: string): string {
  const letters = [...key].map((sign) =>
    /\d/.test(sign) ? String.fromCharCode(97 + Number(sign)) : sign,
  );
  return `New${letters.join("").replaceAll(/[^a-z]/gi, "X")}`;
}
