// All that is checked of a recorded history, against the orders that the bazaar
// has in the end.

import type { Attempt, OrderSeen, StockSeen } from "./history.ts";
import { linearize } from "./linearizable.ts";
import { byName, operationsOf } from "./operations.ts";

export interface Recorded {
  /** The first stocks. */
  readonly stocks: readonly StockSeen[];
  readonly history: readonly Attempt[];
  /** All orders once everything had settled, as listed. */
  readonly orders: readonly OrderSeen[];
}

export interface Verdict {
  /** What is wrong, a line each; none when the history is linearizable. */
  readonly problems: readonly string[];
  readonly operations: number;
  /** Possible states that were looked at for one answer, at most. */
  readonly statesMax: number;
}

export function check({ stocks, history, orders }: Recorded): Verdict {
  const { operations, movements, problems } = operationsOf(history, orders);
  // With an order that is nobody's, or lost, the search would only say so again.
  if (problems.length > 0) return { problems, operations: operations.length, statesMax: 0 };
  const found = linearize({ stocks: byName(stocks), movements, operations });
  return found.ok
    ? { problems, operations: operations.length, statesMax: found.statesMax }
    : { problems: [found.problem], operations: operations.length, statesMax: 0 };
}
