// What clients are told, checked against the journal: each answer is true at a
// position that isn't before what had been answered when its call began, and is
// committed; each refusal has its reason in a state from there on; each request
// id has one outcome, which is the recorded one. What no state accepts is refused
// without the journal, and never found in it.

import type { Content, Outcome, Request } from "../src/core/market/types.ts";
import type { OrderView } from "../src/core/service/types.ts";
import { isSame, isSameOutcome, recordedAs, refusedInAnyState } from "./market-history.ts";
import type { Answer, Question } from "./messages.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** One call of a client, from its side. */
export interface ClientCall {
  readonly question: Question;
  /** No answer given before it began may rest on a later position than its own does. */
  readonly floor: number;
}

export class AnswerChecks {
  readonly #world: World;
  readonly #told = new Map<string, { readonly outcome: Outcome; readonly content: Content }>();

  constructor(world: World) {
    this.#world = world;
  }

  check(call: ClientCall, answer: Answer): void {
    const { oracle } = this.#world;
    const { question, floor } = call;
    if (question.kind === "request" && answer.kind === "outcome" && answer.position === null) {
      this.#checkRefusedAlone(question.request, answer.outcome);
      return;
    }
    const position = this.#positionOf(call, answer);
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
      const { requestId, content } = question.request;
      this.#checkOutcome(requestId, content, answer.outcome, Math.min(floor, position), position);
    }
  }

  /** Without a leader only that may be refused which no state accepts: nothing remembers it. */
  #checkRefusedAlone({ requestId, content }: Request, outcome: Outcome): void {
    this.#world.counters.add("refused by a front end alone");
    const right = refusedInAnyState(content);
    if (outcome.kind === "refused" && isSame(outcome.refusal, right)) return;
    throw new Violation(
      `M1: ${requestId}, ${JSON.stringify(content)}, was told ${JSON.stringify(outcome)} ` +
        `without a leader, which is so in no state or not in all of them`,
    );
  }

  /** Where in the journal an answer stands: the earliest position at which it is true and could be. */
  #positionOf({ question, floor }: ClientCall, answer: Answer): number {
    const { market } = this.#world.oracle;
    const what = (): string => JSON.stringify(question);
    // Whether it is true there is for checkOutcome.
    if (question.kind === "request" && answer.kind === "outcome") return answer.position ?? floor;
    if (question.kind === "lookup" && answer.kind === "stock") {
      const { stock } = answer;
      const quantity = stock?.quantity ?? null;
      const position = market.positionWith(question.name, quantity, floor);
      const price = market.priceOf(question.name);
      if (position === null) {
        throw new Violation(
          `C1: ${what()} says ${quantity} (as of ${answer.position ?? "a copy"}), but since ${floor}, ` +
            `where it was ${market.quantityAt(question.name, floor)}, it never was`,
        );
      }
      if (stock && (stock.name !== question.name || stock.price !== price))
        throw new Violation(`C1: ${what()} says ${stock.name} costs ${stock.price}, not ${price}`);
      return position;
    }
    if (question.kind === "list" && answer.kind === "stocks") {
      const position = Math.max(floor, answer.position);
      const expected = market.stocksAt(position);
      const wrong = answer.stocks.find(
        (stock) => !expected.some((right) => right.name === stock.name && isSame(right, stock)),
      );
      if (!wrong && answer.stocks.length === expected.length) return position;
      throw new Violation(
        `C1: a list as of ${answer.position} after ${floor} has ${answer.stocks.length} stocks, ` +
          `${wrong ? `${wrong.name} ${wrong.quantity} at ${wrong.price}` : "too few or too many"}`,
      );
    }
    if (question.kind === "page" && answer.kind === "page") {
      const { after, limit } = question;
      const position = Math.max(floor, answer.position);
      const all = market.stocksAt(position);
      const following = all.filter(({ name }) => name > after);
      const rows = following.slice(0, limit);
      const next = following.length > limit ? rows.at(-1)?.name : null;
      const isRight = rows.every((right, index) => {
        const told = answer.stocks[index];
        return right.name === told?.name && isSame(right, told);
      });
      const counts = [answer.stocks.length, answer.total];
      if (isRight && answer.next === next && isSame(counts, [rows.length, all.length])) {
        return position;
      }
      throw new Violation(
        `C1: ${what()} as of ${answer.position} after ${floor} says ${JSON.stringify(answer)}, not ${JSON.stringify(rows)}`,
      );
    }
    if (question.kind === "order" && answer.kind === "order") {
      const expected = described(market.orderAt(question.number, answer.position));
      const told = described(answer.order);
      if (told === expected) return answer.position;
      throw new Violation(`M1: ${what()} says ${told}, at ${answer.position} it was ${expected}`);
    }
    if (question.kind === "orders" && answer.kind === "orders") {
      const { after, limit } = question;
      const { position } = answer;
      const right = market.ordersAt(position, after, limit);
      const isMore = market.orderAt(after + right.length + 1, position) !== null;
      const next = isMore && right.length === limit ? after + limit : null;
      const [told, expected] = [answer.orders, right].map((orders) => orders.map(described).join());
      if (told === expected && answer.next === next) return position;
      throw new Violation(
        `M1: ${what()} says ${told}, next ${answer.next}; at ${position} it was ${expected}, next ${next}`,
      );
    }
    throw new Violation(`${what()} is answered with a ${answer.kind}`);
  }

  /** `from`: the state before the call; `through`: the newest that the answer may rest on. */
  #checkOutcome(
    requestId: string,
    content: Content,
    outcome: Outcome,
    from: number,
    through: number,
  ): void {
    const { counters, oracle } = this.#world;
    counters.add(`answered ${outcome.kind}`);
    const recorded = oracle.market.recorded(requestId);
    if (recorded && recorded.position > through) {
      throw new Violation(
        `M1: ${requestId} is answered as of ${through}, recorded is it at ${recorded.position}`,
      );
    }
    if (outcome.kind !== "reused") {
      const before = this.#told.get(requestId);
      if (before && isSame(before.content, content) && !isSameOutcome(before.outcome, outcome)) {
        throw new Violation(
          `M3: ${requestId} was told ${JSON.stringify(before.outcome)}, then ${JSON.stringify(outcome)}`,
        );
      }
      if (!before) this.#told.set(requestId, { outcome, content });
    }
    this.#checkRecorded(requestId, content, outcome);
    if (outcome.kind !== "refused" || recorded) return;
    counters.add("refusals told, and not recorded");
    if (oracle.market.isRefused(content, outcome.refusal, from, through)) return;
    throw new Violation(
      `M1: ${requestId}, ${JSON.stringify(content)}, was told ${JSON.stringify(outcome.refusal)}, ` +
        `which was so nowhere from ${from} to ${through}`,
    );
  }

  /** What was told is what the journal says. */
  #checkRecorded(requestId: string, content: Content, outcome: Outcome): void {
    const command = this.#world.oracle.market.recorded(requestId)?.command;
    if (!command && outcome.kind === "refused") return;
    const recorded = command ? recordedAs(command) : null;
    const isSameRequest = recorded !== null && isSame(recorded.content, content);
    if (outcome.kind === "reused") {
      if (recorded && !isSameRequest) return;
    } else if (recorded && isSameRequest && isSameOutcome(recorded.outcome, outcome)) return;
    throw new Violation(
      `M1: ${requestId}, ${JSON.stringify(content)}, was told ${JSON.stringify(outcome)}, ` +
        `the journal says ${JSON.stringify(command ?? null)}`,
    );
  }

  /** At the end: nothing that was told no has happened since, nothing told yes is gone. */
  checkAll(): void {
    for (const [requestId, { outcome, content }] of this.#told)
      this.#checkRecorded(requestId, content, outcome);
  }
}

function described(order: OrderView | null): string {
  return order ? `${order.number} ${order.type} ${order.quantity} ${order.name}` : "nothing";
}
