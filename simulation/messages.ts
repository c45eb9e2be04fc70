// What processes of the simulation send each other: the same words as over RPC.

import type { Outcome, Request, Stock } from "../src/core/market/types.ts";
import type { Envelope } from "../src/core/replication/types.ts";
import type { Nomination, ReplicaHealth } from "../src/core/selection/types.ts";

/** One thing asked of the leader. */
export type Question =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "order"; readonly number: number }
  | { readonly kind: "lookup"; readonly name: string };

/**
 * What the leader says. `position` is where in the journal the answer is true;
 * clients don't see it in production, here the checkers compare it.
 */
export type Answer =
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly position: number }
  | { readonly kind: "order"; readonly requestId: string | null; readonly position: number }
  | { readonly kind: "stock"; readonly stock: Stock | null; readonly position: number };

export type AskResult =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "not-leader"; readonly leader: number | null }
  | { readonly kind: "unknown" };

export type SimulatedMessage =
  | { readonly kind: "replication"; readonly envelope: Envelope }
  | { readonly kind: "ask"; readonly call: number; readonly question: Question }
  | { readonly kind: "asked"; readonly call: number; readonly result: AskResult }
  | { readonly kind: "health"; readonly call: number }
  | { readonly kind: "healthy"; readonly call: number; readonly health: ReplicaHealth }
  | { readonly kind: "nominate"; readonly call: number }
  | { readonly kind: "nominated"; readonly call: number; readonly result: Nomination }
  | { readonly kind: "beat"; readonly health: ReplicaHealth };
