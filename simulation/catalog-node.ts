// One catalog as a process: the real CatalogView over a stock book and a file
// that lags behind it.

import { type CatalogEffect, CatalogView } from "../src/core/coherence/catalog-view.ts";
import { LEASE_ASK_MS } from "../src/core/coherence/limits.ts";
import { holderOf } from "../src/core/connection/names.ts";
import { StockBook } from "../src/core/market/stock-book.ts";
import { StockLists } from "../src/core/market/stock-lists.ts";
import type { Stock } from "../src/core/market/types.ts";
import type { CommittedEntry } from "../src/core/replication/types.ts";
import { commandsOf } from "./commands.ts";
import type { CatalogAnswer, CatalogQuestion, SimulatedMessage } from "./messages.ts";
import { ASKS_PER_LIFE_MAX, Process } from "./process.ts";

const TICK_MS = 25;
const STORE_MS = 200;

/** The catalog's file. */
interface StoredView {
  readonly applied: number;
  readonly stocks: readonly Stock[];
}

interface Look {
  readonly from: string;
  readonly call: number;
  readonly question: CatalogQuestion;
}

export class CatalogNode extends Process {
  #file: StoredView = { applied: 0, stocks: [] };
  #view: CatalogView | null = null;
  /** Answers can outlive a life: each has numbers of its own. */
  #lives = 0;
  #stocks = new StockBook([]);
  #lists = new StockLists(this.#stocks);
  /** Received and not applied. */
  #entries: CommittedEntry[] = [];
  #waiting = new Map<number, Look>();
  /** By holder: who is told. */
  #frontends = new Map<string, string>();

  protected override started(): void {
    this.#lives += 1;
    this.#view = new CatalogView({
      applied: this.#file.applied,
      nowMs: this.clock(),
      firstAsk: 1 + this.#lives * ASKS_PER_LIFE_MAX,
    });
    this.#stocks = new StockBook(this.#file.stocks);
    this.#lists = new StockLists(this.#stocks);
    this.#entries = [];
    this.#waiting = new Map();
    this.#frontends = new Map();
    this.every(TICK_MS, () => this.#carryOut(this.#live.tick(this.clock())));
    this.every(LEASE_ASK_MS, () => this.#follow());
    this.every(STORE_MS, () => {
      this.#file = { applied: this.#live.applied, stocks: this.#stocks.sorted() };
    });
  }

  protected override stopped(): void {
    this.#view = null;
  }

  /** Whether it shows everything up to `position`, and may. */
  isLevel(position: number): boolean {
    const view = this.#view;
    return view !== null && view.applied === position && view.isLeased(this.clock());
  }

  /** What it shows. */
  get stocks(): readonly Stock[] {
    return this.#stocks.sorted();
  }

  get #live(): CatalogView {
    if (!this.#view) throw new Error(`${this.name} is down`);
    return this.#view;
  }

  /** Tells every replica what it has, and asks whoever leads for a lease. */
  #follow(): void {
    const view = this.#live;
    if (!view.mayFollow(this.clock())) return;
    const ask = view.askLease(this.clock());
    for (const id of this.host.replicaIds) {
      this.send(`order-${id}`, { kind: "follow", epoch: view.epoch, received: view.received, ask });
    }
  }

  protected override connectionChanged(peer: string, isOpen: boolean): void {
    if (!peer.startsWith("frontend")) return;
    if (isOpen) this.#joined(peer);
    else this.#left(peer);
  }

  #holder(frontend: string): string {
    return holderOf(this.host.calledOf(frontend), frontend);
  }

  #joined(frontend: string): void {
    this.#frontends.set(this.#holder(frontend), frontend);
    this.#live.connected(this.#holder(frontend));
  }

  #left(frontend: string): void {
    const holder = this.#holder(frontend);
    if (this.#frontends.get(holder) !== frontend) return;
    this.#frontends.delete(holder);
    this.#live.disconnected(holder);
  }

  protected override received(from: string, message: SimulatedMessage): void {
    const view = this.#live;
    const now = this.clock();
    switch (message.kind) {
      case "leads":
        if (!view.mayFollow(now) || !view.follow(from, message.epoch)) return;
        if (message.grant) view.granted(message.grant, now);
        break;
      case "entries":
        if (!view.mayFollow(now) || !view.follow(from, message.epoch)) return;
        this.#take(message);
        break;
      case "lease": {
        const holder = this.#holder(from);
        if (!this.#frontends.has(holder)) this.#joined(from); // whoever asks can be told
        if (message.held !== null) this.#carryOut(view.frontendHeld(holder, message.held, now));
        const grant = view.grant(holder, message.ask, now);
        if (grant) this.send(from, { kind: "leased", grant });
        break;
      }
      case "holding":
        this.#carryOut(view.frontendHeld(this.#holder(from), message.through, now));
        break;
      case "look":
        this.#look({ from, call: message.call, question: message.question });
        break;
      default:
        throw new Error(`${this.name} got a ${message.kind}`);
    }
  }

  #take({ epoch, exposed, after, entries }: Extract<SimulatedMessage, { kind: "entries" }>): void {
    const view = this.#live;
    const before = view.received;
    const batches = entries.map((entry, index) => ({
      after: after + index,
      through: entry.position,
      names: namesIn(entry),
    }));
    const effects = view.hold(epoch, batches, this.clock());
    this.#entries.push(
      ...entries.filter(({ position }) => position > before && position <= view.received),
    );
    this.#carryOut(effects);
    this.#carryOut(view.exposed(epoch, exposed, this.clock()));
  }

  #look(look: Look): void {
    const { question } = look;
    // What was true when the list was begun, under a lease, is true there for ever.
    if (question.kind === "stocks" && typeof question.list === "number") {
      this.#answer(look, true);
      return;
    }
    const names = question.kind === "stocks" ? null : [question.name];
    const readable = this.#live.ask(names, this.clock());
    if (readable.kind === "later") this.#waiting.set(readable.token, look);
    else this.#answer(look, readable.kind === "now");
  }

  #answer({ from, call, question }: Look, leased: boolean): void {
    const position = this.#live.applied;
    let answer: CatalogAnswer | null = null;
    if (leased && question.kind === "stocks") {
      answer = this.#lists.answer(question, position);
    } else if (leased && question.kind === "lookup") {
      answer = { kind: "stock", stock: this.#stocks.get(question.name) ?? null, position };
    }
    this.host.counters.add(leased ? "looked up in a catalog" : "catalog without a lease");
    this.send(from, { kind: "looked", call, answer });
  }

  #carryOut(effects: readonly CatalogEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "hold": {
          const { after, through, names } = effect;
          const frontend = this.#frontends.get(effect.frontend);
          if (frontend !== undefined) this.send(frontend, { kind: "hold", after, through, names });
          break;
        }
        case "held": {
          const { leader, received } = this.#live;
          const { epoch, through: held } = effect;
          if (leader !== null) this.send(leader, { kind: "held", epoch, received, held });
          break;
        }
        case "apply":
          this.#apply(effect.through);
          break;
        case "release":
          for (const token of effect.tokens) {
            const look = this.#waiting.get(token);
            this.#waiting.delete(token);
            if (look) this.#answer(look, effect.leased);
          }
          break;
      }
    }
  }

  #apply(through: number): void {
    const count = this.#entries.findIndex((entry) => entry.position > through);
    const due = this.#entries.splice(0, count === -1 ? this.#entries.length : count);
    for (const entry of due) for (const command of commandsOf(entry)) this.#stocks.apply(command);
  }
}

/** The stocks that an entry changes. */
function namesIn(entry: CommittedEntry): readonly string[] {
  return commandsOf(entry).flatMap((command) => (command.kind === "refuse" ? [] : command.name));
}
