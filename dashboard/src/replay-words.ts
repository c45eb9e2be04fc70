// The steps of a recording in words, for who doesn't know the protocol.

import type { Said } from "../../src/core/service/said.ts";
import { roleName } from "./format.ts";
import type { Message, Recording } from "./replay-model.ts";

/** What happens at `at`, in words: what was sent or arrived, and what that means. */
export function happenedAt({ messages, notes }: Recording, at: number): readonly string[] {
  return [
    ...notes.filter((note) => note.at === at).map(({ text }) => text),
    ...messages.flatMap((message) => {
      const { sentAt, arrivedAt } = message;
      if (sentAt === at && arrivedAt === at) return [sentence(message, "arrives")];
      return [
        ...(sentAt === at ? [sentence(message, "sent")] : []),
        ...(arrivedAt === at ? [sentence(message, "arrives")] : []),
      ];
    }),
  ];
}

function sentence({ from, to, said }: Message, how: "sent" | "arrives"): string {
  const who =
    how === "sent"
      ? `${roleName(from)} to ${roleName(to)}`
      : `${roleName(to)} hears from ${roleName(from)}`;
  return `${who}: ${wordsOf(said)}`;
}

/** What a message says, in words for who doesn't know the protocol. */
export function wordsOf(said: Said): string {
  const { what, epoch, first, through, commit, exposed, words = [], orders = [] } = said;
  const entries =
    first === undefined
      ? ""
      : first === through
        ? `entry ${first}`
        : `entries ${first} to ${through}`;
  const list = words.join(", ");
  switch (what) {
    case "ask":
      return `please: ${list}`;
    case "ask-answer":
      return orders.length > 0 ? `done: order ${orders.join(", ")}` : `answer ${list}`.trim();
    case "append":
      return `write ${entries} of epoch ${epoch}; through ${commit} all is committed`;
    case "heartbeat":
    case "leads":
      return `I lead epoch ${epoch}; through ${commit} all is committed`;
    case "ack":
      return through === undefined || list !== "" ? list : `on my disk through ${through}`;
    case "entries":
      return entries === ""
        ? `show through ${exposed}`
        : `hold ${entries}, show through ${exposed}`;
    case "held":
      return `nobody shows anything older than ${through}`;
    case "hold":
      return `drop ${list === "" ? "nothing" : list}, as of ${through}`;
    case "holding":
      return `dropped, as of ${through}`;
    case "lookup":
      return `what of ${list}?`;
    case "canvass":
      return "would you follow me?";
    case "canvass-answer":
      return list;
    case "prepare":
      return `promise me epoch ${epoch}`;
    case "promise":
      return `promised epoch ${epoch}; I have ${through} entries`;
    case "refuse":
      return `no: I promised epoch ${epoch}`;
    case "nominate":
      return "lead, please";
    case "resigns":
      return "I lead no more";
    case "fetch":
      return "send me what I lack";
    case "fetched":
      return `here: ${entries === "" ? "nothing" : entries}`;
    case "lease":
      return "may I answer for another while?";
    case "lease-answer":
      return list === "" ? "no lease" : `yes, for ${list}`;
    default:
      return [what, entries, list].filter((part) => part !== "").join(" ");
  }
}
