// How a replica that doesn't lead passes questions on to the leader it follows.
//
// A front end that alone can't reach the leader needs no election then: it asks
// any replica it reaches.
//
//   H1. One hop: what was relayed isn't relayed again, so that replicas with
//       different ideas of who leads can't send a question in circles.
//   H2. What was lost on the way has an unknown fate. Only a call that was never
//       sent counts as not begun.

import type { CallFailure } from "./questions.ts";
import type { AskResult } from "./types.ts";

export interface RelayQuestion {
  /** The replica that was asked, and doesn't lead. */
  readonly replica: number;
  /** Whom it follows; null if nobody, itself while its reign isn't committed. */
  readonly leader: number | null;
  /** Whether another replica passed the question on. */
  readonly relayed: boolean;
}

/** Whom to pass a question on to, by id; else what to answer. */
export function relayOf({ replica, leader, relayed }: RelayQuestion): number | AskResult {
  // Between winning and the first commit of its reign it is its own leader, and can't answer yet.
  const other = leader === replica ? null : leader;
  if (relayed || other === null) return { kind: "not-leader", leader: other }; // H1
  return other;
}

/** What to answer when a call to the leader, with so many questions, failed. */
export function relayFailed(failure: CallFailure, questions: number): AskResult {
  if (failure !== "busy") return { kind: "unknown" }; // H2
  return { kind: "answers", answers: Array.from({ length: questions }, () => ({ kind: "busy" })) };
}
