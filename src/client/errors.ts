// Why a call failed, by what its caller can do about it. The set is closed: a
// `switch` over `kind` handles every failure there is.

/**
 * - `refused`: the bazaar said no, for good (unknown stock, not enough volume,
 *   a malformed request). Ask for something else. `status` is the HTTP status.
 * - `unauthorized`: the bazaar asks for a key, and there was none, or one that is
 *   unknown, revoked or expired. Nothing was done. Get another key.
 * - `forbidden`: the key may not do that; `message` says what it lacks. Nothing was done.
 * - `unavailable`: no answer before the time-out, in spite of repeated attempts.
 *   Ask again later; a trade with the same `key`, since it may have happened.
 * - `aborted`: the caller's signal ended the call. A trade may have happened:
 *   the same `key` tells.
 * - `misunderstood`: what answers there is not a bazaar. Check the URL.
 */
export type BazaarErrorKind =
  | "refused"
  | "unauthorized"
  | "forbidden"
  | "unavailable"
  | "aborted"
  | "misunderstood";

export interface BazaarErrorDetails {
  /** HTTP status of the last answer; null when there was none. */
  readonly status?: number | null;
  /** The idempotency key of a trade; null for other calls. */
  readonly key?: string | null;
  readonly attempts?: number;
  readonly cause?: unknown;
}

/** Every failure of a call of {@link BazaarClient}, wrong arguments apart, which throw TypeError or RangeError. */
export class BazaarError extends Error {
  override readonly name = "BazaarError";
  readonly kind: BazaarErrorKind;
  readonly status: number | null;
  readonly key: string | null;
  /** How often the question was sent. */
  readonly attempts: number;

  constructor(kind: BazaarErrorKind, message: string, details: BazaarErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.status = details.status ?? null;
    this.key = details.key ?? null;
    this.attempts = details.attempts ?? 0;
  }
}
