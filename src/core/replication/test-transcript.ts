// What replicas did, as lines to read and to compare: each event with its
// effects below it.

import type { ReplicaEffect, ReplicaEvent, Write } from "./events.ts";
import { textOf } from "./test-disk.ts";
import type { Cluster, TakenStep } from "./test-support.ts";
import type { Entry, Message } from "./types.ts";

export class Transcript {
  readonly #cluster: Cluster;
  #text = "";

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.steps.length = 0;
  }

  /** All that was done since the chapter before. */
  chapter(title: string): void {
    const lines = this.#cluster.steps.splice(0).flatMap(stepLines);
    this.#text += `${this.#text === "" ? "" : "\n"}# ${title}\n\n${lines.join("\n")}\n`;
  }

  toString(): string {
    return this.#text;
  }
}

/** Ticks without an effect are left out. */
function stepLines({ nowMs, id, event, effects }: TakenStep): string[] {
  const what = typeof event === "string" ? event : eventText(event);
  if (what === "tick" && effects.length === 0) return [];
  return [
    `${String(nowMs).padStart(5)} ms  ${id}  ${what}`,
    ...effects.map((effect) => `${" ".repeat(18)}${effectText(effect)}`),
  ];
}

function eventText(event: ReplicaEvent): string {
  switch (event.kind) {
    case "receive":
      return `from ${event.envelope.from}/${event.envelope.incarnation}: ${messageText(event.envelope.message)}`;
    case "append":
      return `append ${event.commands.map((bytes) => JSON.stringify(String.fromCharCode(...bytes))).join(", ")}`;
    default:
      return fieldsText(event);
  }
}

function effectText(effect: ReplicaEffect): string {
  switch (effect.kind) {
    case "send":
      return `to ${effect.to}: ${messageText(effect.message)}`;
    case "persist":
      return `write ${effect.id}: ${writeText(effect.write)}`;
    case "lead-outcome":
      return `lead-outcome: ${fieldsText(effect.outcome)}`;
    case "stored":
    case "already-held":
      return `${effect.kind} ${entriesText(effect.entries)}`;
    default:
      return fieldsText(effect);
  }
}

function messageText(message: Message): string {
  if (message.kind !== "append" && message.kind !== "fetched") return fieldsText(message);
  const { entries, prevPosition, prevEpoch, ...others } = message;
  return `${fieldsText(others)}, after ${prevPosition}@${prevEpoch} ${entriesText(entries)}`;
}

function writeText({ hardState, truncateFrom, entries }: Write): string {
  const parts: string[] = [];
  if (hardState) {
    const { promise, voter } = hardState;
    parts.push(`promise ${promise.epoch} to ${promise.nominee}${voter ? "" : ", no voter"}`);
  }
  if (truncateFrom !== undefined) parts.push(`drop from ${truncateFrom}`);
  if (entries) parts.push(entriesText(entries));
  return parts.join(", ");
}

function entriesText(entries: readonly Entry[]): string {
  if (entries.length === 0) return "nothing";
  return entries.map((entry) => `[${entry.position}@${entry.epoch} ${textOf(entry)}]`).join(" ");
}

function fieldsText({ kind, ...fields }: { readonly kind: string }): string {
  const known = Object.entries(fields).filter(([, value]) => value !== null);
  return [kind, known.map(([name, value]) => `${name} ${value}`).join(", ")].join(" ").trim();
}
