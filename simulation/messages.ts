// What processes of the simulation send each other: the same words as over RPC.

import type { Feed, Follow, Following, Held } from "../src/core/coherence/leader-views.ts";
import type { Grant } from "../src/core/coherence/lease-holder.ts";
import type { StocksAnswer, StocksQuestion } from "../src/core/market/stock-lists.ts";
import type { Outcome, Request, Stock } from "../src/core/market/types.ts";
import type { Envelope, Message } from "../src/core/replication/types.ts";
import type { Nomination, ReplicaHealth } from "../src/core/selection/types.ts";
import type * as Service from "../src/core/service/types.ts";
import type { Beat } from "../src/core/table-log/types.ts";

/** One thing asked on behalf of a client. */
export type Question =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "order"; readonly number: number }
  | { readonly kind: "orders"; readonly after: number; readonly limit: number }
  | { readonly kind: "lookup"; readonly name: string }
  | { readonly kind: "list" }
  | { readonly kind: "page"; readonly after: string; readonly limit: number };

/** A question that a catalog can answer, too. */
export type StockQuestion = Extract<Question, { kind: "lookup" | "list" | "page" }>;

export function isAboutStocks(question: Question): question is StockQuestion {
  return ["lookup", "list", "page"].includes(question.kind);
}

/** What a front end asks a catalog. */
export type CatalogQuestion =
  | { readonly kind: "lookup"; readonly names: readonly string[] }
  | ({ readonly kind: "stocks" } & StocksQuestion);

export type CatalogAnswer = Service.LookedUp | StocksAnswer | { readonly kind: "unleased" };

/**
 * What is answered. `position` is where in the journal it is true; clients don't
 * see it in production, here the checkers compare it. A copy has no position of
 * its own, nor has what a front end refuses without a leader: null.
 */
export type Answer =
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly position: number | null }
  | { readonly kind: "order"; readonly order: Service.OrderView | null; readonly position: number }
  | {
      readonly kind: "orders";
      readonly orders: readonly Service.OrderView[];
      readonly next: number | null;
      readonly position: number;
    }
  | { readonly kind: "stock"; readonly stock: Stock | null; readonly position: number | null }
  | { readonly kind: "stocks"; readonly stocks: readonly Stock[]; readonly position: number }
  | {
      readonly kind: "page";
      readonly stocks: readonly Stock[];
      readonly next: string | null;
      readonly total: number;
      readonly position: number;
    };

/** An answer of the leader with the position that its turn left, for the checkers. */
export type PositionedAnswer = Service.Answer & { readonly position: number };

export type SimulatedMessage =
  | { readonly kind: "replication"; readonly envelope: Envelope }
  | { readonly kind: "reigning"; readonly from: number; readonly beat: Beat }
  // front end and replica
  | {
      readonly kind: "ask";
      readonly call: number;
      readonly relayed: boolean;
      readonly questions: readonly Service.Question[];
    }
  | { readonly kind: "asked"; readonly call: number; readonly result: Service.AskResult }
  | { readonly kind: "health"; readonly call: number }
  | { readonly kind: "healthy"; readonly call: number; readonly health: ReplicaHealth }
  | { readonly kind: "nominate"; readonly call: number }
  | { readonly kind: "nominated"; readonly call: number; readonly result: Nomination }
  | { readonly kind: "beat"; readonly health: ReplicaHealth }
  // catalog and leader
  | ({ readonly kind: "follow"; readonly call: number } & Follow)
  | ({ readonly kind: "leads"; readonly call: number } & Following)
  | ({ readonly kind: "entries" } & Feed)
  | ({ readonly kind: "held" } & Held)
  // front end and catalog
  | {
      readonly kind: "lease";
      readonly call: number;
      readonly ask: number;
      readonly held: number | null;
    }
  | { readonly kind: "leased"; readonly call: number; readonly grant: Grant | null }
  | ({ readonly kind: "hold" } & Service.Hold)
  | { readonly kind: "holding"; readonly through: number }
  | { readonly kind: "look"; readonly call: number; readonly question: CatalogQuestion }
  | { readonly kind: "looked"; readonly call: number; readonly answer: CatalogAnswer }
  | { readonly kind: "probe"; readonly call: number }
  | { readonly kind: "probed"; readonly call: number };

/** A message's own kind; of replication, that of the message inside. */
export type MessageKind = Exclude<SimulatedMessage["kind"], "replication"> | Message["kind"];

export function kindOf(message: SimulatedMessage): MessageKind {
  return message.kind === "replication" ? message.envelope.message.kind : message.kind;
}

/** The kinds that make up one exchange between two sorts of processes. */
export const CONVERSATIONS: readonly (readonly MessageKind[])[] = [
  ["canvass", "canvass-answer", "prepare", "promise", "fetch", "fetched", "refuse"],
  ["append", "ack", "fetch", "fetched", "prepare", "promise", "refuse", "reigning"],
  ["ask", "asked", "beat", "health", "healthy", "nominate", "nominated"],
  ["follow", "leads", "entries", "held"],
  ["lease", "leased", "hold", "holding", "look", "looked", "probe", "probed"],
  ["leads", "entries", "held", "leased", "hold", "holding", "looked"],
];
