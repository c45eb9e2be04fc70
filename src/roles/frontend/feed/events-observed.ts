// How the front end's own work is seen without its knowing: the order service
// that the routes use, wrapped so that what passes is counted.

import type { OrderRow } from "../../../client/event-messages.ts";
import type { Orders } from "../orders/orders.ts";
import type { TradeEnd } from "./events-rates.ts";

/** Told of each trade that was answered, or not in time. */
export interface TradeWatch {
  /** `order` only when it was accepted. */
  traded(end: TradeEnd, ms: number, order: OrderRow | null): void;
}

type Asking = Pick<Orders, "ask" | "leader" | "health">;

/** The same order service; a trade costs one callback more. */
export function observedOrders(orders: Asking, watch: TradeWatch): Asking {
  return {
    leader: () => orders.leader(),
    health: () => orders.health(),
    ask(question, options) {
      const asked = orders.ask(question, options);
      if (question.kind !== "request" || question.content.kind !== "trade") return asked;
      const { name, type, quantity } = question.content;
      const started = performance.now();
      const ended = (end: TradeEnd, order: OrderRow | null) =>
        watch.traded(end, performance.now() - started, order);
      asked.then(
        (result) => {
          if (result.kind !== "answer" || result.answer.kind !== "outcome") {
            ended("failed", null);
            return;
          }
          const { outcome } = result.answer;
          if (outcome.kind !== "accepted") ended("refused", null);
          else if (type === "buy" || type === "sell") {
            ended("accepted", { number: outcome.number, name, type, quantity });
          }
        },
        () => ended("failed", null),
      );
      return asked;
    },
  };
}
