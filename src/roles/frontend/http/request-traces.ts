// The traces of requests that are under way at a front end: what is asked for
// them elsewhere carries them along. Looked after only where the log takes debug
// lines, where every request passes the hooks of request-log.ts.

import type { Logger } from "pino";
import type { Question } from "../../../core/service/types.ts";
import { logTraces, readTraceparent, TRACES_PER_CALL_MAX, type Trace } from "../../trace.ts";

export class RequestTraces {
  readonly #log: Logger;
  readonly #underWay = new Set<Trace>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** A request comes: a trade by its request id, another by its path. Call back when it is answered. */
  begins(traceparent: string | readonly string[] | undefined, request: string): () => void {
    const read = readTraceparent(traceparent);
    if (read === undefined || this.#underWay.size >= TRACES_PER_CALL_MAX) return () => {};
    const trace = { traceparent: read, request };
    logTraces(this.#log, [trace]);
    this.#underWay.add(trace);
    return () => this.#underWay.delete(trace);
  }

  /** The field of a call that asks these questions; empty when they are part of no trace. */
  of(questions: readonly Question[]): { traces?: Trace[] } {
    if (this.#underWay.size === 0) return {};
    const asked = new Set(questions.map(requestOf));
    const traces = [...this.#underWay].filter(({ request }) => asked.has(request));
    return traces.length === 0 ? {} : { traces };
  }
}

/** The request that asks this, in the words of begins(). */
function requestOf(question: Question): string {
  switch (question.kind) {
    case "request":
      return question.requestId;
    case "order":
      return `/orders/${question.number}`;
    case "orders":
      return "/orders";
    case "lookup":
      return `/stocks/${question.name}`;
    case "stocks":
      return "/stocks";
    case "keys":
      return "";
  }
}
