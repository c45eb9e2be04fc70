// A client's trace on its way through the processes: which of its requests
// caused what. W3C Trace Context, https://www.w3.org/TR/trace-context-1/
//
// A process that logs debug lines makes a span of its own for what it does in a
// trace, names it in these lines, and passes it on as the parent of what comes
// next. One that doesn't passes on what it got, since nobody could find its span.
// No trace is begun here: a request without one costs a look for it.

import { randomBytes } from "node:crypto";

/** Version 00, and of the flags only the one that is known, whether it is sampled. */
export const TRACE = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0[01]$/;
/** As others may send it: another version may have more to say behind a dash. */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;
const SPAN_ID_BYTES = 8;

/** The fields of a log line that tell its trace. */
export interface SpanFields {
  readonly traceId: string;
  readonly spanId: string;
  /** The span that caused this one. */
  readonly parentId: string;
}

/** What one process does in a trace. */
export interface Span {
  readonly fields: SpanFields;
  /** To pass on: this span as the parent. */
  readonly trace: string;
}

/** The trace in a `traceparent` header, as it is passed on; undefined when there is none, or it can't be read. */
export function readTrace(header: string | readonly string[] | undefined): string | undefined {
  if (typeof header !== "string") return undefined;
  const [, version, traceId, parentId, flags = "", more] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || (version === "00" && more !== undefined)) return undefined;
  return `00-${traceId}-${parentId}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

/** A span of this process in `trace`, which matches TRACE. */
export function spanIn(trace: string): Span {
  const [, traceId = "", parentId = ""] = TRACE.exec(trace) ?? [];
  const spanId = randomBytes(SPAN_ID_BYTES).toString("hex");
  return {
    fields: { traceId, spanId, parentId },
    trace: `00-${traceId}-${spanId}-${trace.slice(-2)}`,
  };
}

/** The span that `trace`, which matches TRACE, names as the parent of what comes next. */
export function spanOf(trace: string): Pick<SpanFields, "traceId" | "spanId"> {
  const [, traceId = "", spanId = ""] = TRACE.exec(trace) ?? [];
  return { traceId, spanId };
}

/** One request, and the trace it is part of. */
export interface RequestTrace {
  readonly requestId: string;
  readonly trace: string;
}

/** Requests that are remembered; of more, the oldest are forgotten, and their lines have no trace. */
const REMEMBERED_MAX = 10_000;

/** The traces of requests whose entries are still to come. */
export class ExpectedTraces {
  readonly #traces = new Map<string, string>();

  expect(requests: readonly RequestTrace[]): void {
    for (const { requestId, trace } of requests) this.#traces.set(requestId, trace);
    for (const requestId of this.#traces.keys()) {
      if (this.#traces.size <= REMEMBERED_MAX) break;
      this.#traces.delete(requestId);
    }
  }

  /** A span for a request's entry, the first time; undefined when it is in no known trace. */
  came(requestId: string): Span | undefined {
    if (this.#traces.size === 0) return undefined;
    const trace = this.#traces.get(requestId);
    if (trace === undefined) return undefined;
    this.#traces.delete(requestId);
    return spanIn(trace);
  }
}
