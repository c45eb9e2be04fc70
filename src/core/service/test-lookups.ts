// Lookups on a bench: the test is the catalogs, the leader, the clock and the
// turns of the event loop.

import { LEASE_ASK_MS, LEASE_MS } from "../coherence/limits.ts";
import type { Copies, Copy } from "../coherence/stored-copies.ts";
import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { Stock } from "../market/types.ts";
import type { CatalogCalls } from "./catalogs.ts";
import { type Lookup, Lookups } from "./lookups.ts";
import type { CallFailure } from "./questions.ts";
import type { Asked, Question, Unanswered } from "./types.ts";

export const A = "catalog-9096";
export const B = "catalog-9097";

type Calls = CatalogCalls<string>;
type Settled<K extends "lookup" | "stocks" | "lease"> = Parameters<Calls[K]>[2];

interface Made<T> {
  readonly catalog: string;
  readonly settled: T;
}

export function fish(quantity: number, name = "FishCo"): Stock {
  return { name, price: 17.99, quantity };
}

export function listOf(stocks: Stock[], position: number): StocksAnswer {
  return { kind: "stocks", stocks, next: null, total: stocks.length, position };
}

const quantityOf = (stock: Stock): string => `${stock.quantity}`;

/** Copies in a map. */
export class MapCopies implements Copies<string> {
  readonly kept = new Map<string, Copy<string>>();

  get(name: string): Copy<string> | undefined {
    return this.kept.get(name);
  }

  put(name: string, copy: Copy<string>): void {
    this.kept.set(name, copy);
  }

  drop(names: readonly string[]): void {
    for (const name of names) this.kept.delete(name);
  }

  clear(): void {
    this.kept.clear();
  }
}

export class Bench {
  nowMs = 0;
  readonly asked: (Made<Settled<"lookup">> & { readonly names: readonly string[] })[] = [];
  readonly lists: (Made<Settled<"stocks">> & { readonly question: StocksQuestion })[] = [];
  readonly leases: (Made<Settled<"lease">> & {
    readonly ask: number;
    readonly held: number | null;
  })[] = [];
  readonly probes: Made<(answers: boolean) => void>[] = [];
  readonly held: [catalog: string, through: number][] = [];
  readonly ofLeader: { readonly question: Question; readonly settled: (asked: Asked) => void }[] =
    [];
  /** What was observed, in order. */
  readonly told: string[] = [];
  readonly lookups: Lookups<string, string, string, string>;
  readonly copies: Copies<string>;
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  #turn: (() => void)[] = [];

  constructor(copies: Copies<string> = new MapCopies(), floorsMax?: number) {
    this.copies = copies;
    const tell = (line: string) => () => void this.told.push(line);
    this.lookups = new Lookups<string, string, string, string>({
      copies,
      bodyOf: quantityOf,
      lists: {
        pieceMax: 10,
        piece: (stocks) => stocks.map(quantityOf).join(),
        whole: (pieces, position) => `${pieces.join()} at ${position}`,
      },
      catalogs: {
        lookup: (catalog, names, settled) => this.asked.push({ catalog, names, settled }),
        stocks: (catalog, question, settled) => this.lists.push({ catalog, question, settled }),
        lease: (catalog, asking, settled) => this.leases.push({ catalog, ...asking, settled }),
        holding: (catalog, through) => this.held.push([catalog, through]),
        probe: (catalog, settled) => this.probes.push({ catalog, settled }),
      },
      askLeader: (question, _deadlineMs, settled) => this.ofLeader.push({ question, settled }),
      observer: {
        served: tell("served"),
        missed: tell("missed"),
        joined: tell("joined"),
        askingLeader: tell("asking the leader"),
        kept: tell("kept"),
        sessionBegan: tell("session"),
        sessionLost: (catalog) => this.told.push(`${catalog} lost`),
        invalidated: (name, position) => this.told.push(`${name} invalidated at ${position}`),
        noLease: (catalog, why) => this.told.push(`no lease of ${catalog}: ${why}`),
        connected: tell("connected"),
        closed: tell("closed"),
        leftAside: tell("left aside"),
        answersAgain: tell("answers again"),
        wentBehind: (catalog, next) => this.told.push(`${catalog} behind ${next}`),
        unexpected: (asked, answered) => this.told.push(`${asked} answered with ${answered}`),
      },
      nowMs: () => this.nowMs,
      atTurnsEnd: (run) => this.#turn.push(run),
      after: (ms, run) => this.#timers.push({ atMs: this.nowMs + ms, run }),
      ...(floorsMax !== undefined && { floorsMax }),
    });
  }

  /** A front end that reads, with these catalogs, under a lease of the first. */
  static leased(copies?: Copies<string>, floorsMax?: number, ...catalogs: string[]): Bench {
    const bench = new Bench(copies, floorsMax);
    for (const catalog of catalogs.length > 0 ? catalogs : [A]) bench.lookups.opened(catalog);
    bench.lookups.lookup("Ant", () => {});
    bench.grant();
    bench.turn();
    bench.answer([null]);
    bench.told.length = 0;
    return bench;
  }

  turn(): void {
    for (const run of this.#turn.splice(0)) run();
  }

  /** Time goes by, and what waits for it runs. */
  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { run } of due) run();
    this.turn();
  }

  /** The lease is asked for, and granted, as often as it is in production, for so long. */
  renew(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.pass(Math.min(LEASE_ASK_MS, end - this.nowMs));
      this.lookups.askLease();
      this.grant();
    }
  }

  /** The newest question for a lease is answered with one that runs for LEASE_MS. */
  grant(but: { readonly sent?: number; readonly exposed?: number } = {}): void {
    const asked = this.leases.at(-1);
    if (!asked) throw new Error("nobody asked for a lease");
    const grant = { epoch: 1, ask: asked.ask, ms: LEASE_MS, exposed: 0, sent: 0, ...but };
    asked.settled({ kind: "answered", grant });
  }

  /** Looks up as a host does. */
  lookup(name = "FishCo"): { readonly now: () => string } {
    let now = "pending";
    const copy = this.lookups.copied(name);
    if (copy) now = `copy ${copy.body}`;
    else this.lookups.lookup(name, (lookup) => (now = bodyIn(lookup)));
    return { now: () => now };
  }

  list(): { readonly now: () => string } {
    let now = "pending";
    this.lookups.list((list) => (now = typeof list === "string" ? list : list.kind));
    return { now: () => now };
  }

  /** Answers the newest lookup that a catalog was asked for. */
  answer(stocks: (Stock | null)[], position = 0): void {
    this.call().settled({ kind: "stocks", stocks, position });
  }

  fail(failure: CallFailure): void {
    this.call().settled({ kind: "failed", failure });
  }

  call(index = -1): (typeof this.asked)[number] {
    const call = this.asked.at(index);
    if (!call) throw new Error("no catalog was asked");
    return call;
  }

  /** Answers the newest question that the leader was asked. */
  leader(answer: Stock | null | StocksAnswer | Unanswered, position = 99): void {
    const asked = this.ofLeader.at(-1);
    if (!asked) throw new Error("the leader wasn't asked");
    if (answer === null || "name" in answer) {
      asked.settled({ kind: "answer", answer: { kind: "stock", stock: answer, position } });
    } else if (answer.kind === "unavailable" || answer.kind === "overloaded") asked.settled(answer);
    else asked.settled({ kind: "answer", answer });
  }

  /** FishCo, or another stock, becomes a copy. */
  fill(quantity: number, position: number, name = "FishCo"): void {
    const lookup = this.lookup(name);
    this.turn();
    this.answer([fish(quantity, name)], position);
    if (lookup.now() !== `${quantity}`) throw new Error(`${name} is ${lookup.now()}`);
  }

  isCopied(name = "FishCo"): boolean {
    return this.copies.get(name) !== undefined;
  }
}

export function bodyIn(lookup: Lookup<string>): string {
  return lookup.kind === "known" ? lookup.body : lookup.kind;
}
