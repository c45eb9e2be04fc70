// A front end as a process: the real leader selection and the real rules of
// questions, and lookups by copy, catalog or leader.

import { LEASE_ASK_MS } from "../src/core/coherence/limits.ts";
import { Selection } from "../src/core/selection/selection.ts";
import type {
  ReplicaHealth,
  SelectionEffect,
  SelectionEvent,
} from "../src/core/selection/types.ts";
import { QUESTION_DEADLINE_MS } from "../src/core/service/limits.ts";
import { type CallResult, Questions, type Route } from "../src/core/service/questions.ts";
import { type Candidate, RouteRecord, routeTo } from "../src/core/service/routes.ts";
import type * as Service from "../src/core/service/types.ts";
import { type CopyStore, MemoryCopies, StoredCopies } from "./copies.ts";
import type { Host } from "./host.ts";
import {
  type Answer,
  type CatalogAnswer,
  isAboutStocks,
  type PositionedAnswer,
  type Question,
  type SimulatedMessage,
  type StockQuestion,
} from "./messages.ts";
import { ASKS_PER_LIFE_MAX, Process } from "./process.ts";
import { StockViews } from "./stock-views.ts";
import { Violation } from "./violation.ts";

const HEALTH_MS = 600;
const NOMINATE_MS = 6_000;
const TICK_MS = 25;

type Done = (answer: Answer | null) => void;

/** A connection to a replica. */
class Link implements Route, Candidate {
  readonly replica: number;
  readonly #clock: () => number;
  readonly #record = new RouteRecord();
  isOpen = false;
  health: ReplicaHealth | null = null;

  constructor(replica: number, clock: () => number) {
    this.replica = replica;
    this.#clock = clock;
  }

  opened(): void {
    this.isOpen = true;
    this.#record.opened(this.#clock());
  }

  closed(): void {
    this.isOpen = false;
    this.health = null;
  }

  hear(health: ReplicaHealth): void {
    this.health = health;
    this.#record.heard(this.#clock());
  }

  isGood(nowMs: number): boolean {
    return this.isOpen && this.#record.isGood(nowMs);
  }

  isHeard(nowMs: number): boolean {
    return this.isOpen && this.#record.isHeard(nowMs);
  }

  lost(): void {
    this.#record.lost(this.#clock());
  }

  silent(): void {
    this.#record.silent(this.#clock());
  }

  flush(): void {}
}

interface Call {
  readonly replica: number;
  readonly settled: (result: CallResult) => void;
}

export class FrontendNode extends Process {
  readonly #store: CopyStore | null;
  #selection: Selection | null = null;
  #questions: Questions<Link> | null = null;
  #stocks: StockViews | null = null;
  #links: readonly Link[] = [];
  #nextCall = 0;
  #lives = 0;
  #calls = new Map<number, Call>();
  /** Clients that wait for an answer. */
  #waiting = new Set<Done>();
  #expected = new Map<number, (message: SimulatedMessage) => void>();

  /** Its copies are in `store`, if there is one, else in its memory. */
  constructor(host: Host, name: string, store: CopyStore | null) {
    super(host, name);
    this.#store = store;
  }

  protected override started(): void {
    const { host } = this;
    this.#lives += 1;
    this.#selection = new Selection({
      replicas: this.configured,
      random: () => host.random.next(),
      startWaitMs: 200,
    });
    this.#links = this.configured.map((id) => new Link(id, () => this.clock()));
    this.#questions = new Questions<Link>({
      route: () => this.#route(),
      call: (link, questions, settled) => this.#call(link, questions, settled),
      atTurnsEnd: (run) => this.after(0, run),
      nowMs: () => this.clock(),
      observer: null,
      onMismatch: () => {
        throw new Error("a replica answered with another number of answers");
      },
    });
    this.#calls = new Map();
    this.#waiting = new Set();
    this.#expected = new Map();
    const after = (ms: number, run: () => void): void => this.after(ms, run);
    const owner = `${this.name}/${this.#lives}`;
    this.#stocks = new StockViews({
      host,
      copies: this.#store
        ? new StoredCopies({ host, store: this.#store, owner, after })
        : new MemoryCopies(),
      clock: () => this.clock(),
      after,
      send: (to, message) => this.send(to, message),
      newCall: () => this.#newCall(),
      firstAsk: 1 + this.#lives * ASKS_PER_LIFE_MAX,
      askLeader: (question, deadlineMs, done) =>
        this.#askService(question, deadlineMs, (answer) => done(answer && asLooked(answer))),
    });
    this.every(TICK_MS, () => {
      this.#step({ kind: "tick" });
      this.#questions?.sweep();
    });
    this.every(LEASE_ASK_MS, () => this.#stocks?.askLease());
  }

  protected override stopped(): void {
    this.#selection = null;
    this.#questions = null;
    this.#stocks = null;
    // The clients' connections close: they don't know their calls' fate.
    for (const done of [...this.#waiting]) done(null);
  }

  override freeze(): void {
    super.freeze();
    // Clients that wait give up some day; here they do at once.
    for (const done of [...this.#waiting]) done(null);
  }

  /** Another catalog is preferred: this one, or the next. */
  switchCatalog(to?: string): void {
    this.#stocks?.switchCatalog(to);
  }

  /** The catalog that it asks; null if it is connected to none. */
  get catalog(): string | null {
    return this.#stocks?.catalog ?? null;
  }

  get holdsLease(): boolean {
    return this.#stocks?.holdsLease ?? false;
  }

  /** Asks for a client; null when it isn't answered by its deadline, or this process dies. */
  ask(question: Question, done: Done): void {
    const waiting: Done = (answer) => {
      if (!this.#waiting.delete(waiting)) return;
      // Nonsense is refused without asking anybody.
      const isOwn = answer === null || (answer.kind === "outcome" && answer.position === null);
      if (!isOwn && this.configured !== this.host.replicaIds) {
        throw new Violation(`S1: ${this.name}, configured with ${this.configured}, was answered`);
      }
      done(answer);
    };
    this.#waiting.add(waiting);
    if (isAboutStocks(question)) {
      this.#stocks?.ask(question, waiting);
    } else this.#askLeader(question, waiting);
  }

  #askLeader(question: Exclude<Question, StockQuestion>, done: Done): void {
    const asked: Service.Question =
      question.kind === "request" ? { kind: "request", ...question.request } : question;
    this.#askService(asked, QUESTION_DEADLINE_MS, (answer) => done(answer && fromService(answer)));
  }

  #askService(
    question: Service.Question,
    deadlineMs: number,
    done: (answer: PositionedAnswer | null) => void,
  ): void {
    this.#questions?.ask(question, deadlineMs, (asked) => {
      done(asked.kind === "answer" ? (asked.answer as PositionedAnswer) : null);
    });
  }

  #route(): Link | null {
    const leader = this.#selection?.leader ?? null;
    return leader === null ? null : routeTo(leader, this.#links, this.clock());
  }

  #call(
    { replica, isOpen }: Link,
    questions: readonly Service.Question[],
    settled: (result: CallResult) => void,
  ): void {
    const call = this.#newCall();
    const settle = (result: CallResult): void => {
      if (this.#calls.delete(call)) settled(result);
    };
    this.#calls.set(call, { replica, settled: settle });
    const failed = (failure: "closed" | "timeout") => () => settle({ kind: "failed", failure });
    if (isOpen) this.send(`order-${replica}`, { kind: "ask", call, relayed: false, questions });
    else this.after(0, failed("closed"));
    this.after(QUESTION_DEADLINE_MS, failed("timeout"));
  }

  #newCall(): number {
    this.#nextCall += 1;
    return this.#nextCall;
  }

  protected override received(from: string, message: SimulatedMessage): void {
    switch (message.kind) {
      case "beat":
        this.#link(message.health.replica)?.hear(message.health);
        this.#step({ kind: "beat", health: message.health });
        break;
      case "asked":
        this.#calls.get(message.call)?.settled(message.result);
        break;
      case "healthy":
        this.#link(message.health.replica)?.hear(message.health);
        this.#expected.get(message.call)?.(message);
        break;
      case "nominated":
        this.#expected.get(message.call)?.(message);
        break;
      case "leased":
      case "hold":
      case "looked":
        this.#stocks?.received(from, message);
        break;
      default:
        throw new Error(`${this.name} got a ${message.kind} from ${from}`);
    }
  }

  #link(replica: number): Link | undefined {
    return this.#links.find((link) => link.replica === replica);
  }

  protected override connectionChanged(peer: string, isOpen: boolean): void {
    if (peer.startsWith("catalog")) this.#stocks?.connection(peer, isOpen);
    const link = this.#links.find(({ replica }) => peer === `order-${replica}`);
    if (!link) return;
    if (isOpen) link.opened();
    else link.closed();
    this.#step({ kind: isOpen ? "connected" : "disconnected", replica: link.replica });
    if (isOpen) return;
    for (const { replica, settled } of this.#calls.values()) {
      if (replica === link.replica) settled({ kind: "failed", failure: "closed" });
    }
  }

  #step(event: SelectionEvent): void {
    for (const effect of this.#selection?.step(this.clock(), event) ?? []) this.#carryOut(effect);
  }

  #carryOut(effect: SelectionEffect): void {
    switch (effect.kind) {
      case "ask-health":
        this.#expect(effect.replica, "health", HEALTH_MS, (message) =>
          this.#step({
            kind: "health-answer",
            replica: effect.replica,
            health: message?.kind === "healthy" ? message.health : null,
          }),
        );
        break;
      case "nominate":
        this.host.counters.add("nominations");
        this.#expect(effect.replica, "nominate", NOMINATE_MS, (message) =>
          this.#step({
            kind: "nominate-answer",
            replica: effect.replica,
            result: message?.kind === "nominated" ? message.result : null,
          }),
        );
        break;
      case "leader-changed": {
        const { leader, epoch } = effect;
        this.#questions?.leaderChanged(leader === null ? null : { leader, epoch });
        break;
      }
      case "notify":
      case "log":
        break;
    }
  }

  #expect(
    replica: number,
    kind: "health" | "nominate",
    limitMs: number,
    then: (message: SimulatedMessage | null) => void,
  ): void {
    const call = this.#newCall();
    const settle = (message: SimulatedMessage | null): void => {
      if (this.#expected.delete(call)) then(message);
    };
    this.#expected.set(call, settle);
    this.after(limitMs, () => settle(null));
    this.send(`order-${replica}`, { kind, call });
  }
}

function asLooked(answer: PositionedAnswer): CatalogAnswer {
  switch (answer.kind) {
    case "stock":
    case "stocks":
    case "unchanged":
    case "gone":
      return answer;
    default:
      throw new Error(`nobody asked for ${answer.kind}`);
  }
}

/** Only what no leader was asked has no position. */
function fromService(answer: Service.Answer | PositionedAnswer): Answer {
  if (!("position" in answer)) {
    if (answer.kind === "outcome") return { ...answer, position: null };
    throw new Error(`a ${answer.kind} is answered without a position`);
  }
  const { position } = answer;
  switch (answer.kind) {
    case "outcome":
      return { kind: "outcome", outcome: answer.outcome, position };
    case "order":
      return { kind: "order", order: answer.order, position };
    case "orders":
      return { kind: "orders", orders: answer.orders, next: answer.next, position };
    default:
      throw new Error(`nobody asked for ${answer.kind}`);
  }
}
