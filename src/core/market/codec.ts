// Commands as the bytes of a journal entry: all that were decided in one turn.
//
// Deterministic: the same commands give the same bytes, so that digests of
// journals can be compared. Compact: an order under a 36 character request id
// takes about 55 bytes. A format of our own rather than msgpack, because core
// imports nothing, and because field names and float64 prices would double the
// size of every journal.

import { BadCommandBytes, fail, RecordReader, RecordWriter } from "./codec-bytes.ts";
import type { Command, Content, Refusal } from "./types.ts";

export { BadCommandBytes };

/** First byte of a command. Written to disk: add numbers, never change one. */
const BUY = 1;
const SELL = 2;
const REFUSE = 3;
const LIST = 4;
const ADJUST = 5;

/** First byte of a refused request's content. */
const CONTENT_BUY = 1;
const CONTENT_SELL = 2;
const CONTENT_OTHER_TYPE = 3;
const CONTENT_LIST = 4;
const CONTENT_ADJUST = 5;

/** First byte of a refusal. */
const INVALID_QUANTITY = 1;
const UNKNOWN_TYPE = 2;
const UNKNOWN_STOCK = 3;
const INSUFFICIENT_VOLUME = 4;
const STOCK_EXISTS = 5;
/** Added to a refusal's first byte: its value is the content's, and not repeated. */
const AS_IN_CONTENT = 0x80;

/** The bytes of a journal entry for commands decided in one turn. Strings must be well-formed: no command that decide() makes has others. */
export function encodeCommands(commands: readonly Command[]): Uint8Array {
  const writer = new RecordWriter(commands.length);
  for (const command of commands) writeCommand(writer, command);
  return writer.finish();
}

/** The commands of a journal entry. Throws {@link BadCommandBytes} for anything that encodeCommands() didn't write. */
export function decodeCommands(bytes: Uint8Array): Command[] {
  const reader = new RecordReader(bytes);
  const commands: Command[] = [];
  while (!reader.done) commands.push(readCommand(reader));
  return commands;
}

function writeCommand(writer: RecordWriter, command: Command): void {
  switch (command.kind) {
    case "order":
      writer.byte(command.type === "buy" ? BUY : SELL);
      writer.varint(command.number);
      writer.string(command.requestId);
      writer.string(command.name);
      writer.varint(command.quantity);
      writer.number(command.price);
      return;
    case "refuse":
      writer.byte(REFUSE);
      writer.string(command.requestId);
      writeContent(writer, command.content);
      writeRefusal(writer, command.refusal, command.content);
      return;
    case "list":
      writer.byte(LIST);
      writer.string(command.requestId);
      writer.string(command.name);
      writer.number(command.price);
      writer.varint(command.quantity);
      return;
    case "adjust":
      writer.byte(ADJUST);
      writer.string(command.requestId);
      writer.string(command.name);
      writer.number(command.by);
      return;
  }
}

function readCommand(reader: RecordReader): Command {
  const tag = reader.byte();
  switch (tag) {
    case BUY:
    case SELL:
      // Properties are read in the order they are written here.
      return {
        kind: "order",
        number: reader.varint(),
        requestId: reader.string(),
        name: reader.string(),
        type: tag === BUY ? "buy" : "sell",
        quantity: reader.varint(),
        price: reader.number(),
      };
    case REFUSE: {
      const requestId = reader.string();
      const content = readContent(reader);
      return { kind: "refuse", requestId, content, refusal: readRefusal(reader, content) };
    }
    case LIST:
      return {
        kind: "list",
        requestId: reader.string(),
        name: reader.string(),
        price: reader.number(),
        quantity: reader.varint(),
      };
    case ADJUST:
      return {
        kind: "adjust",
        requestId: reader.string(),
        name: reader.string(),
        by: reader.number(),
      };
    default:
      fail(`unknown command ${tag}`);
  }
}

function writeContent(writer: RecordWriter, content: Content): void {
  switch (content.kind) {
    case "trade":
      writer.byte(
        content.type === "buy"
          ? CONTENT_BUY
          : content.type === "sell"
            ? CONTENT_SELL
            : CONTENT_OTHER_TYPE,
      );
      writer.string(content.name);
      if (content.type !== "buy" && content.type !== "sell") writer.string(content.type);
      writer.number(content.quantity);
      return;
    case "list":
      writer.byte(CONTENT_LIST);
      writer.string(content.name);
      writer.number(content.price);
      writer.number(content.quantity);
      return;
    case "adjust":
      writer.byte(CONTENT_ADJUST);
      writer.string(content.name);
      writer.number(content.by);
      return;
  }
}

function readContent(reader: RecordReader): Content {
  const tag = reader.byte();
  const name = reader.string();
  switch (tag) {
    case CONTENT_BUY:
      return { kind: "trade", name, type: "buy", quantity: reader.number() };
    case CONTENT_SELL:
      return { kind: "trade", name, type: "sell", quantity: reader.number() };
    case CONTENT_OTHER_TYPE:
      return { kind: "trade", name, type: reader.string(), quantity: reader.number() };
    case CONTENT_LIST:
      return { kind: "list", name, price: reader.number(), quantity: reader.number() };
    case CONTENT_ADJUST:
      return { kind: "adjust", name, by: reader.number() };
    default:
      fail(`unknown content ${tag}`);
  }
}

function writeRefusal(writer: RecordWriter, refusal: Refusal, content: Content): void {
  switch (refusal.kind) {
    case "invalid-quantity":
      if (Object.is(refusal.quantity, quantityOf(content))) {
        writer.byte(INVALID_QUANTITY | AS_IN_CONTENT);
      } else {
        writer.byte(INVALID_QUANTITY);
        writer.number(refusal.quantity);
      }
      return;
    case "unknown-type":
      writeRefusedString(writer, UNKNOWN_TYPE, refusal.type, typeOf(content));
      return;
    case "unknown-stock":
      writeRefusedString(writer, UNKNOWN_STOCK, refusal.name, content.name);
      return;
    case "insufficient-volume":
      writeRefusedString(writer, INSUFFICIENT_VOLUME, refusal.name, content.name);
      return;
    case "stock-exists":
      writeRefusedString(writer, STOCK_EXISTS, refusal.name, content.name);
      return;
  }
}

function writeRefusedString(
  writer: RecordWriter,
  tag: number,
  value: string,
  inContent: string,
): void {
  if (value === inContent) {
    writer.byte(tag | AS_IN_CONTENT);
  } else {
    writer.byte(tag);
    writer.string(value);
  }
}

function readRefusal(reader: RecordReader, content: Content): Refusal {
  const byte = reader.byte();
  const asInContent = (byte & AS_IN_CONTENT) !== 0;
  const tag = byte & ~AS_IN_CONTENT;
  switch (tag) {
    case INVALID_QUANTITY:
      return {
        kind: "invalid-quantity",
        quantity: asInContent ? quantityOf(content) : reader.number(),
      };
    case UNKNOWN_TYPE:
      return { kind: "unknown-type", type: asInContent ? typeOf(content) : reader.string() };
    case UNKNOWN_STOCK:
      return { kind: "unknown-stock", name: asInContent ? content.name : reader.string() };
    case INSUFFICIENT_VOLUME:
      return { kind: "insufficient-volume", name: asInContent ? content.name : reader.string() };
    case STOCK_EXISTS:
      return { kind: "stock-exists", name: asInContent ? content.name : reader.string() };
    default:
      fail(`unknown refusal ${tag}`);
  }
}

function quantityOf(content: Content): number {
  return content.kind === "adjust" ? content.by : content.quantity;
}

function typeOf(content: Content): string {
  return content.kind === "trade" ? content.type : "";
}
