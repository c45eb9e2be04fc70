// What a request is remembered by: its content, and the answer it was given.
//
// Every recorded command carries the whole content of its request, so that the
// tables need nothing else to tell a further attempt from a request id that is
// used a second time for something else.

import type { Command, Content, RecordedRequest } from "./types.ts";

/** Whether `name` may be a stock's: ASCII letters only, at least one. */
export function isStockName(name: string): boolean {
  return /^[A-Za-z]+$/.test(name);
}

/** Whether two attempts under one request id ask for the same. */
export function sameContent(a: Content, b: Content): boolean {
  if (a.name !== b.name) return false;
  switch (a.kind) {
    case "trade":
      return b.kind === "trade" && a.type === b.type && sameNumber(a.quantity, b.quantity);
    case "list":
      return (
        b.kind === "list" && sameNumber(a.price, b.price) && sameNumber(a.quantity, b.quantity)
      );
    case "adjust":
      return b.kind === "adjust" && sameNumber(a.by, b.by);
  }
}

/**
 * The content as it survives being written as UTF-8: lone surrogates become
 * U+FFFD. Otherwise the leader, which has the client's string, and a replica,
 * which has read it back, would compare a further attempt with different things.
 * Returns `content` itself when there is nothing to replace.
 */
export function wellFormedContent(content: Content): Content {
  if (content.kind === "trade") {
    if (content.name.isWellFormed() && content.type.isWellFormed()) return content;
    return { ...content, name: content.name.toWellFormed(), type: content.type.toWellFormed() };
  }
  if (content.name.isWellFormed()) return content;
  return { ...content, name: content.name.toWellFormed() };
}

/** What a recorded command makes remembered under its request id. */
export function recordedRequest(command: Command): RecordedRequest {
  switch (command.kind) {
    case "order":
      return {
        content: {
          kind: "trade",
          name: command.name,
          type: command.type,
          quantity: command.quantity,
        },
        outcome: { kind: "accepted", number: command.number },
      };
    case "refuse":
      return {
        content: command.content,
        outcome: { kind: "refused", refusal: command.refusal },
      };
    case "list":
      return {
        content: {
          kind: "list",
          name: command.name,
          price: command.price,
          quantity: command.quantity,
        },
        outcome: { kind: "listed" },
      };
    case "adjust":
      return {
        content: { kind: "adjust", name: command.name, by: command.by },
        outcome: { kind: "adjusted" },
      };
  }
}

/** 0 and -0 are the same, since not every encoding on the way keeps them apart; so is NaN. */
function sameNumber(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
