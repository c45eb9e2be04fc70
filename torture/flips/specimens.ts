// The files that bits are flipped in, and what is true in them.
//
// Made by trading through the code that a replica and a catalog write with: a
// market decides turns of questions, their entries go into a journal, what is
// committed into its tables and a catalog's file. The truth is kept beside them
// in memory, by a market that never reads a file. Nothing is left to chance but
// what the seed says, so that a flip can be tried again.

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Random } from "../../simulation/random.ts";
import { decodeCommands } from "../../src/core/market/codec.ts";
import type { Stock } from "../../src/core/market/types.ts";
import type { Admission } from "../../src/core/replication/admissions.ts";
import type { Entry, HardState } from "../../src/core/replication/types.ts";
import { StockView } from "../../src/core/service/stock-view.ts";
import type { Question } from "../../src/core/service/types.ts";
import {
  type CatalogStore,
  createCatalogFile,
  openCatalogStore,
} from "../../src/io/journal/catalog-store.ts";
import { createJournalFile, type FileJournal, openJournal } from "../../src/io/journal/journal.ts";
import { Ledger } from "../../src/io/journal/ledger.ts";
import type { JournalIdentity } from "../../src/io/journal/types.ts";
import { makeSecret } from "../../src/io/rpc/secret.ts";
import { Memory } from "./memory.ts";

export const IDENTITY: JournalIdentity = {
  cluster: "a cluster for flips",
  members: [9090, 9092, 9094],
  replica: 9094,
  incarnation: 1,
};
export const CATALOG = "catalog";

/** Enough that stocks, orders and request ids each take several pages, below an inner one. */
const STOCKS = 170;
const TURNS = 40;
const QUESTIONS_PER_TURN_MAX = 8;
/** Now and then a turn whose entry doesn't fit into one page. */
const QUESTIONS_OF_A_LARGE_TURN = 100;
const LARGE_TURNS = [15, 30];
/** Turns after which another replica leads: what the one before had not committed is dropped. */
const REIGNS = [0, 10, 20, 33];
const DROPPED_ENTRIES = 12;
/** Turns in which the replacement of a lost disk is admitted. */
const ADMISSIONS = [7, 24, 36];
const SAVE_EVERY_TURNS = 7;
/** The last turns, which in a crash are in the write-ahead logs only. */
const TURNS_IN_LOG = 9;
/** Small: they are copied for every flip. */
const SEGMENT_BYTES = 16 * 1024;
/** Commands that wait for the tables before they are written. */
const FLUSH_COMMANDS = 15;
const PAGE_OF_ORDERS = 100;
const QUANTITY = 1_000_000;

/** Files as a process left them. */
export interface Specimen {
  readonly name: string;
  readonly kind: "order" | "catalog" | "secret";
  readonly folder: string;
  /** Names of the files in it; bits are flipped in any of them. */
  readonly files: readonly string[];
}

/** Questions that are asked together, and the answers to them, as JSON. */
export interface Turn {
  readonly questions: readonly Question[];
  readonly answers: string;
}

/** What is true in the files. */
export interface Truth {
  readonly hardState: HardState;
  readonly lastPosition: number;
  /** Of the whole journal, hex. */
  readonly digest: string;
  readonly admissions: readonly Admission[];
  /** Everything that can be asked, but for new trades. */
  readonly turns: readonly Turn[];
  /** Trades that nobody made before; `after` is everything that can be asked then. */
  readonly trades: Turn;
  readonly after: readonly Turn[];
  readonly entries: readonly Entry[];
  /** At each position at which the catalog saved them, as JSON; at the end of the journal too. */
  readonly stocksAt: ReadonlyMap<number, string>;
}

export interface Specimens {
  readonly specimens: readonly Specimen[];
  readonly truth: Truth;
}

/** Makes all files in an empty folder. */
export function makeSpecimens(folder: string, seed: number): Specimens {
  const maker = new Maker(folder, new Random(seed));
  maker.trade();
  return maker.finish();
}

/** All stocks, by name, as JSON. */
export function stocksText(stocks: readonly Stock[]): string {
  return JSON.stringify(
    stocks
      .map(({ name, price, quantity }) => [name, price, quantity] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

class Maker {
  readonly #folder: string;
  readonly #random: Random;
  readonly #memory = new Memory();
  readonly #recorded: Question[] = [];
  readonly #stocksAt = new Map<number, string>();
  readonly #journal: FileJournal;
  readonly #ledger: Ledger;
  #store: CatalogStore;
  readonly #view = new StockView({ position: 0, stocks: [] });
  readonly #admissions: Admission[] = [];
  #made = 0;

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
    const orderFile = join(this.#folderOf("live"), "order.db");
    const catalogFile = join(folder, "live", "catalog.db");
    const hardState = { promise: { epoch: 0, nominee: IDENTITY.replica }, voter: true };
    const listed = Array.from({ length: STOCKS }, (_, index) =>
      this.#memory.ask([this.#listing(index)]),
    );
    const first = listed.flatMap(({ entries }) => entries);
    createJournalFile(orderFile, IDENTITY, hardState, first);
    const { replica } = IDENTITY;
    this.#journal = openJournal(orderFile, { replica, segmentBytes: SEGMENT_BYTES });
    this.#ledger = new Ledger(this.#journal);
    createCatalogFile(catalogFile, { name: IDENTITY.cluster, members: IDENTITY.members });
    this.#store = openCatalogStore({ path: catalogFile, role: CATALOG });
    this.#stocksAt.set(0, stocksText([]));
    this.#commit(first);
  }

  trade(): void {
    for (let turn = 0; turn < TURNS; turn++) {
      if (REIGNS.includes(turn)) this.#beginReign();
      if (ADMISSIONS.includes(turn)) this.#admit(turn);
      const questions = LARGE_TURNS.includes(turn)
        ? QUESTIONS_OF_A_LARGE_TURN
        : 1 + this.#random.below(QUESTIONS_PER_TURN_MAX);
      const asked = Array.from({ length: questions }, () => this.#newQuestion());
      this.#recorded.push(...asked);
      this.#append(this.#memory.ask(asked).entries);
      if (turn % SAVE_EVERY_TURNS === 0) this.#save();
      if (turn === TURNS - TURNS_IN_LOG) this.#truncateLogs();
    }
  }

  finish(): Specimens {
    const specimens: Specimen[] = [
      this.#copied("a crashed replica", "order", ["order.db", "order.db-wal"]),
      this.#copied("a crashed catalog", "catalog", ["catalog.db", "catalog.db-wal"]),
    ];
    this.#save();
    this.#ledger.flush();
    const { hardState, lastPosition } = this.#journal;
    const digest = this.#journal.digestAt(lastPosition);
    this.#journal.close();
    this.#store.close();
    specimens.push(
      this.#copied("a stopped replica", "order", ["order.db"]),
      this.#copied("a stopped catalog", "catalog", ["catalog.db"]),
    );
    const secret = this.#folderOf("the secret");
    makeSecret(secret);
    specimens.push({ name: "the secret", kind: "secret", folder: secret, files: ["secret"] });

    const turns = this.#everything();
    const entries = [...this.#memory.entries];
    const fresh = [this.#newQuestion(), this.#newQuestion(), this.#clientQuestion()];
    const trades = this.#turn(fresh);
    this.#recorded.push(...fresh);
    const after = this.#everything();
    const truth: Truth = {
      hardState,
      lastPosition,
      digest,
      admissions: this.#admissions,
      turns,
      trades,
      after,
      entries,
      stocksAt: this.#stocksAt,
    };
    return { specimens, truth };
  }

  /** Questions about everything that is there, and some things that aren't. */
  #everything(): Turn[] {
    const { market } = this.#memory;
    const turns: Question[][] = [];
    for (let after = 0; after <= market.lastNumber; after += PAGE_OF_ORDERS) {
      turns.push([{ kind: "orders", after, limit: PAGE_OF_ORDERS }]);
    }
    turns.push(
      this.#orderNumbers().map((number) => ({ kind: "order", number })),
      market.stocks().map(({ name }) => ({ kind: "lookup", name })),
      [
        { kind: "stocks", after: "", limit: 2 * STOCKS },
        { kind: "lookup", name: "Nowhere" },
      ],
      [...this.#recorded],
      this.#recorded.filter((_, index) => index % 16 === 0).map(otherwise),
    );
    return turns.map((questions) => this.#turn(questions));
  }

  /** Some, since the pages have all of them; the first and the last, and a few that nobody has. */
  #orderNumbers(): number[] {
    const { lastNumber } = this.#memory.market;
    const all = Array.from({ length: lastNumber + 3 }, (_, number) => number);
    return all.filter((number) => number % 8 < 2 || number > lastNumber - 2);
  }

  #turn(questions: readonly Question[]): Turn {
    return { questions, answers: JSON.stringify(this.#memory.ask(questions).answers) };
  }

  #beginReign(): void {
    const { epoch } = this.#memory;
    const { lastPosition } = this.#journal;
    if (epoch > 0) {
      const body = { kind: "command", bytes: Buffer.alloc(3_000, "dropped") } as const;
      const entries = Array.from({ length: DROPPED_ENTRIES }, (_, index) => {
        const position = lastPosition + 1 + index;
        return { position, epoch, at: 0, body };
      });
      this.#journal.write({ entries });
      this.#journal.write({ truncateFrom: lastPosition + 1 });
    }
    this.#memory.epoch = epoch + 1 + this.#random.below(100);
    const promise = { epoch: this.#memory.epoch, nominee: this.#random.pick([9090, 9092, 9094]) };
    this.#journal.write({ hardState: { promise, voter: true } });
    this.#append([this.#memory.add({ kind: "reign", leader: promise.nominee, state: "" })]);
  }

  #admit(turn: number): void {
    const incarnation = 1_800_000_000_000 + turn;
    const entry = this.#memory.add({ kind: "admit", replica: 9090, incarnation });
    this.#admissions.push({ position: entry.position, replica: 9090, incarnation });
    this.#append([entry]);
  }

  /** Writes entries as a replica does, and then what the tables lack. */
  #append(entries: readonly Entry[]): void {
    this.#journal.write({ entries });
    if (this.#ledger.pendingCommands >= FLUSH_COMMANDS) this.#ledger.flush();
    this.#commit(entries);
  }

  #commit(entries: readonly Entry[]): void {
    for (const { position, body } of entries) {
      const commands = body.kind === "command" ? decodeCommands(body.bytes) : [];
      this.#ledger.queue(position, commands);
      this.#view.receive([{ position, commands }]);
      this.#view.show(position);
    }
  }

  #save(): void {
    const unsaved = this.#view.takeUnsaved();
    if (unsaved !== null) this.#store.save(unsaved.position, unsaved.stocks);
    this.#stocksAt.set(this.#view.position, stocksText(this.#view.stocks()));
  }

  /** So that what follows is in logs that begin here. */
  #truncateLogs(): void {
    this.#journal.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#store.close();
    this.#store = openCatalogStore({ path: this.#store.path, role: CATALOG });
  }

  #newQuestion(): Question {
    return this.#random.chance(0.7) ? this.#trade(this.#madeId()) : this.#clientQuestion();
  }

  /** Under a key that a client drew or thought of. */
  #clientQuestion(): Question {
    const drawn = this.#random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
    const key = this.#random.chance(0.5) ? `key ${drawn}` : `${drawn}-0000-4000-8000-000000000000`;
    if (this.#random.chance(0.8)) return this.#trade(key);
    const name = nameOf(this.#random.below(STOCKS));
    const content = { kind: "adjust", name, by: 1 + this.#random.below(9) } as const;
    return { kind: "request", requestId: key, content, recordRefusal: true };
  }

  /** Some ask for more than there is. */
  #trade(requestId: string): Question {
    const name = nameOf(this.#random.below(STOCKS));
    const quantity = this.#random.chance(0.1) ? 2 * QUANTITY : 1 + this.#random.below(99);
    const type = quantity > QUANTITY || this.#random.chance(0.5) ? "buy" : "sell";
    const content = { kind: "trade", name, type, quantity } as const;
    return { kind: "request", requestId, content, recordRefusal: true };
  }

  #listing(index: number): Question {
    const content = {
      kind: "list",
      name: nameOf(index),
      price: 1 + this.#random.below(9_999) / 100,
      quantity: QUANTITY,
    } as const;
    const requestId = `first ${index}`;
    const question: Question = { kind: "request", requestId, content, recordRefusal: true };
    this.#recorded.push(question);
    return question;
  }

  /** As a front end makes them: they grow. */
  #madeId(): string {
    this.#made++;
    const time = (0x019000000000 + this.#made * 7).toString(16).padStart(12, "0");
    const rest = this.#random
      .below(2 ** 32)
      .toString(16)
      .padStart(12, "0");
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${rest}`;
  }

  #copied(name: string, kind: Specimen["kind"], files: readonly string[]): Specimen {
    const folder = this.#folderOf(name);
    const live = join(this.#folder, "live");
    const segments = kind === "order" ? readdirSync(join(live, "journal")) : [];
    const all = [...files, ...segments.map((segment) => join("journal", segment))];
    for (const file of all) {
      mkdirSync(dirname(join(folder, file)), { recursive: true, mode: 0o700 });
      copyFileSync(join(live, file), join(folder, file));
    }
    return { name, kind, folder, files: all.filter((file) => existsSync(join(folder, file))) };
  }

  /** A folder of this name, made. */
  #folderOf(name: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }
}

/** Another request under the same id: refused as one that was used for something else. */
function otherwise(question: Question): Question {
  if (question.kind !== "request") return question;
  const content = { kind: "adjust", name: question.content.name, by: 77 } as const;
  return { ...question, content };
}

/** Letters only: "aa", "ab" … */
function nameOf(index: number): string {
  const letter = (value: number): string => String.fromCharCode(97 + (value % 26));
  return `Co${letter(Math.floor(index / 26))}${letter(index)}`;
}
