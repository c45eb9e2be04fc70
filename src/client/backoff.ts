// How long to wait before asking again: exponential with full jitter, so that
// clients that failed together don't return together, and never shorter than
// the server asked for.

/** First step of the back-off, milliseconds: about one fail-over. */
export const BACKOFF_BASE_MS = 25;
/** The back-off grows no further than this, milliseconds. */
export const BACKOFF_MAX_MS = 1_000;

/** Milliseconds to wait after `attempts` failed attempts. `random` is in [0, 1). */
export function backoffMs(attempts: number, askedMs: number, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempts - 1, 20));
  return askedMs + ceiling * random;
}

/** A Retry-After header in milliseconds from `now`: seconds or an HTTP date (RFC 9110, 10.2.3); 0 if absent or unreadable. */
export function retryAfterMs(header: string | null, now: number): number {
  if (header === null) return 0;
  const value = header.trim();
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) || /^[-+\d.]*$/.test(value) ? 0 : Math.max(0, date - now);
}

/** Resolves after `waitMs`, or at once when the signal aborts. */
export async function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal?.addEventListener("abort", done);
  });
}
