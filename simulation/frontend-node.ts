// A front end as a process: what ships (src/core/service/lookups.ts and
// order-replicas.ts) over the simulated network and clock.

import type { Stock } from "../src/core/market/types.ts";
import {
  CATALOG_ANSWER_LIMIT_MS,
  HEALTH_CALL_MS,
  NOMINATE_CALL_MS,
  QUESTION_DEADLINE_MS,
} from "../src/core/service/limits.ts";
import { Lookups } from "../src/core/service/lookups.ts";
import { OrderReplicas } from "../src/core/service/order-replicas.ts";
import type { CallFailure } from "../src/core/service/questions.ts";
import type { Asked, LookedUp } from "../src/core/service/types.ts";
import { memoryCopies } from "../src/io/cache/memory.ts";
import { type CopyStore, storedCopies } from "./copies.ts";
import type { Host } from "./host.ts";
import {
  type Answer,
  isAboutStocks,
  type PositionedAnswer,
  type Question,
  type SimulatedMessage,
  type StockQuestion,
} from "./messages.ts";
import { Process } from "./process.ts";
import { Violation } from "./violation.ts";

const START_WAIT_MS = 200;
const FLOORS_MAX = 8;
const COPIES_MAX = 1_000;
/** Stocks in a piece of a list: few, so that it has several. */
const PIECE_STOCKS = 6;

type Done = (answer: Answer | null) => void;
type Listed = Extract<Answer, { kind: "stocks" }>;

/** An open connection. */
interface Connection {
  readonly to: string;
}

type Message<K extends SimulatedMessage["kind"]> = Extract<SimulatedMessage, { kind: K }>;
type Reply = Message<"asked" | "healthy" | "nominated" | "looked" | "leased" | "probed">;
type Call = Message<"ask" | "health" | "nominate" | "look" | "lease" | "probe">;
/** As it is before it has a number. */
type Unnumbered<C> = C extends unknown ? Omit<C, "call"> : never;
interface Failed {
  readonly kind: "failed";
  readonly failure: CallFailure;
}

/** One life of a front end. */
interface Life {
  readonly lookups: Lookups<Connection, Stock, readonly Stock[], Listed>;
  readonly orders: OrderReplicas<Connection>;
  /** By the name of the other end. */
  readonly connections: Map<string, Connection>;
  readonly calls: Map<number, { readonly over: Connection; settled(reply: Reply | Failed): void }>;
}

export class FrontendNode extends Process {
  readonly #store: CopyStore | null;
  #life: Life | null = null;
  #lives = 0;
  /** Of calls: an answer that outlives its life is none to a later one. */
  #nextCall = 0;
  /** Clients that wait for an answer. */
  #waiting = new Set<Done>();

  /** Its copies are in `store`, if there is one, else in its memory. */
  constructor(host: Host, name: string, store: CopyStore | null) {
    super(host, name);
    this.#store = store;
  }

  protected override started(): void {
    this.#lives += 1;
    this.#waiting = new Set();
    const orders = this.#orders();
    const lookups = this.#lookups(orders);
    this.#life = { lookups, orders, connections: new Map(), calls: new Map() };
    orders.start();
    this.every(
      () => lookups.askMs,
      () => lookups.askLease(),
    );
  }

  protected override stopped(): void {
    this.#life = null;
    // The clients' connections close: they don't know their calls' fate.
    for (const done of [...this.#waiting]) done(null);
  }

  override freeze(): void {
    super.freeze();
    // Clients that wait give up some day; here they do at once.
    for (const done of [...this.#waiting]) done(null);
  }

  /** The catalog that it asks; null if it is connected to none. */
  get catalog(): string | null {
    return this.#life?.lookups.asked?.to ?? null;
  }

  /** Whether it was read lately. */
  get wantsLease(): boolean {
    return this.#life?.lookups.isRead ?? false;
  }

  get holdsLease(): boolean {
    return (this.#life?.lookups.lease ?? null) !== null;
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
    if (!this.#life) return;
    const { lookups, orders } = this.#life;
    if (isAboutStocks(question)) askAboutStocks(lookups, question, waiting, () => this.#served());
    else {
      const asked =
        question.kind === "request"
          ? ({ kind: "request", ...question.request } as const)
          : question;
      orders.ask(asked, QUESTION_DEADLINE_MS, (result) => waiting(answerIn(result)));
    }
  }

  #served(): void {
    this.host.counters.add("looked up in a cache");
  }

  #lookups(orders: OrderReplicas<Connection>): Life["lookups"] {
    const { counters } = this.host;
    const timing = this.#timing();
    return new Lookups<Connection, Stock, readonly Stock[], Listed>({
      ...timing,
      copies: this.#store
        ? storedCopies({
            host: this.host,
            store: this.#store,
            owner: `${this.name}/${this.#lives}`,
            after: timing.after,
          })
        : memoryCopies<Stock>({ entriesMax: COPIES_MAX, now: timing.nowMs }),
      bodyOf: (stock) => stock,
      lists: {
        pieceMax: PIECE_STOCKS,
        piece: (stocks) => stocks,
        whole: (pieces, position) => ({ kind: "stocks", stocks: pieces.flat(), position }),
      },
      catalogs: {
        lookup: (catalog, names, settled) =>
          this.#look(catalog, { kind: "lookup", names }, (answer) =>
            settled(answer as LookedUp | Failed),
          ),
        stocks: (catalog, question, settled) =>
          this.#look(catalog, { kind: "stocks", ...question }, (answer) =>
            settled(answer as Exclude<typeof answer, LookedUp>),
          ),
        lease: (catalog, asking, settled) =>
          this.#call(catalog, { kind: "lease", ...asking }, CATALOG_ANSWER_LIMIT_MS, (reply) => {
            if (reply.kind === "leased") settled({ kind: "answered", grant: reply.grant });
            else settled(reply as Failed);
          }),
        holding: ({ to }, through) => this.send(to, { kind: "holding", through }),
        probe: (catalog, settled) =>
          this.#call(catalog, { kind: "probe" }, CATALOG_ANSWER_LIMIT_MS, ({ kind }) =>
            settled(kind === "probed"),
          ),
      },
      askLeader: (question, deadlineMs, settled) => orders.ask(question, deadlineMs, settled),
      observer: {
        served: () => this.#served(),
        missed() {},
        joined: () => counters.add("fetches joined"),
        askingLeader: () => counters.add("looked up at the leader"),
        kept() {},
        sessionBegan: () => counters.add("sessions"),
        sessionLost: () => counters.add("caches dropped"),
        invalidated() {},
        noLease() {},
        connected() {},
        closed() {},
        leftAside: () => counters.add("catalogs left aside"),
        answersAgain: () => counters.add("catalogs that answered again"),
        wentBehind: () => counters.add("catalogs that went behind another"),
        unexpected(asked, answered) {
          throw new Error(`the leader answered a question for ${asked} with ${answered}`);
        },
      },
      floorsMax: FLOORS_MAX,
    });
  }

  #orders(): OrderReplicas<Connection> {
    const { counters, random } = this.host;
    return new OrderReplicas<Connection>({
      ...this.#timing(),
      replicas: this.configured,
      random: () => random.next(),
      startWaitMs: START_WAIT_MS,
      calls: {
        ask: (replica, questions, settled) =>
          this.#call(
            replica,
            { kind: "ask", relayed: false, questions },
            QUESTION_DEADLINE_MS,
            (reply) => settled(reply.kind === "asked" ? reply.result : (reply as Failed)),
          ),
        health: (replica, settled) =>
          this.#call(replica, { kind: "health" }, HEALTH_CALL_MS, (reply) =>
            settled(reply.kind === "healthy" ? reply.health : null),
          ),
        nominate: (replica, settled) =>
          this.#call(replica, { kind: "nominate" }, NOMINATE_CALL_MS, (reply) =>
            settled(reply.kind === "nominated" ? reply.result : null),
          ),
        notify() {}, // a simulated replica learns it from the leader
        flush() {},
      },
      observer: {
        failed() {},
        triedAgain() {},
        line() {},
        leaderChanged() {},
        nominating: () => counters.add("nominations"),
        nominated() {},
        mismatched() {
          throw new Error("a replica answered with another number of answers");
        },
      },
    });
  }

  #timing() {
    return {
      nowMs: (): number => this.clock(),
      atTurnsEnd: (run: () => void): void => this.after(0, run),
      after: (ms: number, run: () => void): void => this.after(ms, run),
    };
  }

  // Calls, which end with an answer, with their connection, or with their limit.

  #call(
    over: Connection,
    call: Unnumbered<Call>,
    limitMs: number,
    settled: (reply: Reply | Failed) => void,
  ): void {
    this.#nextCall += 1;
    const number = this.#nextCall;
    this.#life?.calls.set(number, { over, settled });
    this.after(limitMs, () => this.#settle(number, { kind: "failed", failure: "timeout" }));
    this.send(over.to, { ...call, call: number } as Call);
  }

  #look(
    catalog: Connection,
    question: Message<"look">["question"],
    settled: (answer: Message<"looked">["answer"] | Failed) => void,
  ): void {
    this.#call(catalog, { kind: "look", question }, CATALOG_ANSWER_LIMIT_MS, (reply) =>
      settled(reply.kind === "looked" ? reply.answer : (reply as Failed)),
    );
  }

  #settle(number: number, reply: Reply | Failed): void {
    const call = this.#life?.calls.get(number);
    this.#life?.calls.delete(number);
    call?.settled(reply);
  }

  protected override received(from: string, message: SimulatedMessage): void {
    switch (message.kind) {
      case "asked":
      case "healthy":
      case "nominated":
      case "looked":
      case "leased":
      case "probed":
        this.#settle(message.call, message);
        break;
      case "beat":
        if (this.#life?.connections.has(from)) this.#life.orders.beat(idOf(from), message.health);
        break;
      case "hold": {
        const catalog = this.#life?.connections.get(from);
        const { after, through, names } = message;
        if (catalog) this.#life?.lookups.hold(catalog, after, through, names);
        break;
      }
      default:
        throw new Error(`${this.name} got a ${message.kind} from ${from}`);
    }
  }

  protected override connectionChanged(peer: string, isOpen: boolean): void {
    // Only whom it is configured with.
    if (!this.#life || !(peer.startsWith("order-") || this.host.catalogNames.includes(peer)))
      return;
    const { connections } = this.#life;
    const before = connections.get(peer);
    if (before) this.#closed(before);
    if (!isOpen) return;
    const connection = { to: peer };
    connections.set(peer, connection);
    if (isCatalog(connection)) this.#life.lookups.opened(connection);
    else this.#life.orders.opened(idOf(peer), connection);
  }

  #closed(connection: Connection): void {
    if (!this.#life) return;
    const { connections, calls, lookups, orders } = this.#life;
    connections.delete(connection.to);
    for (const [number, { over }] of calls) {
      if (over === connection) this.#settle(number, { kind: "failed", failure: "closed" });
    }
    if (isCatalog(connection)) lookups.closed(connection);
    else orders.closed(idOf(connection.to), connection);
  }
}

function isCatalog({ to }: Connection): boolean {
  return to.startsWith("catalog");
}

function idOf(replica: string): number {
  return Number(replica.slice("order-".length));
}

function askAboutStocks(
  lookups: Life["lookups"],
  question: StockQuestion,
  done: Done,
  onCopy: () => void,
): void {
  switch (question.kind) {
    case "lookup": {
      const copy = lookups.copied(question.name);
      if (copy) {
        onCopy();
        done({ kind: "stock", stock: copy.body, position: null });
        return;
      }
      lookups.lookup(question.name, (lookup) => {
        if (lookup.kind === "known") done({ kind: "stock", stock: lookup.body, position: null });
        else
          done(lookup.kind === "unknown" ? { kind: "stock", stock: null, position: null } : null);
      });
      break;
    }
    case "list":
      lookups.list((list) => done(list.kind === "stocks" ? list : null));
      break;
    case "page":
      lookups.page({ after: question.after, limit: question.limit }, (page) =>
        done(page.kind === "stocks" ? { ...page, kind: "page" } : null),
      );
      break;
  }
}

/** Only what no leader was asked has no position. */
function answerIn(asked: Asked): Answer | null {
  if (asked.kind !== "answer") return null;
  const answer = asked.answer as typeof asked.answer | PositionedAnswer;
  const position = "position" in answer ? answer.position : null;
  switch (answer.kind) {
    case "outcome":
      return { kind: "outcome", outcome: answer.outcome, position };
    case "order":
      if (position !== null) return { kind: "order", order: answer.order, position };
      break;
    case "orders":
      if (position !== null) {
        return { kind: "orders", orders: answer.orders, next: answer.next, position };
      }
      break;
  }
  throw new Error(`a ${answer.kind} at ${position} is no answer`);
}
