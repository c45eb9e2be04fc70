// W3C Trace Context: the trace that a client's request is part of, as its
// `traceparent` header names it. https://www.w3.org/TR/trace-context-1/
//
// A front end logs it with the id of the request, and passes it on beside what
// the request makes it ask; whoever is asked logs it once. From there on the
// request id says what belongs together. No trace is begun here, and no span.

import type { Logger } from "pino";
import { z } from "zod";

/** Version 00, and of the flags only the one that is known, whether it is sampled. */
const TRACE = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0[01]$/;
/** As others may send it: another version may have more to say behind a dash. */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;
/** Traces that one call carries; what is beyond it is missing in a log. */
export const TRACES_PER_CALL_MAX = 1_000;

/** What is under way as part of a trace. */
export interface Trace {
  readonly traceparent: string;
  /** The id of the change that was asked for, or the path of what is read. */
  readonly request: string;
}

/** Beside the argument of a call: the traces that what it asks is part of. */
export const tracesSchema = z
  .array(z.object({ traceparent: z.string().regex(TRACE), request: z.string() }))
  .max(TRACES_PER_CALL_MAX)
  .optional();

/** A `traceparent` header as it is logged and passed on; undefined when there is none, or it can't be read. */
export function readTraceparent(
  header: string | readonly string[] | undefined,
): string | undefined {
  if (typeof header !== "string") return undefined;
  const [, version, traceId, parentId, flags = "", more] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || (version === "00" && more !== undefined)) return undefined;
  return `00-${traceId}-${parentId}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

/** The one line of each trace in a process's log. */
export function logTraces(log: Logger, traces: readonly Trace[] = []): void {
  if (!log.isLevelEnabled("debug")) return;
  for (const trace of traces) log.debug({ ...trace }, "Part of a trace");
}
