// The built-in client of the playground: lookups and trades at a rate that the
// page's slider sets, spread over the front ends.
//
//   - The rate is what is offered: when answers take longer, requests under
//     way add up to a limit, and beyond it they are left out, not queued.
//   - It asks under the key of who set the rate, where the bazaar asks for one.
//   - Buys and sells are equally frequent and small, so that no stock runs dry.

import type { PlaygroundState } from "../client/event-messages.ts";
import { BazaarError, type Stock, type TradeType } from "../client/index.ts";

/** What it needs of a client. */
export interface LoadBazaar {
  stocks(): Promise<readonly Pick<Stock, "name">[]>;
  lookup(name: string): Promise<unknown>;
  trade(request: { name: string; type: TradeType; quantity: number }): Promise<unknown>;
}

export interface LoadOptions {
  /** One per front end; at least one. */
  readonly bazaars: readonly LoadBazaar[];
  /** In [0, 1). */
  readonly random: () => number;
  /** Another second of load has passed. */
  readonly onSecond: () => void;
}

/** Between two bursts, milliseconds. */
export const LOAD_STEP_MS = 20;
/** Requests under way at most. */
export const LOAD_UNDER_WAY_MAX = 256;
const SECOND_MS = 1_000;
const NOTHING_SEEN = { sent: 0, answered: 0, skipped: 0, refused: null as string | null };
/** Of the requests, so many are trades. */
const TRADES_SHARE = 0.4;
const QUANTITY_MAX = 12;

export class PlaygroundLoad {
  readonly #options: LoadOptions;
  #perSecond = 0;
  #key: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #seconds: NodeJS.Timeout | null = null;
  /** Of the second under way. */
  #seen = { ...NOTHING_SEEN };
  #seenBefore: PlaygroundState["loadSeen"] = null;
  /** Parts of requests that the steps so far were short of. */
  #due = 0;
  #underWay = 0;
  #turn = 0;
  #names: readonly string[] = [];
  #isListing = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** What it asks under. */
  get key(): string | null {
    return this.#key;
  }

  /** What became of the requests in the last finished second. */
  get seen(): PlaygroundState["loadSeen"] {
    return this.#seenBefore;
  }

  /** From now on so many requests a second, under this API key; 0 ends it. */
  set(perSecond: number, key: string | null = null): void {
    this.#perSecond = perSecond;
    this.#key = perSecond === 0 ? null : key;
    this.#due = 0;
    if (perSecond === 0) {
      this.close();
      return;
    }
    this.#timer ??= setInterval(() => this.#step(), LOAD_STEP_MS);
    this.#seconds ??= setInterval(() => {
      this.#seenBefore = this.#seen;
      this.#seen = { ...NOTHING_SEEN };
      this.#options.onSecond();
    }, SECOND_MS);
  }

  close(): void {
    for (const timer of [this.#timer, this.#seconds]) if (timer !== null) clearInterval(timer);
    this.#timer = null;
    this.#seconds = null;
    this.#seen = { ...NOTHING_SEEN };
    this.#seenBefore = null;
  }

  #step(): void {
    if (this.#names.length === 0) {
      void this.#list();
      return;
    }
    this.#due += (this.#perSecond * LOAD_STEP_MS) / 1_000;
    for (; this.#due >= 1; this.#due -= 1) {
      if (this.#underWay < LOAD_UNDER_WAY_MAX) void this.#request();
      else this.#seen.skipped += 1;
    }
  }

  async #list(): Promise<void> {
    if (this.#isListing) return;
    this.#isListing = true;
    await this.#attempt(async (bazaar) => {
      this.#names = (await bazaar.stocks()).map(({ name }) => name);
    });
    this.#isListing = false;
  }

  async #request(): Promise<void> {
    const { random } = this.#options;
    const name = this.#names[Math.floor(random() * this.#names.length)] ?? "";
    this.#underWay += 1;
    this.#seen.sent += 1;
    const isAnswered = await this.#attempt((bazaar) => {
      if (random() >= TRADES_SHARE) return bazaar.lookup(name);
      const type = random() < 0.5 ? "buy" : "sell";
      return bazaar.trade({ name, type, quantity: 1 + Math.floor(random() * QUANTITY_MAX) });
    });
    if (isAnswered) this.#seen.answered += 1;
    this.#underWay -= 1;
  }

  /** Whether there was an answer, a refusal too; a load goes on without. */
  async #attempt(work: (bazaar: LoadBazaar) => Promise<unknown>): Promise<boolean> {
    const { bazaars } = this.#options;
    this.#turn += 1;
    const bazaar = bazaars[this.#turn % bazaars.length];
    if (bazaar === undefined) throw new RangeError("no bazaar to ask");
    try {
      await work(bazaar);
      return true;
    } catch (error) {
      if (!(error instanceof BazaarError)) throw error;
      if (error.kind === "unauthorized" || error.kind === "forbidden") {
        this.#seen.refused = error.message;
      }
      return error.kind === "refused";
    }
  }
}
