// The traces of clients at an order replica: a line of its own for each question
// in a trace, and word of them to whoever gets the entries. An entry holds what
// was decided and nothing else, so the leader tells beside it which requests in
// it are part of a trace, before it sends it. What gets lost is missing in a log.

import type { Logger } from "pino";
import type { Peer } from "../../io/rpc/types.ts";
import { orderContract, type Question, TRACES_PER_CALL_MAX } from "../contract.ts";
import { type RequestTrace, spanIn } from "../trace.ts";

const servedByAll = { traced: orderContract.traced } as const;

/**
 * The questions as they go on from here. Where the log takes debug lines, each
 * in a trace is logged as `line`, and has this process's span in the place of its own.
 */
export function withSpans(
  questions: readonly Question[],
  log: Logger,
  line: string,
): readonly Question[] {
  if (!log.isLevelEnabled("debug")) return questions;
  return questions.map((question) => {
    if (question.trace === undefined) return question;
    const { fields, trace } = spanIn(question.trace);
    log.debug({ ...fields, question: question.kind }, line);
    return { ...question, trace };
  });
}

/** Tells `peers`, who will get the entries of these questions, of the traces among them. */
export function tellTraces(
  asks: readonly (readonly Question[])[],
  peers: () => readonly Peer[],
): void {
  const requests: RequestTrace[] = [];
  for (const questions of asks) {
    for (const question of questions) {
      if (question.trace === undefined || question.kind !== "request") continue;
      if (requests.length === TRACES_PER_CALL_MAX) break;
      requests.push({ requestId: question.requestId, trace: question.trace });
    }
  }
  if (requests.length === 0) return;
  for (const peer of peers()) peer.calls(servedByAll).traced({ requests });
}
