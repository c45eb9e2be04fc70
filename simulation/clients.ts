// Clients, and the history of what they asked and were told.

import type { Content, Outcome, Request } from "../src/core/market/types.ts";
import type { OrderView } from "../src/core/service/types.ts";
import type { FrontendNode } from "./frontend-node.ts";
import type { Answer, Question } from "./messages.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** A buyer of this much at once finds the last items. */
const QUANTITIES_MAX = [3, 12, 40];

/** One call of a client, from its side. */
interface ClientCall {
  readonly question: Question;
  /** No answer given before it began may rest on a later position than its own does. */
  readonly floor: number;
}

/** A change whose answer was never learned, to be asked again under its request id. */
type Unknown = Extract<Question, { kind: "request" }>;

export class Clients {
  readonly #world: World;
  readonly #told = new Map<string, { readonly outcome: Outcome; readonly content: Content }>();
  /** Requests under a key of the client, which it may use again. */
  readonly #keys: Request[] = [];
  // How clients are in this run.
  readonly #thinkMs: number;
  readonly #quantityMax: number;
  readonly #buys: number;
  /** Shares of trades, and of trades and lookups. */
  readonly #mix: readonly [trades: number, lookups: number];
  readonly #keyed: number;
  /** A client that stays with one front end, while it is up. */
  readonly #loyal: number;
  #working = true;
  #inFlight = 0;

  constructor(world: World, count: number) {
    this.#world = world;
    const { random } = world;
    this.#thinkMs = random.pick([8, 15, 40]);
    this.#quantityMax = random.pick(QUANTITIES_MAX);
    this.#buys = random.pick([0.5, 0.55, 0.7]);
    this.#mix = random.pick([
      [0.4, 0.38],
      [0.2, 0.7],
      [0.3, 0.3],
      [0.7, 0.2],
    ] as const);
    this.#keyed = random.pick([0, 0.3, 1]);
    this.#loyal = random.pick([0, 0.5, 1]);
    for (let client = 0; client < count; client += 1) this.#next(client, 0, null);
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

  #next(client: number, sequence: number, unknown: Unknown | null): void {
    const { random, scheduler } = this.#world;
    scheduler.after(random.heavy(this.#thinkMs), () => {
      if (!this.#working) return;
      const frontend = this.#frontend(client);
      if (!frontend) return this.#next(client, sequence, unknown);
      const question = unknown ?? this.#question(client, sequence);
      this.#call(frontend, question, (answer) => {
        const again = answer === null && question.kind === "request" && random.chance(0.7);
        this.#next(
          client,
          sequence + 1,
          again ? { ...question, request: { ...question.request, recordRefusal: true } } : null,
        );
      });
    });
  }

  #frontend(client: number): FrontendNode | null {
    const { frontends, random } = this.#world;
    const own = frontends[client % frontends.length];
    if (own?.isUp && random.chance(this.#loyal)) return own;
    const up = this.#world.frontends.filter((frontend) => frontend.isUp);
    return up.length > 0 ? this.#world.random.pick(up) : null;
  }

  #question(client: number, sequence: number): Question {
    const { random, oracle, stockNames } = this.#world;
    const draw = random.next();
    const requestId = `client-${client}-${sequence}`;
    const name = random.chance(0.97) ? random.pick(stockNames) : "Nowhere";
    const [trades, lookups] = this.#mix;
    const rest = draw - trades - lookups;
    if (draw < trades) {
      const type = random.chance(this.#buys) ? "buy" : "sell";
      const quantity = random.chance(0.97) ? 1 + random.below(this.#quantityMax) : -random.below(3);
      const recordRefusal = random.chance(this.#keyed);
      const content = { kind: "trade", name, type, quantity } as const;
      const known = random.chance(0.05) ? random.pick(this.#keys) : undefined;
      // A client's key again, with whatever content: the same answer, or none.
      if (known)
        return {
          kind: "request",
          request: { ...known, content: random.chance(0.5) ? known.content : content },
        };
      const request = { requestId, content, recordRefusal };
      if (recordRefusal) this.#keys.push(request);
      return { kind: "request", request };
    }
    if (rest < 0) return { kind: "lookup", name };
    const what = rest / (1 - trades - lookups);
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
    if (what < 0.55) return { kind: "list" };
    return { kind: "order", number: 1 + random.below(oracle.lastNumber + 2) };
  }

  #call(frontend: FrontendNode, question: Question, done: (answer: Answer | null) => void): void {
    const { oracle, counters } = this.#world;
    const call: ClientCall = { question, floor: oracle.answeredPosition };
    this.#inFlight += 1;
    counters.add("calls");
    frontend.ask(question, (answer) => {
      this.#inFlight -= 1;
      if (answer) this.#check(call, answer);
      else counters.add("calls of unknown fate");
      done(answer);
    });
  }

  #check({ question, floor }: ClientCall, answer: Answer): void {
    const { oracle } = this.#world;
    const position = this.#positionOf(question, answer, floor);
    // Entries of the log's own, as an admission, change nothing that is answered.
    if (position < floor && oracle.changedBetween(position, floor)) {
      throw new Violation(
        `C1: ${JSON.stringify(question)} is answered as of ${position}, after an answer as of ${floor}`,
      );
    }
    if (position > oracle.committed.length) {
      throw new Violation(
        `M1: ${JSON.stringify(question)} is answered from ${position}, committed is ${oracle.committed.length}`,
      );
    }
    oracle.answeredPosition = Math.max(oracle.answeredPosition, position);
    if (question.kind === "request" && answer.kind === "outcome") {
      this.#checkOutcome(question.request.requestId, question.request.content, answer.outcome);
    }
  }

  /** Where in the journal an answer stands: the earliest position at which it is true and could be. */
  #positionOf(question: Question, answer: Answer, floor: number): number {
    const { oracle } = this.#world;
    const what = (): string => JSON.stringify(question);
    if (question.kind === "request" && answer.kind === "outcome") return answer.position;
    if (question.kind === "lookup" && answer.kind === "stock") {
      const quantity = answer.stock?.quantity ?? null;
      const position = oracle.positionWith(question.name, quantity, floor);
      if (position !== null) return position;
      throw new Violation(
        `C1: ${what()} says ${quantity} (as of ${answer.position ?? "a copy"}), but since ${floor}, ` +
          `where it was ${oracle.quantityAt(question.name, floor)}, it never was`,
      );
    }
    if (question.kind === "list" && answer.kind === "stocks") {
      const position = Math.max(floor, answer.position);
      const wrong = answer.stocks.find(
        ({ name, quantity }) => oracle.quantityAt(name, position) !== quantity,
      );
      if (!wrong && answer.stocks.length === oracle.listedAt(position)) return position;
      throw new Violation(
        `C1: a list as of ${answer.position} after ${floor} has ${answer.stocks.length} stocks, ` +
          `${wrong ? `${wrong.name} ${wrong.quantity}` : "too few or too many"}`,
      );
    }
    if (question.kind === "order" && answer.kind === "order") {
      const expected = described(oracle.orderAt(question.number, answer.position));
      const told = described(answer.order);
      if (told === expected) return answer.position;
      throw new Violation(`M1: ${what()} says ${told}, at ${answer.position} it was ${expected}`);
    }
    throw new Violation(`${what()} is answered with a ${answer.kind}`);
  }

  #checkOutcome(requestId: string, content: Content, outcome: Outcome): void {
    this.#world.counters.add(`answered ${outcome.kind}`);
    if (outcome.kind === "reused") return;
    const before = this.#told.get(requestId);
    if (before && JSON.stringify(before.content) === JSON.stringify(content)) {
      if (JSON.stringify(before.outcome) !== JSON.stringify(outcome)) {
        throw new Violation(
          `M3: ${requestId} was told ${JSON.stringify(before.outcome)}, then ${JSON.stringify(outcome)}`,
        );
      }
    }
    if (!before) this.#told.set(requestId, { outcome, content });
    this.#checkRecorded(requestId, outcome);
  }

  /** What was told is what the journal says. */
  #checkRecorded(requestId: string, outcome: Outcome): void {
    const command = this.#world.oracle.command(requestId);
    const recorded =
      command === undefined
        ? null
        : command.kind === "order"
          ? `accepted ${command.number}`
          : command.kind;
    const told =
      outcome.kind === "accepted"
        ? `accepted ${outcome.number}`
        : { listed: "list", adjusted: "adjust", refused: "refuse", reused: "reused" }[outcome.kind];
    if (recorded === told || (outcome.kind === "refused" && recorded === null)) return;
    throw new Violation(`M1: ${requestId} was told ${told}, the journal says ${recorded}`);
  }

  /** At the end: nothing that was told no has happened since, nothing told yes is gone. */
  checkAll(): void {
    for (const [requestId, { outcome }] of this.#told) this.#checkRecorded(requestId, outcome);
  }
}

function described(order: OrderView | null): string {
  return order ? `${order.number} ${order.type} ${order.quantity} ${order.name}` : "nothing";
}
