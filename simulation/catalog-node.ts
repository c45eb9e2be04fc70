// One catalog as a process: the catalog's real body over a simulated network and
// a file that lags behind it.

import type { Following } from "../src/core/coherence/leader-views.ts";
import type { Stock } from "../src/core/market/types.ts";
import { CatalogDesk } from "../src/core/service/catalog-desk.ts";
import type { LeaderAnswer } from "../src/core/service/leader-client.ts";
import { REPLICA_CALL_MS, STORE_DELAY_MS } from "../src/core/service/limits.ts";
import type { AskResult } from "../src/core/service/types.ts";
import type {
  Answer,
  CatalogAnswer,
  CatalogQuestion,
  PositionedAnswer,
  Question,
  SimulatedMessage,
} from "./messages.ts";
import { ASKS_PER_LIFE_MAX, type Connection, Process } from "./process.ts";

type Result = Following | AskResult;
type Done = (answer: Answer | null) => void;

/** What a client may ask a catalog without a front end. */
export function isForCatalogs(question: Question): boolean {
  return (
    question.kind === "lookup" ||
    (question.kind === "request" && question.request.content.kind === "adjust")
  );
}

export class CatalogNode extends Process {
  /** Its file. */
  #applied = 0;
  readonly #stored = new Map<string, Stock>();
  #desk: CatalogDesk<Connection> | null = null;
  /** Answers can outlive a life: each has numbers of its own. */
  #lives = 0;
  #nextCall = 0;
  #calls = new Map<number, { readonly to: Connection; settled(result: Result | null): void }>();
  /** Clients that wait for an answer. */
  #waiting = new Set<Done>();

  protected override started(): void {
    this.#lives += 1;
    this.#calls = new Map();
    this.#waiting = new Set();
    const desk = this.#newDesk();
    this.#desk = desk;
    this.every(
      () => desk.tickMs,
      () => desk.tick(),
    );
    this.every(
      () => desk.followMs,
      () => desk.follow(),
    );
    this.every(
      () => STORE_DELAY_MS,
      () => {
        const unsaved = desk.takeUnsaved();
        if (unsaved === null) return;
        this.#applied = unsaved.position;
        for (const stock of unsaved.stocks) this.#stored.set(stock.name, stock);
      },
    );
  }

  #newDesk(): CatalogDesk<Connection> {
    return new CatalogDesk<Connection>({
      start: { position: this.#applied, stocks: this.#stored.values() },
      firstAsk: 1 + this.#lives * ASKS_PER_LIFE_MAX,
      restPerWait: this.host.deskLimits.restPerWait,
      calls: {
        follow: (replica, question, settled) =>
          this.#call(replica, (call) => ({ kind: "follow", call, ...question }), settled),
        held: (replica, answer) => this.sendOn(replica, { kind: "held", ...answer }),
        hold: (frontend, hold) => this.sendOn(frontend, { kind: "hold", ...hold }),
        ask: (replica, question, settled) =>
          this.#call<AskResult>(
            replica,
            (call) => ({ kind: "ask", call, relayed: false, questions: [question] }),
            (result) => settled(result ?? { kind: "failed", why: "no answer", isFinal: false }),
          ),
      },
      observer: {},
      nowMs: () => this.clock(),
      after: (ms, run) => this.after(ms, run),
      newRequestId: () => `${this.name}-${this.#newCall()}`,
      onBroken: (error) => {
        throw error;
      },
    });
  }

  protected override stopped(): void {
    this.#desk = null;
    for (const done of [...this.#waiting]) done(null);
  }

  override freeze(): void {
    super.freeze();
    for (const done of [...this.#waiting]) done(null);
  }

  /** Whether it shows everything up to `position`. */
  isLevel(position: number): boolean {
    return this.#desk?.shown.position === position;
  }

  /** What it shows. */
  get stocks(): readonly Stock[] {
    return this.#desk?.shown.stocks() ?? [];
  }

  get #live(): CatalogDesk<Connection> {
    if (!this.#desk) throw new Error(`${this.name} is down`);
    return this.#desk;
  }

  /** Finds a stock or adjusts one for a client; null when it isn't answered, or this process dies. */
  ask(question: Question, done: Done): void {
    const waiting: Done = (answer) => {
      if (this.#waiting.delete(waiting)) done(answer);
    };
    this.#waiting.add(waiting);
    const settled = (answer: LeaderAnswer): void => waiting(toldOf(answer));
    if (question.kind === "lookup") this.#live.find(question.name, settled);
    else if (question.kind === "request" && question.request.content.kind === "adjust") {
      const { requestId, content } = question.request;
      this.#live.update({ ...content, requestId }, settled);
    } else throw new Error(`nobody asks a catalog for ${question.kind}`);
  }

  protected override opened(connection: Connection): void {
    const id = this.#replicaAt(connection);
    const { role, name } = connection.identity;
    if (id !== undefined) this.#desk?.replicaOpened(id, connection);
    else if (role === "frontend") this.#desk?.joined(connection, name, connection.link);
  }

  protected override closed(connection: Connection): void {
    for (const { to, settled } of [...this.#calls.values()]) if (to === connection) settled(null);
    const id = this.#replicaAt(connection);
    if (id !== undefined) this.#desk?.replicaClosed(id, connection);
    else this.#desk?.left(connection);
  }

  #replicaAt({ endpoint }: Connection): number | undefined {
    return this.configured.find((id) => endpoint === `order-${id}`);
  }

  protected override connectionChanged(): void {}

  protected override received(
    from: string,
    message: SimulatedMessage,
    connection: Connection | null,
  ): void {
    if (connection === null) return;
    switch (message.kind) {
      case "leads":
        this.#calls.get(message.call)?.settled(message);
        break;
      case "asked":
        this.#calls.get(message.call)?.settled(message.result);
        break;
      case "entries":
        this.#live.entries(message);
        break;
      case "lease":
        this.#live.lease(connection, message.ask, message.held, (grant) =>
          this.sendOn(connection, { kind: "leased", call: message.call, grant }),
        );
        break;
      case "holding":
        this.#live.holding(connection, message.through);
        break;
      case "look":
        this.#look(message.question, (answer) =>
          this.sendOn(connection, { kind: "looked", call: message.call, answer }),
        );
        break;
      case "probe":
        this.sendOn(connection, { kind: "probed", call: message.call });
        break;
      default:
        throw new Error(`${this.name} got a ${message.kind} from ${from}`);
    }
  }

  #look(question: CatalogQuestion, done: (answer: CatalogAnswer) => void): void {
    const told = (answer: CatalogAnswer): void => {
      const isLeased = answer.kind !== "unleased";
      this.host.counters.add(isLeased ? "looked up in a catalog" : "catalog without a lease");
      done(answer);
    };
    if (question.kind === "stocks") this.#live.list(question, told);
    else this.#live.lookup(question.names, told);
  }

  #call<T extends Result>(
    to: Connection,
    message: (call: number) => SimulatedMessage,
    settled: (result: T | null) => void,
  ): void {
    const call = this.#newCall();
    const settle = (result: Result | null): void => {
      if (this.#calls.delete(call)) settled(result as T | null);
    };
    this.#calls.set(call, { to, settled: settle });
    this.after(REPLICA_CALL_MS, () => settle(null));
    this.sendOn(to, message(call));
  }

  /** A number that no call had, in an earlier life neither. */
  #newCall(): number {
    this.#nextCall += 1;
    return this.#nextCall;
  }
}

function toldOf(answer: LeaderAnswer): Answer | null {
  switch (answer.kind) {
    case "stock":
      return answer;
    case "outcome":
      // What no leader was asked has no position.
      return { ...answer, position: (answer as Partial<PositionedAnswer>).position ?? null };
    default:
      return null;
  }
}
