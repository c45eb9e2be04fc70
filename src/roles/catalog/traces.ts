// The traces of clients at a catalog: a line for each question, and for each
// entry received, that is part of one; only where the log takes debug lines.

import type { Logger } from "pino";
import { ExpectedTraces, type RequestTrace, type Span, spanIn } from "../trace.ts";
import type { DecodedEntry } from "./stock-view.ts";

export class CatalogTraces {
  readonly #log: Logger;
  readonly #expected = new ExpectedTraces();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Asked about a stock, or, with null, about all. The trace to pass on. */
  asked(line: string, stock: string | null, trace: string | null | undefined): string | undefined {
    if (trace === undefined || trace === null) return undefined;
    if (!this.#log.isLevelEnabled("debug")) return trace;
    const span = spanIn(trace);
    this.#tell(span, stock, line);
    return span.trace;
  }

  /** From the leader, before the entries of these requests. */
  expect(requests: readonly RequestTrace[]): void {
    if (this.#log.isLevelEnabled("debug")) this.#expected.expect(requests);
  }

  /** Entries from the leader. */
  received(entries: readonly DecodedEntry[]): void {
    if (!this.#log.isLevelEnabled("debug")) return;
    for (const { position, commands } of entries) {
      for (const command of commands) {
        const span = this.#expected.came(command.requestId);
        const stock = command.kind === "refuse" ? command.content.name : command.name;
        if (span) this.#tell(span, stock, `Received entry ${position}`);
      }
    }
  }

  #tell({ fields }: Span, stock: string | null, line: string): void {
    this.#log.debug({ ...fields, ...(stock !== null && { stock }) }, line);
  }
}
