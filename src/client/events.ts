// What a front end tells over server-sent events (WHATWG HTML, section 9.2), as
// an iterator that doesn't end by itself: a lost connection is made again, and
// what was missed meanwhile comes after, or a new whole picture if it was too much.

import { EventSourceParserStream } from "eventsource-parser/stream";
import { type ApiKeySource, keyHeaders } from "./arguments.ts";
import { messageIn, parsed, REFUSALS } from "./attempt.ts";
import { backoffMs, pause, retryAfterMs } from "./backoff.ts";
import { BazaarError } from "./errors.ts";
import type { ChangeMessage, StateMessage } from "./event-messages.ts";

/** `id` is where to resume: see {@link EventOptions.after}. */
export type BazaarEvent =
  | { readonly kind: "state"; readonly id: string; readonly data: StateMessage }
  | { readonly kind: "change"; readonly id: string; readonly data: ChangeMessage };

export interface EventOptions {
  /** Ends the iteration: it throws a BazaarError of kind `aborted`. */
  readonly signal?: AbortSignal;
  /** The `id` of the last event seen, to go on after it. */
  readonly after?: string;
  /**
   * Milliseconds without an event, over however many attempts to connect, after which it throws a
   * BazaarError of kind `unavailable`. Default: it tries for ever.
   */
  readonly timeoutMs?: number;
  /** Called each time that there is no connection any more, or couldn't be made, and before it is made again. */
  readonly onInterrupted?: () => void;
}

export interface EventSourceOptions extends EventOptions {
  readonly key?: ApiKeySource | undefined;
  readonly url: string;
  readonly fetch: typeof fetch;
  /** A number in [0, 1), for the jitter of the back-off. */
  readonly random: () => number;
}

/** A front end says something every two seconds: silent for this long, the connection is dead. Milliseconds. */
const SILENCE_MAX_MS = 10_000;

/** Events until the caller stops or aborts, or its time-out passes. Throws `misunderstood` when what answers tells no events. */
export async function* readEvents(
  options: EventSourceOptions,
): AsyncGenerator<BazaarEvent, never, undefined> {
  const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  let after = options.after;
  let endMs = performance.now() + timeoutMs;
  for (let failures = 0; ; failures += 1) {
    let waitMs = 0;
    let status: number | null = null;
    const authorization = await keyHeaders(options.key);
    const connection = new Connection(signal, endMs - performance.now(), timeoutMs);
    try {
      const response = await connection.open(options, after, authorization);
      if (response.ok) {
        for await (const event of connection.events(response)) {
          failures = 0;
          after = event.id;
          yield event;
          endMs = performance.now() + timeoutMs;
        }
      } else if (response.status >= 500 || response.status === 429) {
        status = response.status;
        waitMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
      } else {
        throw refusedEvents(response.status, messageIn(parsed(await response.text())));
      }
    } catch (error) {
      if (error instanceof BazaarError) throw error;
      // The connection broke, or was never made: made again below.
    } finally {
      connection.close();
    }
    if (signal?.aborted) throw aborted(signal);
    options.onInterrupted?.();
    const pauseMs = backoffMs(failures + 1, waitMs, options.random());
    if (performance.now() + pauseMs >= endMs) throw silent(timeoutMs, status);
    await pause(pauseMs, signal);
    if (signal?.aborted) throw aborted(signal);
  }
}

/** One connection, ended by the caller's signal or by silence. */
class Connection {
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #end = () => this.#controller.abort();
  readonly #patienceMs: number;
  #silence: ReturnType<typeof setTimeout> | undefined;

  /** Waits `firstMs` for the first event and `timeoutMs` for each further, if that is less than silence may last. */
  constructor(signal: AbortSignal | undefined, firstMs: number, timeoutMs: number) {
    this.#patienceMs = Math.min(SILENCE_MAX_MS, timeoutMs);
    this.#signal = signal;
    if (signal?.aborted) this.#end();
    signal?.addEventListener("abort", this.#end);
    this.#heard(Math.max(0, Math.min(SILENCE_MAX_MS, firstMs)));
  }

  open(
    options: EventSourceOptions,
    after: string | undefined,
    authorization: Readonly<Record<string, string>>,
  ): Promise<Response> {
    return options.fetch(options.url, {
      signal: this.#controller.signal,
      headers: {
        accept: "text/event-stream",
        ...authorization,
        ...(after === undefined ? {} : { "last-event-id": after }),
      },
    });
  }

  async *events(response: Response): AsyncGenerator<BazaarEvent, void, undefined> {
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream") || response.body === null) {
      throw noEvents(response.status, `it answers with ${type || "nothing"}`);
    }
    const events = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    const reader = events.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#heard(this.#patienceMs);
        const { event, id = "", data } = value;
        if (event === "state") yield { kind: "state", id, data: JSON.parse(data) };
        else if (event === "change") yield { kind: "change", id, data: JSON.parse(data) };
      }
    } finally {
      reader.releaseLock();
    }
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#signal?.removeEventListener("abort", this.#end);
    this.#end();
  }

  #heard(patienceMs: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#end, patienceMs);
  }
}

function aborted(signal: AbortSignal): BazaarError {
  return new BazaarError("aborted", "ended by the caller", { cause: signal.reason });
}

function silent(timeoutMs: number, status: number | null): BazaarError {
  return new BazaarError("unavailable", `no event in ${timeoutMs} ms`, { status });
}

function refusedEvents(status: number, message: string | null): BazaarError {
  const kind = REFUSALS[status];
  if (kind === undefined) return noEvents(status, `status ${status}`);
  return new BazaarError(kind, message ?? `status ${status}`, { status });
}

function noEvents(status: number, why: string): BazaarError {
  return new BazaarError("misunderstood", `no events there: ${why}`, { status });
}
