// Checks of what a caller passes in. A wrong argument is the program's mistake:
// it throws before anything is sent, since no repeated attempt could mend it.

/** What the bazaar takes as a key and a header can carry: blanks at its ends get lost on the way. */
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;
/** https://www.w3.org/TR/trace-context-1/#traceparent-header */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `ms` again. Throws RangeError when it isn't positive. */
export function positive(ms: number): number {
  if (!(ms > 0)) throw new RangeError(`a time-out must be positive, not ${ms} ms`);
  return ms;
}

/** `key` again. Throws TypeError when it is no idempotency key. */
export function keyOf(key: string): string {
  if (KEY.test(key)) return key;
  throw new TypeError(
    `a key must be 1 to 128 printable ASCII characters, without blanks at its ends, not ${JSON.stringify(key)}`,
  );
}

/** What a bazaar makes as a key, or an issuer as a token (RFC 6750, section 2.1). */
const BEARER = /^[A-Za-z0-9._~+/-]+=*$/;

/** Whether `text` could be an API key, or a token. */
export function isApiKey(text: string): boolean {
  return BEARER.test(text);
}

/** The API key that requests carry, or what gives it. Of a function, each attempt asks anew. */
export type ApiKeySource = string | (() => string | null | Promise<string | null>);

/** The headers with the key of `source`. Throws TypeError, which doesn't repeat it, when it is none. */
export async function keyHeaders(
  source: ApiKeySource | undefined,
): Promise<Readonly<Record<string, string>>> {
  const key = typeof source === "function" ? await source() : source;
  if (key === undefined || key === null) return {};
  if (isApiKey(key)) return { authorization: `Bearer ${key}` };
  throw new TypeError("the API key has characters that none has");
}

/** The headers that a call's options ask for. Throws TypeError when its trace is none. */
export function traceHeaders(traceparent: string | undefined): Readonly<Record<string, string>> {
  if (traceparent === undefined) return {};
  if (TRACEPARENT.test(traceparent)) return { traceparent };
  throw new TypeError(`${JSON.stringify(traceparent)} is no traceparent`);
}
