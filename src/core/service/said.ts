// What a message between two processes says, in the few words that a picture of
// the protocol shows: positions, epochs, stocks and numbers of orders, and nothing
// of who the clients are. The same for real processes and for simulated ones.

import type { Entry, Message } from "../replication/types.ts";

/** Entries of one message that are told one by one. */
export const ENTRIES_TOLD_MAX = 16;
/** Questions, stocks or orders of one message that are told one by one. */
export const WORDS_TOLD_MAX = 8;
/** Letters of each. */
export const WORD_LETTERS_MAX = 80;

export interface Said {
  /** The message's kind, `append` say; of an answer that of the question, with `-answer`. */
  readonly what: string;
  readonly epoch?: number | undefined;
  /** The epoch of each entry that it carries, those from `first` on. */
  readonly first?: number | undefined;
  readonly epochs?: readonly number[] | undefined;
  /** Up to where its sender has, holds or has dropped. */
  readonly through?: number | undefined;
  readonly commit?: number | undefined;
  readonly exposed?: number | undefined;
  /** Stocks, questions, or why not. */
  readonly words?: readonly string[] | undefined;
  /** Numbers of the orders that it answers. */
  readonly orders?: readonly number[] | undefined;
}

/**
 * What a call's argument says. Whatever isn't there is left out.
 */
export function saidByCall(name: string, argument: unknown): Said {
  const fields = fieldsOf(argument);
  if (name === "message") return saidByReplica(fieldsOf(fields.message) as Partial<Message>);
  const { epoch, exposed, received, held, through, leader, ask } = fields;
  const entries = Array.isArray(fields.entries) ? fields.entries : [];
  switch (name) {
    case "entries":
      return said("entries", { epoch, exposed, ...entriesTold(entries) });
    case "held":
      return said("held", { epoch, through: held });
    case "follow":
      return said(ask === null ? "follow" : "lease", { through: received });
    case "lease":
      return said("lease", { through: held });
    case "hold":
      return said("hold", { through, words: wordsOf(fields.names) });
    case "holding":
      return said("holding", { through });
    case "lookup":
      return said("lookup", { words: wordsOf(fields.names) });
    case "ask":
      return said("ask", { words: questionsOf(fields.questions) });
    case "nominate":
      return said("nominate", {});
    case "leads": {
      // A database holds that log: who hears of what is committed has it at hand.
      const { leads, epoch: beaten, committed } = fieldsOf(fields.beat);
      return leads
        ? said("leads", { epoch: beaten, commit: committed, through: committed })
        : said("resigns", {});
    }
    default:
      return said(name, { epoch, through: leader === undefined ? through : undefined });
  }
}

/** What the answer to a call says. */
export function saidByAnswer(name: string, result: unknown): Said {
  const { kind, answers, epoch, grant, position: at } = fieldsOf(result);
  const what = `${name === "follow" ? "lease" : name}-answer`;
  if (name === "ask") {
    const orders = (Array.isArray(answers) ? answers : []).flatMap((answer) => {
      const { number } = fieldsOf(fieldsOf(answer).outcome);
      return typeof number === "number" ? [number] : [];
    });
    return said(what, { words: kind === "answers" ? undefined : wordsOf([kind]), orders });
  }
  const granted = grant ? fieldsOf(grant) : null;
  if (granted) return said(what, { epoch: granted.epoch, words: [`${granted.ms} ms`] });
  return said(what, {
    epoch,
    through: at,
    words: kind === undefined ? undefined : wordsOf([kind]),
  });
}

/** What a replica's message to another says. */
export function saidByReplica(message: Partial<Message>): Said {
  const what = message.kind ?? "message";
  switch (message.kind) {
    case "append": {
      const { epoch, commit, prevPosition, entries = [] } = message;
      if (entries.length === 0) return said("heartbeat", { epoch, commit, through: prevPosition });
      return said(what, { epoch, commit, ...entriesTold(entries) });
    }
    case "ack": {
      const { epoch, position: through, goBackTo } = message;
      if (goBackTo !== null) return said(what, { epoch, words: [`go back to ${goBackTo}`] });
      return said(what, { epoch, through });
    }
    case "promise":
      return said(what, { epoch: message.epoch, through: message.lastPosition });
    case "canvass-answer":
      return said(what, { words: [message.willing ? "willing" : "unwilling"] });
    case "fetched": {
      const { epoch, entries = [] } = message;
      return said(what, { epoch, ...entriesTold(entries) });
    }
    default:
      return said(what, { epoch: "epoch" in message ? message.epoch : undefined });
  }
}

/** The positions and epochs of what is carried. */
function entriesTold(entries: readonly Partial<Entry>[]) {
  if (entries.length === 0) return {};
  const told = entries.slice(-ENTRIES_TOLD_MAX);
  return {
    first: told[0]?.position,
    epochs: told.map(({ epoch }) => Number(epoch)),
    through: entries.at(-1)?.position,
  };
}

/** "buy 3 FishCo" of a trade, else what is asked for. */
function questionsOf(questions: unknown): string[] {
  const all = Array.isArray(questions) ? questions : [];
  return all.slice(0, WORDS_TOLD_MAX).map((question) => {
    const { kind, content, name, number } = fieldsOf(question);
    const of = fieldsOf(content);
    if (kind !== "request") return short([kind, name ?? number].filter(isTold).join(" "));
    return short([of.type ?? of.kind, of.quantity ?? of.by, of.name].filter(isTold).join(" "));
  });
}

function wordsOf(words: unknown): string[] {
  return (Array.isArray(words) ? words : []).slice(0, WORDS_TOLD_MAX).map(short);
}

function short(text: unknown): string {
  return String(text).slice(0, WORD_LETTERS_MAX);
}

function isTold(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Leaves out what isn't there. */
function said(what: string, fields: Readonly<Record<string, unknown>>): Said {
  const there = Object.entries(fields).filter(([, value]) => isTold(value));
  return { what, ...Object.fromEntries(there) } as Said;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
