// One HTTP exchange, and what its end means for the call: done, refused, or
// worth another attempt. Nothing here waits or repeats.

import { retryAfterMs } from "./backoff.ts";
import { isObject } from "./types.ts";

/** What to send. The same for every attempt of a call. */
export interface Question {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type AttemptResult =
  /** `body` is the whole answer; it has a field `data`. */
  | { readonly kind: "answered"; readonly body: Readonly<Record<string, unknown>> }
  | {
      readonly kind: "refused" | "unauthorized" | "forbidden";
      readonly status: number;
      readonly message: string;
    }
  /** Fate unknown, or nothing done; `waitMs` is what the server asked for, 0 if nothing. */
  | {
      readonly kind: "again";
      readonly status: number | null;
      readonly reason: string;
      readonly waitMs: number;
      readonly cause?: unknown;
    }
  | { readonly kind: "misunderstood"; readonly status: number; readonly reason: string };

/** The refusal that has the status of a failure: clients of the reference program match on its wording. */
const REFUSAL_500 = /^Insufficient volume for /;

/** Never rejects. `signal` ends the exchange, which then is worth another attempt. */
export async function attempt(
  fetchOne: typeof fetch,
  question: Question,
  signal: AbortSignal,
): Promise<AttemptResult> {
  let response: Response;
  let text: string;
  try {
    response = await fetchOne(question.url, {
      method: question.method,
      signal,
      ...(question.headers ? { headers: question.headers } : {}),
      ...(question.body === undefined ? {} : { body: question.body }),
    });
    text = await response.text();
  } catch (cause) {
    const reason = signal.aborted ? "no answer in time" : `no connection${because(cause)}`;
    return { kind: "again", status: null, reason, waitMs: 0, cause };
  }
  return read(response.status, response.headers.get("retry-after"), text);
}

function read(status: number, retryAfter: string | null, text: string): AttemptResult {
  const body = parsed(text);
  if (status === 200) {
    return isObject(body) && "data" in body
      ? { kind: "answered", body }
      : { kind: "misunderstood", status, reason: "the answer holds no data" };
  }
  const message = messageIn(body);
  const isRefusal500 = status === 500 && message !== null && REFUSAL_500.test(message);
  if (!isRefusal500 && (status >= 500 || status === 408 || status === 429)) {
    const reason = message ?? `status ${status}`;
    return { kind: "again", status, reason, waitMs: retryAfterMs(retryAfter, Date.now()) };
  }
  return message === null
    ? { kind: "misunderstood", status, reason: `status ${status} without an error` }
    : { kind: REFUSALS[status] ?? "refused", status, message };
}

/** What an answer says that is an error; null when that can't be read. */
export function messageIn(body: unknown): string | null {
  const error = isObject(body) && isObject(body.error) ? body.error : null;
  return typeof error?.message === "string" ? error.message : null;
}

/** Statuses that say who may not, and what that means. */
export const REFUSALS: Readonly<Record<number, "unauthorized" | "forbidden">> = {
  401: "unauthorized",
  403: "forbidden",
};

/** The JSON of an answer; undefined when it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** fetch hides why it failed one level down. */
function because(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return "";
  const code = (cause as { code?: unknown }).code;
  return `: ${typeof code === "string" ? code : cause.message}`;
}
