// The kinds of requests and of commands, each with all that differs between them,
// in two tables: its bytes, its canonical fields, what no market accepts, what is
// remembered of it, what it does to a stock. A new kind is a row here, its rules in
// decide.ts, and its checks in audit.ts, which shares no code with these on purpose.
//
// Every recorded command carries the whole content of its request, so that the
// tables of a replica need nothing else to tell a further attempt from a request id
// that is used a second time for something else.
//
// Longer than 400 lines because each kind is a row, and stands once.

import { fail, type RecordReader, type RecordWriter } from "./codec-bytes.ts";
import { isKey, isKeyName } from "./keys.ts";
import { NAME_LETTERS_MAX, PRICE_MAX, QUANTITY_MAX } from "./limits.ts";
import type { ApiKey, Command, Content, RecordedRequest, Refusal, Stock } from "./types.ts";

/** One fact in its canonical form. */
export type Field = string | number;

/** One kind of content. */
interface ContentKind<C extends Content> {
  /** First bytes that it can have. Written to disk: add numbers, never change one. */
  readonly tags: readonly number[];
  /** Which of `tags` it has. */
  tag(content: C): number;
  /** What follows the first byte and the name, and the content that they make. */
  write(writer: RecordWriter, content: C): void;
  read(reader: RecordReader, tag: number, name: string): C;
  /** What there is beside kind and name, as many for each: where these are the same, it is the same content. */
  fields(content: C): readonly Field[];
  /** Why no market accepts it, whatever its name is; else null. */
  impossible(content: C): Refusal | null;
  /** Of how much it is: a refusal for that needn't repeat it. */
  quantity(content: C): number;
}

/** One kind of command. */
interface CommandKind<C extends Command> {
  /** As of ContentKind. */
  readonly tags: readonly number[];
  tag(command: C): number;
  /** What follows the first byte; properties are read in the order they are written. */
  write(writer: RecordWriter, command: C): void;
  read(reader: RecordReader, tag: number): C;
  /** What it makes remembered under its request id. */
  recorded(command: C): RecordedRequest;
  effect(command: C): StockEffect | null;
}

/** What a command does to a stock. */
export type StockEffect =
  | { readonly kind: "list"; readonly stock: Stock }
  | { readonly kind: "move"; readonly name: string; readonly by: number };

type Of<U extends { readonly kind: string }, K extends U["kind"]> = Extract<U, { kind: K }>;

const [CONTENT_BUY, CONTENT_SELL, CONTENT_OTHER_TYPE] = [1, 2, 3];
const [BUY, SELL] = [1, 2];

const CONTENTS: { readonly [K in Content["kind"]]: ContentKind<Of<Content, K>> } = {
  trade: {
    tags: [CONTENT_BUY, CONTENT_SELL, CONTENT_OTHER_TYPE],
    tag: ({ type }) =>
      type === "buy" ? CONTENT_BUY : type === "sell" ? CONTENT_SELL : CONTENT_OTHER_TYPE,
    write(writer, { type, quantity }) {
      if (type !== "buy" && type !== "sell") writer.string(type);
      writer.number(quantity);
    },
    read(reader, tag, name) {
      const type = tag === CONTENT_BUY ? "buy" : tag === CONTENT_SELL ? "sell" : reader.string();
      return { kind: "trade", name, type, quantity: reader.number() };
    },
    fields: ({ type, quantity }) => [type, quantity],
    impossible({ type, quantity }) {
      // A whole number beyond QUANTITY_MAX is a quantity like any other, only more
      // than anybody has: the reference program answers it with "Insufficient volume".
      if (!Number.isInteger(quantity) || quantity <= 0) return invalidQuantity(quantity);
      return type === "buy" || type === "sell" ? null : { kind: "unknown-type", type };
    },
    quantity: ({ quantity }) => quantity,
  },
  list: {
    tags: [4],
    tag: () => 4,
    write(writer, { price, quantity }) {
      writer.number(price);
      writer.number(quantity);
    },
    read: (reader, _tag, name) => ({
      kind: "list",
      name,
      price: reader.number(),
      quantity: reader.number(),
    }),
    fields: ({ price, quantity }) => [price, quantity],
    impossible({ price, quantity }) {
      if (!isPrice(price)) return invalidQuantity(price);
      return isQuantity(quantity) ? null : invalidQuantity(quantity);
    },
    quantity: ({ quantity }) => quantity,
  },
  adjust: {
    tags: [5],
    tag: () => 5,
    write: (writer, { by }) => writer.number(by),
    read: (reader, _tag, name) => ({ kind: "adjust", name, by: reader.number() }),
    fields: ({ by }) => [by],
    impossible: ({ by }) => (isQuantity(Math.abs(by)) ? null : invalidQuantity(by)),
    quantity: ({ by }) => by,
  },
  key: {
    tags: [6],
    tag: () => 6,
    write: writeKey,
    read: (reader, _tag, name) => ({ kind: "key", ...readKey(reader, name) }),
    fields: ({ digest, may, stocks, expiresAtMs }) => [digest, may, stocks, expiresAtMs],
    impossible: (key) => (isKey(key) ? null : { kind: "invalid-key", name: key.name }),
    quantity: () => 0,
  },
  revoke: {
    tags: [7],
    tag: () => 7,
    write() {},
    read: (_reader, _tag, name) => ({ kind: "revoke", name }),
    fields: () => [],
    impossible: ({ name }) => (isKeyName(name) ? null : { kind: "unknown-key", name }),
    quantity: () => 0,
  },
};

const COMMANDS: { readonly [K in Command["kind"]]: CommandKind<Of<Command, K>> } = {
  order: {
    tags: [BUY, SELL],
    tag: ({ type }) => (type === "buy" ? BUY : SELL),
    write(writer, { number, requestId, name, quantity, price }) {
      writer.varint(number);
      writer.string(requestId);
      writer.string(name);
      writer.varint(quantity);
      writer.number(price);
    },
    read: (reader, tag) => ({
      kind: "order",
      number: reader.varint(),
      requestId: reader.string(),
      name: reader.string(),
      type: tag === BUY ? "buy" : "sell",
      quantity: reader.varint(),
      price: reader.number(),
    }),
    recorded: ({ number, name, type, quantity }) => ({
      content: { kind: "trade", name, type, quantity },
      outcome: { kind: "accepted", number },
    }),
    effect: ({ name, type, quantity }) => ({
      kind: "move",
      name,
      by: type === "buy" ? -quantity : quantity,
    }),
  },
  refuse: {
    tags: [3],
    tag: () => 3,
    write(writer, { requestId, content, refusal }) {
      writer.string(requestId);
      writeContent(writer, content);
      writeRefusal(writer, refusal, content);
    },
    read(reader) {
      const requestId = reader.string();
      const content = readContent(reader);
      return { kind: "refuse", requestId, content, refusal: readRefusal(reader, content) };
    },
    recorded: ({ content, refusal }) => ({ content, outcome: { kind: "refused", refusal } }),
    effect: () => null,
  },
  list: {
    tags: [4],
    tag: () => 4,
    write(writer, { requestId, name, price, quantity }) {
      writer.string(requestId);
      writer.string(name);
      writer.number(price);
      writer.varint(quantity);
    },
    read: (reader) => ({
      kind: "list",
      requestId: reader.string(),
      name: reader.string(),
      price: reader.number(),
      quantity: reader.varint(),
    }),
    recorded: ({ name, price, quantity }) => ({
      content: { kind: "list", name, price, quantity },
      outcome: { kind: "listed" },
    }),
    effect: ({ name, price, quantity }) => ({ kind: "list", stock: { name, price, quantity } }),
  },
  adjust: {
    tags: [5],
    tag: () => 5,
    write(writer, { requestId, name, by }) {
      writer.string(requestId);
      writer.string(name);
      writer.number(by);
    },
    read: (reader) => ({
      kind: "adjust",
      requestId: reader.string(),
      name: reader.string(),
      by: reader.number(),
    }),
    recorded: ({ name, by }) => ({
      content: { kind: "adjust", name, by },
      outcome: { kind: "adjusted" },
    }),
    effect: ({ name, by }) => ({ kind: "move", name, by }),
  },
  key: {
    tags: [6],
    tag: () => 6,
    write(writer, command) {
      writer.string(command.requestId);
      writer.string(command.name);
      writeKey(writer, command);
    },
    read(reader) {
      const requestId = reader.string();
      return { kind: "key", requestId, ...readKey(reader, reader.string()) };
    },
    recorded: ({ requestId: _, ...content }) => ({ content, outcome: { kind: "key-made" } }),
    effect: () => null,
  },
  revoke: {
    tags: [7],
    tag: () => 7,
    write(writer, { requestId, name }) {
      writer.string(requestId);
      writer.string(name);
    },
    read: (reader) => ({ kind: "revoke", requestId: reader.string(), name: reader.string() }),
    recorded: ({ name }) => ({
      content: { kind: "revoke", name },
      outcome: { kind: "key-revoked" },
    }),
    effect: () => null,
  },
};

/** All of a key but its name. */
function writeKey(writer: RecordWriter, { digest, may, stocks, expiresAtMs }: ApiKey): void {
  writer.string(digest);
  writer.string(may);
  writer.string(stocks);
  writer.number(expiresAtMs);
}

function readKey(reader: RecordReader, name: string): ApiKey {
  return {
    name,
    digest: reader.string(),
    may: reader.string(),
    stocks: reader.string(),
    expiresAtMs: reader.number(),
  };
}

/** First byte of a refusal, and the field in which it says what of. */
const REFUSALS: { readonly [K in Refusal["kind"]]: number } = {
  "invalid-quantity": 1,
  "unknown-type": 2,
  "unknown-stock": 3,
  "insufficient-volume": 4,
  "stock-exists": 5,
  "invalid-key": 6,
  "key-exists": 7,
  "too-many-keys": 8,
  "unknown-key": 9,
};
/** Added to a refusal's first byte: its value is the content's, and not repeated. */
const AS_IN_CONTENT = 0x80;

const STOCK_NAME = new RegExp(`^[A-Za-z]{1,${NAME_LETTERS_MAX}}$`);

/** Whether `name` may be a stock's: ASCII letters only, 1 to NAME_LETTERS_MAX. */
export function isStockName(name: string): boolean {
  return STOCK_NAME.test(name);
}

/** Whether a stock may be listed at this price. */
export function isPrice(price: number): boolean {
  return price > 0 && price <= PRICE_MAX;
}

/** Whether a stock may be listed with this quantity. */
export function isQuantity(quantity: number): boolean {
  return Number.isInteger(quantity) && quantity >= 0 && quantity <= QUANTITY_MAX;
}

/**
 * Why this is refused whatever the market holds; null where that depends on the
 * market. Whoever is asked may say so: no attempt, early or late, is accepted
 * anywhere, so nothing needs to be remembered of it. Listings are refused in the
 * words of trades, with the price for a quantity: their callers have better ones.
 */
export function refusedInAnyMarket(content: Content): Refusal | null {
  const impossible = contentKind(content).impossible(content);
  if (impossible !== null) return impossible;
  const { kind, name } = content;
  const isOfKeys = kind === "key" || kind === "revoke";
  return isOfKeys || isStockName(name) ? null : { kind: "unknown-stock", name };
}

/** Whether two attempts under one request id ask for the same. */
export function sameContent(a: Content, b: Content): boolean {
  if (a.kind !== b.kind || a.name !== b.name) return false;
  const fields = contentKind(b).fields(b);
  return contentKind(a)
    .fields(a)
    .every((field, index) => isSameField(field, fields[index]));
}

/** 0 and -0 are the same, since not every encoding on the way keeps them apart; so is NaN. */
function isSameField(a: Field, b: Field | undefined): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

/** Each kind has a fixed number of them, so that where one list ends and the next begins is never in doubt. */
export function contentFields(content: Content): readonly Field[] {
  return [content.kind, content.name, ...contentKind(content).fields(content)];
}

/** What a recorded command makes remembered under its request id. */
export function recordedRequest(command: Command): RecordedRequest {
  return commandKind(command).recorded(command);
}

/** What a command does to a stock; null for one that moves none. */
export function effectOf(command: Command): StockEffect | null {
  return commandKind(command).effect(command);
}

export function writeCommand(writer: RecordWriter, command: Command): void {
  const kind = commandKind(command);
  writer.byte(kind.tag(command));
  kind.write(writer, command);
}

/** Throws BadCommandBytes. */
export function readCommand(reader: RecordReader): Command {
  const tag = reader.byte();
  const kind = COMMANDS_BY_TAG[tag] ?? fail(`unknown command ${tag}`);
  return kind.read(reader, tag);
}

function writeContent(writer: RecordWriter, content: Content): void {
  const kind = contentKind(content);
  writer.byte(kind.tag(content));
  writer.string(content.name);
  kind.write(writer, content);
}

function readContent(reader: RecordReader): Content {
  const tag = reader.byte();
  const name = reader.string();
  const kind = CONTENTS_BY_TAG[tag] ?? fail(`unknown content ${tag}`);
  return kind.read(reader, tag, name);
}

function writeRefusal(writer: RecordWriter, refusal: Refusal, content: Content): void {
  const value = refusedValue(refusal);
  const isAsInContent = Object.is(value, valueIn(content, refusal.kind));
  writer.byte(isAsInContent ? REFUSALS[refusal.kind] | AS_IN_CONTENT : REFUSALS[refusal.kind]);
  if (isAsInContent) return;
  if (typeof value === "number") writer.number(value);
  else writer.string(value);
}

function readRefusal(reader: RecordReader, content: Content): Refusal {
  const byte = reader.byte();
  const tag = byte & ~AS_IN_CONTENT;
  const kind = REFUSALS_BY_TAG[tag] ?? fail(`unknown refusal ${tag}`);
  const isAsInContent = (byte & AS_IN_CONTENT) !== 0;
  const inContent = isAsInContent ? valueIn(content, kind) : null;
  if (kind === "invalid-quantity") {
    return { kind, quantity: Number(inContent ?? reader.number()) };
  }
  const value = String(inContent ?? reader.string());
  return kind === "unknown-type" ? { kind, type: value } : { kind, name: value };
}

/** What a refusal is about. */
export function refusedValue(refusal: Refusal): Field {
  switch (refusal.kind) {
    case "invalid-quantity":
      return refusal.quantity;
    case "unknown-type":
      return refusal.type;
    default:
      return refusal.name;
  }
}

/** What a refusal of this kind is about if it is about the content's own. */
function valueIn(content: Content, kind: Refusal["kind"]): Field {
  switch (kind) {
    case "invalid-quantity":
      return contentKind(content).quantity(content);
    case "unknown-type":
      return content.kind === "trade" ? content.type : "";
    default:
      return content.name;
  }
}

function invalidQuantity(quantity: number): Refusal {
  return { kind: "invalid-quantity", quantity };
}

// The compiler can't see that a row found by its kind is that kind's.
const contentKind = ({ kind }: Content) => CONTENTS[kind] as ContentKind<Content>;
const commandKind = ({ kind }: Command) => COMMANDS[kind] as CommandKind<Command>;

const CONTENTS_BY_TAG = byTag(Object.values(CONTENTS) as ContentKind<Content>[]);
const COMMANDS_BY_TAG = byTag(Object.values(COMMANDS) as CommandKind<Command>[]);
const REFUSALS_BY_TAG: Readonly<Record<number, Refusal["kind"]>> = Object.fromEntries(
  Object.entries(REFUSALS).map(([kind, tag]) => [tag, kind as Refusal["kind"]]),
);

function byTag<T extends { readonly tags: readonly number[] }>(
  kinds: readonly T[],
): readonly (T | undefined)[] {
  const found: T[] = [];
  for (const kind of kinds) for (const tag of kind.tags) found[tag] = kind;
  return found;
}
