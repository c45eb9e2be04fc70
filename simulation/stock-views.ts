// A front end's lookups: by copy under a lease, else by a catalog, else by the
// leader, over the real FrontendView.

import { FrontendView } from "../src/core/coherence/frontend-view.ts";
import type { Stock } from "../src/core/market/types.ts";
import type { Answer, SimulatedMessage, StockQuestion } from "./messages.ts";
import type { World } from "./world.ts";

const LOOK_MS = 300;

interface Fetch {
  readonly waiting: ((answer: Answer | null) => void)[];
}

export interface StockViewsOptions {
  readonly world: World;
  readonly clock: () => number;
  readonly after: (ms: number, run: () => void) => void;
  readonly send: (to: string, message: SimulatedMessage) => void;
  readonly askLeader: (question: StockQuestion, done: (answer: Answer | null) => void) => void;
}

export class StockViews {
  readonly #options: StockViewsOptions;
  readonly #view = new FrontendView<Fetch>(8);
  /** Copies, by session and name: those of an earlier session are as good as gone. */
  readonly #copies = new Map<string, { readonly stock: Stock; readonly position: number }>();
  readonly #connected: string[] = [];
  readonly #calls = new Map<number, (answer: Answer | null) => void>();
  #nextCall = 1;

  constructor(options: StockViewsOptions) {
    this.#options = options;
  }

  connection(catalog: string, isOpen: boolean): void {
    const index = this.#connected.indexOf(catalog);
    if (index !== -1) this.#connected.splice(index, 1);
    if (isOpen) this.#connected.push(catalog);
    else if (this.#view.lost(catalog, this.#options.clock()))
      this.#options.world.counters.add("caches dropped");
  }

  get holdsLease(): boolean {
    return this.#view.mayServe(this.#options.clock());
  }

  /** Every LEASE_ASK_MS. */
  askLease(): void {
    const catalog = this.#connected[0];
    if (catalog === undefined) return;
    const { clock, send } = this.#options;
    send(catalog, {
      kind: "lease",
      ask: this.#view.ask(catalog, clock()),
      held: this.#view.heldOf(catalog),
    });
  }

  /** Now and then another catalog is preferred. */
  switchCatalog(): void {
    const first = this.#connected.shift();
    if (first !== undefined) this.#connected.push(first);
    this.#options.world.counters.add("grantors switched");
  }

  received(
    from: string,
    message: Extract<SimulatedMessage, { kind: "leased" | "hold" | "looked" }>,
  ): void {
    const { clock, send, world } = this.#options;
    if (message.kind === "leased") {
      if (this.#view.granted(from, message.grant, clock())) world.counters.add("sessions");
    } else if (message.kind === "hold") {
      for (const name of message.names) this.#copies.delete(this.#key(name));
      const held = this.#view.hold(from, message.after, message.through, message.names, clock());
      if (held !== null) send(from, { kind: "holding", through: held });
    } else {
      const done = this.#calls.get(message.call);
      this.#calls.delete(message.call);
      done?.(message.answer);
    }
  }

  #key(name: string): string {
    return `${this.#view.session}:${name}`;
  }

  ask(question: StockQuestion, done: (answer: Answer | null) => void): void {
    if (question.kind === "lookup") {
      const copy = this.#copies.get(this.#key(question.name));
      // A copy in Redis takes a while to come: the lease is checked when it has.
      if (
        copy &&
        this.#view.floors.serves(question.name, copy.position) &&
        this.#view.mayServe(this.#options.clock())
      ) {
        this.#options.world.counters.add("looked up in a cache");
        done({ kind: "stock", stock: copy.stock, position: null });
        return;
      }
      this.#fetch(question, done);
      return;
    }
    this.#look(question, (answer) =>
      answer ? done(answer) : this.#options.askLeader(question, done),
    );
  }

  #fetch(
    question: Extract<StockQuestion, { kind: "lookup" }>,
    done: (answer: Answer | null) => void,
  ): void {
    const { name } = question;
    const now = this.#options.clock();
    const shared = this.#view.joinable(name, now);
    if (shared) {
      this.#options.world.counters.add("fetches joined");
      shared.waiting.push(done);
      return;
    }
    const fetch: Fetch = { waiting: [done] };
    this.#view.began(name, fetch, now);
    this.#look(question, (answer) => {
      if (answer?.kind === "stock" && answer.position !== null) {
        const keep = this.#view.answered(name, fetch, answer.position);
        if (keep && answer.stock)
          this.#copies.set(this.#key(name), { stock: answer.stock, position: answer.position });
        for (const waiting of fetch.waiting) waiting(answer);
        return;
      }
      this.#view.failed(name, fetch);
      for (const waiting of fetch.waiting) this.#options.askLeader(question, waiting);
    });
  }

  /** Asks a catalog; null when it can't say, or doesn't in time. */
  #look(question: StockQuestion, done: (answer: Answer | null) => void): void {
    const catalog = this.#connected[0];
    if (catalog === undefined) {
      done(null);
      return;
    }
    const { after, send } = this.#options;
    const call = this.#nextCall;
    this.#nextCall += 1;
    this.#calls.set(call, done);
    after(LOOK_MS, () => {
      if (this.#calls.delete(call)) done(null);
    });
    send(catalog, { kind: "look", call, question });
  }
}
