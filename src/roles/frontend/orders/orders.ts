// What the HTTP side of a front end needs of the order service, whichever
// replica leads: ask it anything, and learn where it stands.

import type { Asked } from "../../../core/service/types.ts";
import type { Answer, Question } from "../../contract.ts";

export type { Asked };

export interface OrdersHealth {
  /** Id of the leader; null while none is known. */
  readonly leader: number | null;
  /** Whether the leader answered or beat lately, so that a trade could be answered now. */
  readonly ready: boolean;
}

export interface AskOptions {
  /** Milliseconds until the client is told "unavailable"; default 10,000. */
  readonly deadlineMs?: number;
}

export interface Orders {
  /** Never rejects. Settles within `deadlineMs` (10,000 unless told), through changes of leader. */
  ask(question: Question, options?: AskOptions): Promise<Asked>;
  /** Id of the leader; null while none is known. */
  leader(): number | null;
  health(): OrdersHealth;
  /** Begins to look for a leader. Settles once the first is found, which may be never. */
  start(): Promise<void>;
  /** Ends all connections; whoever still asks is told `unavailable`. */
  close(): void | Promise<void>;
  /** Calls back whenever another leader is found, or the known one is lost (null). */
  onLeader(callback: (leader: number | null) => void): void;
}

/** Why a question has no answer. */
export type Unanswered = { readonly kind: "unavailable" } | { readonly kind: "overloaded" };

/**
 * Asks, and takes the answer of this kind, or one of these, out of what came. Throws when it is of
 * another.
 */
export async function askFor<K extends Answer["kind"]>(
  orders: Pick<Orders, "ask">,
  kind: K | readonly K[],
  question: Question,
  deadlineMs?: number,
): Promise<Extract<Answer, { kind: K }> | Unanswered> {
  const asked = await orders.ask(question, deadlineMs === undefined ? {} : { deadlineMs });
  if (asked.kind !== "answer") return asked;
  const { answer } = asked;
  if (isOf(answer, kind)) return answer;
  if (answer.kind === "busy") return { kind: "overloaded" };
  throw new Error(`the leader answered a question for ${question.kind} with ${answer.kind}`);
}

function isOf<K extends Answer["kind"]>(
  answer: Answer,
  kind: K | readonly K[],
): answer is Extract<Answer, { kind: K }> {
  return typeof kind === "string" ? answer.kind === kind : kind.some((one) => one === answer.kind);
}
