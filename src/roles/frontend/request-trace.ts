// The trace that a client's request is part of, if it says so in `traceparent`.

import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { readTrace, spanIn } from "../trace.ts";

/** What a request that is part of a trace brings along. */
export interface TracedRequest {
  /** To pass on with every question that the request causes. */
  readonly trace: string;
  /** Where its lines go: they name the trace. */
  readonly log: Logger;
}

/** Looks for the trace when somebody needs it: most lookups end before that. */
export type TracedBy = () => TracedRequest | undefined;

/** Finds the traces of requests, the same each time. */
export class RequestTraces {
  readonly #log: Logger;
  readonly #known = new WeakMap<object, TracedRequest>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Undefined when the request is part of no trace, or of one that can't be read. */
  of(request: Pick<IncomingMessage, "headers">): TracedRequest | undefined {
    const { traceparent } = request.headers;
    if (traceparent === undefined) return undefined;
    const trace = readTrace(traceparent);
    if (trace === undefined || !this.#log.isLevelEnabled("debug")) {
      return trace === undefined ? undefined : { trace, log: this.#log };
    }
    let known = this.#known.get(request);
    if (!known) {
      const span = spanIn(trace);
      known = { trace: span.trace, log: this.#log.child(span.fields) };
      this.#known.set(request, known);
    }
    return known;
  }
}
