// Clients, and the history of what they asked and were told.

import { LEASE_MARGIN_MS, LEASE_MS } from "../src/core/coherence/limits.ts";
import type { Request } from "../src/core/market/types.ts";
import { CATALOG_ANSWER_LIMIT_MS } from "../src/core/service/limits.ts";
import { AnswerChecks, type ClientCall } from "./answer-checks.ts";
import { type CatalogNode, isForCatalogs } from "./catalog-node.ts";
import type { FrontendNode } from "./frontend-node.ts";
import { type Answer, isAboutStocks, type Question } from "./messages.ts";
import { drawHabits, type Habits } from "./setting.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Calls under way with which even an impatient client waits for its answer. */
const IN_FLIGHT_MAX = 100;
/** Of the questions that a catalog takes from anybody, how many are asked of one. */
const OF_CATALOGS = 0.1;
/** … and while there are two of one name. */
const OF_CATALOGS_VISITED = 0.4;
/** In calm every call is answered within this time: a store of copies may take half of it. */
const CALM_ANSWER_MS = 400;
/** In calm a change waits for no view's lease, and so for a fraction of one, also when a connection of a view breaks. */
const CALM_CHANGE_MS = LEASE_MS / 2;
/** In calm so many connections of views break, one after the other … */
export const RECONNECTIONS = 12;
/** … one in so many milliseconds, in which both ends are connected again. */
export const RECONNECTION_MS = 60;

interface Client {
  readonly client: number;
  readonly habits: Habits;
}

/** A change whose answer was never learned, to be asked again under its request id. */
type Unknown = Extract<Question, { kind: "request" }>;

export class Clients {
  readonly #world: World;
  readonly #checks: AnswerChecks;
  /** Requests under a key of the client, which it may use again. */
  readonly #keys: Request[] = [];
  #working = true;
  #inFlight = 0;
  /** Whatever is asked from now on is answered (L1). */
  isCalm = false;
  /** How many times as long as usual clients wait between two calls. */
  leisure = 1;
  /** When calls were begun that a dead, deaf or slow view has delayed: the first of each time. */
  readonly #delayedMs: number[] = [];

  constructor(world: World, count: number) {
    this.#world = world;
    this.#checks = new AnswerChecks(world);
    for (let client = 0; client < count; client += 1) {
      this.#next({ client, habits: drawHabits(world.setting, client, world.random) }, 0, null);
    }
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get areWorking(): boolean {
    return this.#working;
  }

  /** No new calls from here on. */
  stop(): void {
    this.#working = false;
  }

  #next(who: Client, sequence: number, unknown: Unknown | null): void {
    const { random, scheduler } = this.#world;
    scheduler.after(this.leisure * random.heavy(who.habits.thinkMs), () => {
      if (!this.#working) return;
      const frontend = this.#frontend(who.client);
      if (!frontend) return this.#next(who, sequence, unknown);
      const question = unknown ?? this.#question(who, sequence);
      let wentOn = false;
      const goOn = (again: Unknown | null): void => {
        if (!wentOn) this.#next(who, sequence + 1, again);
        wentOn = true;
      };
      this.#call(this.#catalog(question) ?? frontend, question, (answer) => {
        const again = answer === null && question.kind === "request" && random.chance(0.7);
        goOn(again ? { ...question, request: { ...question.request, recordRefusal: true } } : null);
      });
      this.#losePatience(question, goOn);
    });
  }

  /** An answer may still come, and is checked; meanwhile the client asks again, if it has a key, or something else. */
  #losePatience(question: Question, goOn: (again: Unknown | null) => void): void {
    const { random, scheduler, setting, counters } = this.#world;
    if (setting.patienceMs === null) return;
    const isKeyed = question.kind === "request" && question.request.recordRefusal;
    scheduler.after(random.heavy(setting.patienceMs), () => {
      if (this.#inFlight >= IN_FLIGHT_MAX) return;
      counters.add("calls given up by impatient clients");
      goOn(isKeyed && random.chance(0.5) ? question : null);
    });
  }

  #frontend(client: number): FrontendNode | null {
    const { frontends, random, setting } = this.#world;
    const own = frontends[client % frontends.length];
    const isGood = (one: FrontendNode | undefined) => one?.isUp && one !== this.#world.impaired;
    if (own && isGood(own) && random.chance(setting.loyal)) return own;
    const up = frontends.filter(isGood);
    return up.length > 0 ? random.pick(up) : null;
  }

  /** Some finds and updates are asked of a catalog itself. */
  #catalog(question: Question): CatalogNode | null {
    const { catalogs, visitors, random, impaired } = this.#world;
    // A second one of a name is only asked to see whether it says what isn't so.
    const isVisited = !this.isCalm && visitors.catalog.isUp;
    const share = isVisited ? OF_CATALOGS_VISITED : OF_CATALOGS;
    if (!isForCatalogs(question) || !random.chance(share)) return null;
    const all = isVisited ? [...catalogs, visitors.catalog] : catalogs;
    const up = all.filter((catalog) => catalog.isUp && catalog !== impaired);
    return up.length > 0 ? random.pick(up) : null;
  }

  #question({ client, habits }: Client, sequence: number): Question {
    const { random, oracle, stockNames, setting } = this.#world;
    const draw = random.next();
    const requestId = `client-${client}-${sequence}`;
    const name = random.chance(setting.nonsense) ? "Nowhere" : random.pick(stockNames);
    if (draw < habits.trades) return this.#trade(requestId, name);
    if (draw < habits.trades + habits.lookups) return { kind: "lookup", name };
    const what = habits.asksOnly ? random.between(0.4, 1) : random.next();
    if (what < 0.25) {
      const by = random.below(21) - 10;
      return {
        kind: "request",
        request: { requestId, content: { kind: "adjust", name, by }, recordRefusal: true },
      };
    }
    if (what < 0.33) {
      const quantity = random.below(30);
      const listed = `Stock${String.fromCharCode(65 + random.below(26))}`;
      return {
        kind: "request",
        request: {
          requestId,
          content: { kind: "list", name: listed, price: 9.5, quantity },
          recordRefusal: true,
        },
      };
    }
    if (what < 0.5) return { kind: "list" };
    if (what < 0.55) return { kind: "page", after: name, limit: 1 + (sequence % 4) };
    // The newest ones, or any.
    const newest = oracle.market.lastNumber + 1 - random.below(3);
    const number = random.chance(0.4) ? newest : 1 + random.below(oracle.market.lastNumber + 2);
    if (sequence % 3 === 0) {
      const after = Math.max(0, number - 1 - (sequence % 5));
      return { kind: "orders", after, limit: 1 + (sequence % 7) };
    }
    return { kind: "order", number: Math.max(1, number) };
  }

  #trade(requestId: string, name: string): Question {
    const { random, setting } = this.#world;
    const type = random.chance(setting.buys) ? "buy" : "sell";
    const isSense = !random.chance(setting.nonsense);
    const quantity = isSense ? 1 + random.below(setting.quantityMax) : -random.below(3);
    const recordRefusal = random.chance(setting.keyed);
    const content = { kind: "trade", name, type, quantity } as const;
    const known = random.chance(0.05) ? random.pick(this.#keys) : undefined;
    // A client's key again, with whatever content: the same answer, or none.
    if (known) {
      return {
        kind: "request",
        request: { ...known, content: random.chance(0.5) ? known.content : content },
      };
    }
    const request = { requestId, content, recordRefusal };
    if (recordRefusal) this.#keys.push(request);
    return { kind: "request", request };
  }

  #call(
    asked: FrontendNode | CatalogNode,
    question: Question,
    done: (answer: Answer | null) => void,
  ): void {
    const { oracle, counters, scheduler } = this.#world;
    const call: ClientCall = { question, floor: oracle.answeredPosition };
    const { isCalm } = this;
    const begunMs = scheduler.now;
    this.#inFlight += 1;
    counters.add("calls");
    asked.ask(question, (answer) => {
      this.#inFlight -= 1;
      if (answer) this.#checks.check(call, answer);
      else counters.add("calls of unknown fate");
      if (isCalm) this.#checkCalm(asked, question, answer, begunMs);
      done(answer);
    });
  }

  /** L1: at once, but that a dead, deaf or slow view delays trades once, by a lease and a margin. */
  #checkCalm(
    asked: FrontendNode | CatalogNode,
    question: Question,
    answer: Answer | null,
    begunMs: number,
  ): void {
    const { impaired, scheduler } = this.#world;
    const what = JSON.stringify(question);
    if (answer === null) throw new Violation(`L1: ${what} has no answer in calm`);
    const tookMs = scheduler.now - begunMs;
    // A list that is asked for while another is under way waits for that one, too.
    const looks = question.kind === "list" ? 2 : 1;
    const looksMs =
      impaired?.role === "catalog" && isAboutStocks(question) ? looks * CATALOG_ANSWER_LIMIT_MS : 0;
    const isUnimpaired = impaired === null && question.kind === "request";
    // What a catalog asks the leader is lost with their connection, time after time.
    const breaksMs = asked.role === "catalog" ? RECONNECTIONS * RECONNECTION_MS : 0;
    const limitMs =
      isUnimpaired && breaksMs === 0 ? CALM_CHANGE_MS : CALM_ANSWER_MS + looksMs + breaksMs;
    if (tookMs <= limitMs) return;
    // A front end that is slow may get a lease of each catalog, and each finds it late once.
    const delays = impaired?.role === "frontend" ? this.#world.catalogs.length : 1;
    const delayMs = LEASE_MS + LEASE_MARGIN_MS;
    if (!this.#delayedMs.some((each) => Math.abs(begunMs - each) <= delayMs))
      this.#delayedMs.push(begunMs);
    const isOnceEach = this.#delayedMs.length <= delays;
    if (impaired && isOnceEach && tookMs <= limitMs + delays * delayMs) return;
    throw new Violation(`L1: ${what} is answered after ${tookMs.toFixed(0)} ms of calm`);
  }

  /** Asks this front end for everything that it could show. */
  askAll(frontend: FrontendNode): void {
    const { oracle } = this.#world;
    const { lastNumber } = oracle.market;
    const questions: Question[] = [
      { kind: "list" },
      { kind: "page", after: "", limit: 3 },
      ...oracle.stocks().map(({ name }) => ({ kind: "lookup", name }) as const),
      { kind: "order", number: Math.max(1, lastNumber) },
      { kind: "orders", after: Math.max(0, lastNumber - 5), limit: 5 },
      { kind: "orders", after: Math.max(0, lastNumber - 5), limit: 6 },
    ];
    for (const question of questions) this.#call(frontend, question, () => {});
  }

  /** At the end: nothing that was told no has happened since, nothing told yes is gone. */
  checkAll(): void {
    this.#checks.checkAll();
  }
}
