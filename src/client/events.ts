// What a front end tells over server-sent events (WHATWG HTML, section 9.2), as
// an iterator that doesn't end by itself: a lost connection is made again, and
// what was missed meanwhile comes after, or a new whole picture if it was too much.

import { EventSourceParserStream } from "eventsource-parser/stream";
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
}

export interface EventSourceOptions extends EventOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** A number in [0, 1), for the jitter of the back-off. */
  readonly random: () => number;
}

/** A front end says something every two seconds: silent for this long, the connection is dead. Milliseconds. */
const SILENCE_MAX_MS = 10_000;

/** Events until the caller stops or aborts. Throws `misunderstood` when what answers tells no events. */
export async function* readEvents(
  options: EventSourceOptions,
): AsyncGenerator<BazaarEvent, never, undefined> {
  const { signal } = options;
  let after = options.after;
  for (let failures = 0; ; failures += 1) {
    let waitMs = 0;
    const connection = new Connection(signal);
    try {
      const response = await connection.open(options, after);
      if (response.ok) {
        for await (const event of connection.events(response)) {
          failures = 0;
          after = event.id;
          yield event;
        }
      } else if (response.status >= 500 || response.status === 429) {
        waitMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
      } else {
        throw noEvents(response.status, `status ${response.status}`);
      }
    } catch (error) {
      if (error instanceof BazaarError) throw error;
      // The connection broke, or was never made: made again below.
    } finally {
      connection.close();
    }
    if (signal?.aborted) throw aborted(signal);
    await pause(backoffMs(failures + 1, waitMs, options.random()), signal);
    if (signal?.aborted) throw aborted(signal);
  }
}

/** One connection, ended by the caller's signal or by silence. */
class Connection {
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #end = () => this.#controller.abort();
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    if (signal?.aborted) this.#end();
    signal?.addEventListener("abort", this.#end);
    this.#heard();
  }

  open(options: EventSourceOptions, after: string | undefined): Promise<Response> {
    return options.fetch(options.url, {
      signal: this.#controller.signal,
      headers: {
        accept: "text/event-stream",
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
        this.#heard();
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

  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#end, SILENCE_MAX_MS);
  }
}

function aborted(signal: AbortSignal): BazaarError {
  return new BazaarError("aborted", "ended by the caller", { cause: signal.reason });
}

function noEvents(status: number, why: string): BazaarError {
  return new BazaarError("misunderstood", `no events there: ${why}`, { status });
}
