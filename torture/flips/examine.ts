// What a role makes of files in which a bit was flipped: it opens them as the
// role does, is asked everything that it can be asked, trades, is stopped and
// started again, and asked once more.
//
//   refused    it said in one line that the file is damaged, or not its own,
//              before it answered anything wrong
//   healed     it made the file anew, and said so
//   harmless   all is answered as if nothing had been flipped
//
// Whatever else comes of it is thrown: an answer that isn't right, or an end
// with any other error.

import { join } from "node:path";
import { decodeCommands } from "../../src/core/market/codec.ts";
import { MarketState } from "../../src/core/market/state.ts";
import { type Entry, toCommitted } from "../../src/core/replication/types.ts";
import { StockView } from "../../src/core/service/stock-view.ts";
import { decideTurn } from "../../src/core/service/turn.ts";
import { openCatalogStore } from "../../src/io/journal/catalog-store.ts";
import { DataFileError } from "../../src/io/journal/errors.ts";
import { type FileJournal, openJournal } from "../../src/io/journal/journal.ts";
import { Ledger } from "../../src/io/journal/ledger.ts";
import { readSecret, SecretError } from "../../src/io/rpc/secret.ts";
import {
  CATALOG,
  IDENTITY,
  type Specimen,
  stocksText,
  type Truth,
  type Turn,
} from "./specimens.ts";

export type Outcome = "refused" | "healed" | "harmless";

/** Something was answered that isn't true. */
export class WrongAnswer extends Error {}

/** Slices in which the journal is read. */
const READ_BYTES = 1 << 20;

/**
 * Starts the role of a specimen on its files in `folder`. `whileOpen` is called
 * once it has started, before it is asked anything. Throws WrongAnswer, and
 * whatever else the role ends with that isn't a refusal.
 */
export function examine(
  { kind, folder: original }: Specimen,
  folder: string,
  truth: Truth,
  whileOpen: () => void = () => {},
): Outcome {
  try {
    switch (kind) {
      case "order":
        return examineReplica(join(folder, "order.db"), truth, whileOpen);
      case "catalog":
        return examineCatalog(join(folder, "catalog.db"), truth, whileOpen);
      case "secret":
        // With another secret than the others it is refused by all of them.
        return readSecret(folder) === readSecret(original) ? "harmless" : "refused";
    }
  } catch (error) {
    const refused = error instanceof DataFileError || error instanceof SecretError;
    if (refused && !error.message.includes("\n")) return "refused";
    throw error;
  }
}

function examineReplica(path: string, truth: Truth, whileOpen: () => void): Outcome {
  const { lastPosition, turns, trades, after } = truth;
  const first = new Replica(path, whileOpen);
  try {
    first.expectJournal(truth);
    first.expect(turns);
    first.trade(trades);
  } finally {
    first.close();
  }
  const again = new Replica(path);
  try {
    expectEqual("the newest position", again.lastPosition, lastPosition + 1);
    again.expect(after);
  } finally {
    again.close();
  }
  return "harmless";
}

/** A replica that leads, with all that its journal holds committed. */
class Replica {
  readonly #journal: FileJournal;
  readonly #ledger: Ledger;
  readonly #market: MarketState;

  constructor(path: string, whileOpen: () => void = () => {}) {
    this.#journal = openJournal(path, { replica: IDENTITY.replica, cluster: IDENTITY.cluster });
    try {
      this.#ledger = new Ledger(this.#journal);
      // Or nothing would be read from the tables again.
      this.#journal.database.exec("PRAGMA shrink_memory");
      whileOpen();
      for (const entry of this.#journal.entries(this.#ledger.appliedPosition, READ_BYTES)) {
        this.#queue(entry);
      }
      this.#ledger.flush();
      this.#market = new MarketState({
        stocks: this.#ledger.stocks(),
        lastNumber: this.#ledger.lastNumber,
        older: this.#ledger,
      });
    } catch (error) {
      this.#journal.close();
      throw error;
    }
  }

  get lastPosition(): number {
    return this.#journal.lastPosition;
  }

  /** Whose it is, what it promised, and what others may read of it. */
  expectJournal({ hardState, lastPosition, digest, admissions, entries }: Truth): void {
    const journal = this.#journal;
    expectEqual("whose it is", journal.identity, IDENTITY);
    expectEqual("the promise", journal.hardState, hardState);
    expectEqual("the newest position", journal.lastPosition, lastPosition);
    expectEqual("the digest", journal.digestAt(lastPosition), digest);
    expectEqual("the admissions", journal.admissions(), admissions);
    expectEqual(
      "the epochs",
      entries.map(({ position }) => journal.epochAt(position)),
      entries.map(({ epoch }) => epoch),
    );
    let position = 0;
    while (position < lastPosition) {
      for (const entry of journal.entries(position, READ_BYTES)) {
        expectEqual("an entry", bodyOf(entry), bodyOf(entries[position]));
        position = entry.position;
      }
    }
  }

  expect(turns: readonly Turn[]): void {
    for (const turn of turns) {
      const entries = this.#ask(turn);
      expectEqual("what repeated questions changed", entries.length, 0);
    }
  }

  trade(turn: Turn): void {
    const position = this.lastPosition + 1;
    const [bytes, ...more] = this.#ask(turn);
    if (bytes === undefined) throw new WrongAnswer("new trades changed nothing");
    expectEqual("the entries of new trades", more.length, 0);
    const { epoch } = this.#journal.hardState.promise;
    const entry: Entry = { position, epoch, at: 0, body: { kind: "command", bytes } };
    this.#journal.write({ entries: [entry] });
    this.#queue(entry);
    this.#ledger.flush();
    this.#market.releaseThrough(this.#ledger.appliedPosition);
  }

  close(): void {
    this.#journal.close();
  }

  #queue({ position, body }: Entry): void {
    this.#ledger.queue(position, body.kind === "command" ? decodeCommands(body.bytes) : []);
  }

  /** Expects the right answers; gives the entries that the questions make. */
  #ask({ questions, answers }: Turn): readonly Uint8Array[] {
    const { asks, entries } = decideTurn({
      market: this.#market,
      tables: this.#ledger,
      statePosition: this.lastPosition,
      nextPosition: this.lastPosition + 1,
      asks: [questions],
      observer: {},
    });
    const told = JSON.stringify(asks[0]?.answers);
    if (told !== answers) throw new WrongAnswer(difference(told, answers));
    return entries;
  }
}

function examineCatalog(path: string, truth: Truth, whileOpen: () => void): Outcome {
  let healed = false;
  const open = () =>
    openCatalogStore({
      path,
      role: CATALOG,
      cluster: IDENTITY.cluster,
      renewed: () => {
        healed = true;
      },
      clusterElsewhere: () => ({ name: IDENTITY.cluster, members: IDENTITY.members }),
    });
  const last = truth.lastPosition;
  const store = open();
  try {
    whileOpen();
    // At an older position it reads on, and what it says there was true there.
    expectEqual("the view", stocksText(store.stocks()), truth.stocksAt.get(store.position));
    const view = new StockView({ position: store.position, stocks: store.stocks() });
    view.receive(view.fresh(truth.entries.map(toCommitted)));
    view.show(last);
    expectEqual("the view's position", view.position, last);
    expectEqual("the newest view", stocksText(view.stocks()), truth.stocksAt.get(last));
    const unsaved = view.takeUnsaved();
    if (unsaved !== null) store.save(unsaved.position, unsaved.stocks);
    store.save(last, view.stocks());
  } finally {
    store.close();
  }
  const again = open();
  try {
    if (!healed) expectEqual("the position that was saved", again.position, last);
    expectEqual("the view", stocksText(again.stocks()), truth.stocksAt.get(again.position));
  } finally {
    again.close();
  }
  return healed ? "healed" : "harmless";
}

function bodyOf(entry: Entry | undefined): unknown {
  if (entry?.body.kind !== "command") return entry;
  return { ...entry, body: Buffer.from(entry.body.bytes).toString("hex") };
}

function expectEqual(what: string, told: unknown, right: unknown): void {
  const [a, b] = [JSON.stringify(told), JSON.stringify(right)];
  if (a !== b) throw new WrongAnswer(`${what}: ${difference(a, b)}`);
}

/** Where two texts part. */
function difference(told: string | undefined, right: string | undefined): string {
  if (told === undefined || right === undefined) return `${told} instead of ${right}`;
  let at = 0;
  while (at < told.length && told[at] === right[at]) at++;
  const part = (text: string) => text.slice(Math.max(0, at - 40), at + 40);
  return `… ${part(told)} … instead of … ${part(right)} …`;
}
