import { expect, test } from "vitest";
import type { Envelope, Message } from "../../core/replication/types.ts";
import { envelopeSchema } from "./envelope-schema.ts";

function append(...positions: number[]): Message {
  const entries = positions.map((position) => ({
    position,
    epoch: 2,
    at: 5,
    body: { kind: "command" as const, bytes: new Uint8Array([1, 2]) },
  }));
  return {
    kind: "append",
    epoch: 2,
    round: 3,
    prevPosition: 7,
    prevEpoch: 1,
    entries,
    commit: 7,
  };
}

function accepts(message: unknown): boolean {
  return envelopeSchema.safeParse({ from: 9094, incarnation: 1, message }).success;
}

test("every message of the protocol passes as it is", () => {
  const messages: Message[] = [
    { kind: "canvass", token: 1 },
    { kind: "canvass-answer", token: 1, willing: false, epoch: 0, leader: null },
    { kind: "prepare", epoch: 1 },
    { kind: "promise", epoch: 1, lastEpoch: 0, lastPosition: 0 },
    { kind: "refuse", epoch: 4 },
    { kind: "fetch", epoch: 1, prevPosition: 0, prevEpoch: 0 },
    { kind: "fetched", epoch: 1, prevPosition: 3, prevEpoch: 0, goBackTo: 2, entries: [] },
    append(8, 9),
    { kind: "ack", epoch: 2, round: 3, position: 9, goBackTo: null },
  ];
  for (const message of messages) {
    const envelope: Envelope = { from: 9094, incarnation: 1, message };
    expect(envelopeSchema.parse(envelope)).toEqual(envelope);
  }
});

test("entries whose positions don't follow the one named before them are refused", () => {
  expect(accepts(append(8, 9))).toBe(true);
  expect(accepts(append(9))).toBe(false);
  expect(accepts(append(8, 10))).toBe(false);
});

test("impossible numbers and unknown kinds of message are refused", () => {
  expect(accepts({ kind: "prepare", epoch: -1 })).toBe(false);
  expect(accepts({ kind: "prepare", epoch: 1.5 })).toBe(false);
  expect(accepts({ kind: "prepare", epoch: Number.NaN })).toBe(false);
  expect(accepts({ kind: "canvas", token: 1 })).toBe(false);
  expect(accepts(null)).toBe(false);
});
