// One turn of the leader: all questions that arrived together, decided.
//
// Changes are decided first, in the order they came, each on the state that the
// one before left. Then everything that only reads is read from the state they
// leave. All these questions are under way at once, so any order of them is
// right for their clients; this one makes what was read true at exactly the
// position that it is labelled with. A lookup between two changes of one entry
// would be true at no position, and a cache could keep it as if it were newer.
//
// Decides only: what must be appended, and what each answer has to wait for, is
// for the caller.

import { encodeCommands } from "../market/codec.ts";
import { type Decision, decide } from "../market/decide.ts";
import { ownerOf } from "../market/keys.ts";
import type { MarketState } from "../market/state.ts";
import { NAMES_SEARCHED_MAX, PIECE_LETTERS_MAX } from "../market/stock-lists.ts";
import type { Command, Request, Stock } from "../market/types.ts";
import { ENTRY_BYTES_MAX, LETTERS_READ_PER_TURN_MAX, ROWS_READ_PER_TURN_MAX } from "./limits.ts";
import type { Answer, OrderView, OwnedOrder, Question } from "./types.ts";

/** The durable tables, as far as questions read them. */
export interface OrderTables {
  order(number: number): OrderView | undefined;
  /** Orders with a number above `after`, ascending, at most `limit`. */
  orders(after: number, limit: number): readonly OrderView[];
  /** The request id of each of these orders, ascending by number; slower: it reads the journal. */
  requestIds(first: number, last: number): readonly string[];
  /** Runs `read` with one read transaction for all that it asks of the tables. */
  readTogether<T>(read: () => T): T;
}

/** Who is told of each change as it is decided. */
export interface TurnObserver {
  /** `found` is the stock as it was before. */
  decided(request: Request, found: Stock | undefined, decision: Decision): void;
}

/** The answers to one `ask`, not to be told yet. */
export interface DecidedAsk {
  readonly answers: Answer[];
  /** Something in it doesn't prove by an entry of its own that this replica still leads. */
  readonly needsConfirm: boolean;
}

export interface DecidedTurn {
  /** One for each ask, in order. */
  readonly asks: readonly DecidedAsk[];
  /** The commands of the turn, one element per entry to append; already applied to the market. */
  readonly entries: readonly Uint8Array[];
}

export interface TurnInput {
  readonly market: MarketState;
  readonly tables: OrderTables;
  /** Position of the newest state before the turn. */
  readonly statePosition: number;
  /** Position that the first entry of the turn will get. */
  readonly nextPosition: number;
  readonly asks: readonly (readonly Question[])[];
  readonly observer: Partial<TurnObserver>;
}

/** Decides all asks of a turn and applies what was decided to `market`. */
export function decideTurn(input: TurnInput): DecidedTurn {
  return input.tables.readTogether(() => decideTogether(input));
}

function decideTogether(input: TurnInput): DecidedTurn {
  const batch = new EntryBatch();
  const asks = input.asks.map((questions) => decideChanges(input, questions, batch));
  const entries = batch.finish();
  const position =
    entries.length === 0 ? input.statePosition : input.nextPosition + entries.length - 1;
  const reads = new Reads(input.market, input.tables, position);
  input.asks.forEach((questions, index) => {
    const ask = asks[index];
    if (ask?.reads) reads.answer(questions, ask.answers);
  });
  return { asks, entries };
}

interface AskInHand extends DecidedAsk {
  readonly reads: boolean;
}

function decideChanges(
  { market, nextPosition, observer }: TurnInput,
  questions: readonly Question[],
  batch: EntryBatch,
): AskInHand {
  const answers: Answer[] = new Array(questions.length);
  let needsConfirm = false;
  let reads = false;
  for (const [index, question] of questions.entries()) {
    if (question.kind !== "request") {
      reads = true;
      continue;
    }
    const found = observer.decided && market.stock(question.content.name);
    const decision = decide(market, question);
    const { outcome, command } = decision;
    if (command === null) {
      needsConfirm = true;
    } else {
      market.apply(nextPosition + batch.entryIndex, [command]);
      batch.add(command);
    }
    observer.decided?.(question, found, decision);
    answers[index] = { kind: "outcome", outcome };
  }
  return { answers, needsConfirm: needsConfirm || reads, reads };
}

/** Commands on their way into entries of bounded size. */
class EntryBatch {
  readonly #entries: Uint8Array[] = [];
  #commands: Command[] = [];
  #bytes = 0;

  /** Which entry of the turn the next command goes into, from 0. */
  get entryIndex(): number {
    return this.#entries.length;
  }

  add(command: Command): void {
    this.#commands.push(command);
    this.#bytes += bytesAbout(command);
    if (this.#bytes >= ENTRY_BYTES_MAX) this.#close();
  }

  finish(): readonly Uint8Array[] {
    if (this.#commands.length > 0) this.#close();
    return this.#entries;
  }

  #close(): void {
    this.#entries.push(encodeCommands(this.#commands));
    this.#commands = [];
    this.#bytes = 0;
  }
}

/** Of a key but for its stocks: name, digest and rights. */
const KEY_BYTES = 160;

/** Close enough to split by: strings are counted by their length, the rest is at most this. */
function bytesAbout(command: Command): number {
  const fixed = 32 + command.requestId.length;
  if (command.kind === "key") return fixed + KEY_BYTES + command.stocks.length;
  if (command.kind !== "refuse") return fixed + command.name.length;
  const { content } = command;
  return fixed + content.name.length + (content.kind === "trade" ? content.type.length : 0);
}

/** Answers the questions that change nothing, all from one state. */
class Reads {
  readonly #market: MarketState;
  readonly #tables: OrderTables;
  readonly #position: number;
  #rowsLeft = ROWS_READ_PER_TURN_MAX;
  #lettersLeft = LETTERS_READ_PER_TURN_MAX;

  constructor(market: MarketState, tables: OrderTables, position: number) {
    this.#market = market;
    this.#tables = tables;
    this.#position = position;
  }

  answer(questions: readonly Question[], answers: Answer[]): void {
    for (const [index, question] of questions.entries()) {
      if (question.kind !== "request") answers[index] = this.#answer(question);
    }
  }

  /** "busy" is said before anything is read: nothing is read that can't be told. */
  #answer(question: Exclude<Question, { kind: "request" }>): Answer {
    const rows = rowsOf(question);
    if (rows > this.#rowsLeft || this.#lettersLeft <= 0) return { kind: "busy" };
    const answer = this.#read(question);
    this.#rowsLeft -= rows;
    this.#lettersLeft -= lettersOf(answer);
    return answer;
  }

  #read(question: Exclude<Question, { kind: "request" }>): Answer {
    switch (question.kind) {
      case "order": {
        const { number } = question;
        const order = this.#market.order(number) ?? this.#tables.order(number);
        return { kind: "order", order: order === undefined ? null : orderView(order) };
      }
      case "orders":
        return this.#page(question);
      case "keys": {
        const { keys } = this.#market;
        const isKnown = question.known === keys.version;
        return { kind: "keys", version: keys.version, keys: isKnown ? null : keys.all() };
      }
      case "lookup": {
        const stock = this.#market.stock(question.name) ?? null;
        return { kind: "stock", stock, position: this.#position };
      }
      case "stocks":
        return this.#market.list(question, this.#position);
    }
  }

  /** The tables hold the older orders, the market's tail the newest; they may overlap, never leave a gap. */
  #page({ after, limit, owned = false }: Extract<Question, { kind: "orders" }>): Answer {
    const older = this.#tables.orders(after, limit);
    const newer = this.#market.orders(older.at(-1)?.number ?? after, limit - older.length);
    const views = withinLetters([...older, ...newer]).map(orderView);
    const orders = owned ? this.#owned(views) : views;
    const last = orders.at(-1)?.number ?? after;
    const more = orders.length > 0 && last < this.#market.lastNumber;
    return { kind: "orders", orders, next: more ? last : null };
  }

  /** With whose they are, which only the request ids say. */
  #owned(orders: readonly OrderView[]): OwnedOrder[] {
    const held = orders.findIndex(({ number }) => this.#market.order(number) !== undefined);
    const older = orders.slice(0, held === -1 ? orders.length : held);
    const [first, last] = [older[0], older.at(-1)];
    const requestIds = first && last ? this.#tables.requestIds(first.number, last.number) : [];
    return orders.map((order, index) => {
      const requestId = requestIds[index] ?? this.#market.order(order.number)?.requestId ?? "";
      return { ...order, key: ownerOf(requestId) };
    });
  }
}

/** Of orders of stocks with very long names a page has fewer. */
function withinLetters(orders: readonly OrderView[]): readonly OrderView[] {
  let letters = 0;
  const end = orders.findIndex(({ name }, index) => {
    letters += name.length;
    return letters > PIECE_LETTERS_MAX && index > 0;
  });
  return end === -1 ? orders : orders.slice(0, end);
}

/** Rows that are read for the answer, at most. */
function rowsOf(question: Exclude<Question, { kind: "request" }>): number {
  if (question.kind === "stocks" && question.containing !== undefined) return NAMES_SEARCHED_MAX;
  return "limit" in question ? question.limit : 0;
}

/** Letters of the names in an answer that was read. */
function lettersOf(answer: Answer): number {
  switch (answer.kind) {
    case "order":
      return answer.order?.name.length ?? 0;
    case "orders":
      return answer.orders.reduce((letters, { name }) => letters + name.length, 0);
    case "stock":
      return answer.stock?.name.length ?? 0;
    case "stocks":
      return answer.stocks.reduce((letters, { name }) => letters + name.length, 0);
    default:
      return 0;
  }
}

/** Only what clients see, whatever else the order carries here. */
function orderView({ number, name, type, quantity }: OrderView): OrderView {
  return { number, name, type, quantity };
}
