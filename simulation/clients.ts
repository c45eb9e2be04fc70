// Clients, and the history of what they asked and were told.

import type { Content, Outcome, Request } from "../src/core/market/types.ts";
import type { OrderView } from "../src/core/service/types.ts";
import type { FrontendNode } from "./frontend-node.ts";
import type { Answer, Question } from "./messages.ts";
import { drawHabits, type Habits } from "./setting.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Calls under way with which even an impatient client waits for its answer. */
const IN_FLIGHT_MAX = 100;

/** One call of a client, from its side. */
interface ClientCall {
  readonly question: Question;
  /** No answer given before it began may rest on a later position than its own does. */
  readonly floor: number;
}

interface Client {
  readonly client: number;
  readonly habits: Habits;
}

/** A change whose answer was never learned, to be asked again under its request id. */
type Unknown = Extract<Question, { kind: "request" }>;

export class Clients {
  readonly #world: World;
  readonly #told = new Map<string, { readonly outcome: Outcome; readonly content: Content }>();
  /** Requests under a key of the client, which it may use again. */
  readonly #keys: Request[] = [];
  #working = true;
  #inFlight = 0;

  constructor(world: World, count: number) {
    this.#world = world;
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
    scheduler.after(random.heavy(who.habits.thinkMs), () => {
      if (!this.#working) return;
      const frontend = this.#frontend(who.client);
      if (!frontend) return this.#next(who, sequence, unknown);
      const question = unknown ?? this.#question(who, sequence);
      let wentOn = false;
      const goOn = (again: Unknown | null): void => {
        if (!wentOn) this.#next(who, sequence + 1, again);
        wentOn = true;
      };
      this.#call(frontend, question, (answer) => {
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
    if (own?.isUp && random.chance(setting.loyal)) return own;
    const up = frontends.filter((frontend) => frontend.isUp);
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
    if (what < 0.55) return { kind: "list" };
    // The newest ones, or any.
    const newest = oracle.lastNumber + 1 - random.below(3);
    const number = random.chance(0.4) ? newest : 1 + random.below(oracle.lastNumber + 2);
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
