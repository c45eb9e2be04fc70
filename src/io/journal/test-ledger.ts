// A history with every kind of command, and ledgers over it: for the tests of
// the ledger and of what damage does to it.

import { operatorRequestId } from "../../core/market/keys.ts";
import type { Command } from "../../core/market/types.ts";
import type { FileJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { journalFile, marketEntry, opened } from "./test-files.ts";

export function uuid(number: number): string {
  return `01890000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
}

export function order(number: number, name: string, by: number): Command {
  const [type, quantity] = by < 0 ? (["buy", -by] as const) : (["sell", by] as const);
  const price = name === "FishCo" ? 17.99 : name === "MenhirCo" ? 1.5 : 28;
  return { kind: "order", number, requestId: uuid(number), name, type, quantity, price };
}

const KEY = { digest: "0f".repeat(32), may: "read", stocks: "", expiresAtMs: 0 } as const;

/** A history with every kind of command; one array per entry, empty for the log's own. */
export const HISTORY: readonly (readonly Command[])[] = [
  [{ kind: "list", requestId: "list-1", name: "FishCo", price: 17.99, quantity: 600 }],
  [{ kind: "list", requestId: "list-2", name: "BoarCo", price: 28, quantity: 0 }],
  [],
  [order(1, "FishCo", -10), order(2, "BoarCo", 7), order(3, "FishCo", 4)],
  [
    { kind: "adjust", requestId: "adjust-1", name: "BoarCo", by: -7 },
    {
      kind: "refuse",
      requestId: "key of a client",
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 9_999_999 },
      refusal: { kind: "insufficient-volume", name: "FishCo" },
    },
    { kind: "list", requestId: "list-3", name: "MenhirCo", price: 1.5, quantity: 5 },
    order(4, "MenhirCo", -5),
    { kind: "key", requestId: operatorRequestId("1"), name: "shop", ...KEY },
    { kind: "key", requestId: operatorRequestId("2"), name: "pager", ...KEY },
    { kind: "revoke", requestId: operatorRequestId("0"), name: "shop" },
  ],
  Array.from({ length: 50 }, (_, index) => order(5 + index, "FishCo", -1)),
];
export const LAST = HISTORY.length;

/** A journal that holds the history, and a ledger with nothing of it yet. */
export function start(): { journal: FileJournal; ledger: Ledger; path: string } {
  const path = journalFile(
    HISTORY.map((commands, index) =>
      commands.length > 0
        ? marketEntry(index + 1, commands)
        : {
            position: index + 1,
            epoch: 1,
            at: 0,
            body: { kind: "reign", leader: 9094, state: "" },
          },
    ),
  );
  const journal = opened(path);
  return { journal, ledger: new Ledger(journal), path };
}

/** Queues the history from what is applied to `through`; once between flushes. */
export function queue(ledger: Ledger, through = LAST): void {
  for (let position = ledger.appliedPosition + 1; position <= through; position++) {
    ledger.queue(position, HISTORY[position - 1] ?? []);
  }
}
