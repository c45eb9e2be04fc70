import { expect, test } from "vitest";
import type { AskResult } from "./types.ts";
import { WaitingAnswers } from "./waiting-answers.ts";

const BUSY = { kind: "busy" } as const;

/** Asks that write down how they were settled, each time they are. */
function waitingAnswers() {
  const waiting = new WaitingAnswers();
  const settled: [name: string, kind: AskResult["kind"]][] = [];
  const confirmations: ((leads: boolean) => void)[] = [];
  const add = (position: number, ...asks: [name: string, needsConfirm: boolean][]): void =>
    waiting.add(
      position,
      asks.map(([name, needsConfirm]) => ({
        ask: { answers: [BUSY, BUSY], needsConfirm },
        settle: (result) => settled.push([name, result.kind]),
      })),
      (settle) => confirmations.push(settle),
    );
  return { waiting, settled, confirmations, add };
}

test("what an entry proves is told when it is exposed; what it doesn't needs the quorum too", () => {
  const { waiting, settled, confirmations, add } = waitingAnswers();
  add(5, ["trade", false], ["read", true]);
  waiting.exposed(4);
  expect(settled).toEqual([]);
  waiting.exposed(5);
  expect(settled).toEqual([["trade", "answers"]]);
  confirmations[0]?.(true);
  expect(settled).toEqual([
    ["trade", "answers"],
    ["read", "answers"],
  ]);
});

test("a confirmation that comes first doesn't tell of a state that isn't exposed", () => {
  const { waiting, settled, confirmations, add } = waitingAnswers();
  add(5, ["read", true]);
  confirmations[0]?.(true);
  expect(settled).toEqual([]);
  waiting.exposed(5);
  expect(settled).toEqual([["read", "answers"]]);
});

test("an ask that was told unknown isn't told anything else later", () => {
  const { waiting, settled, confirmations, add } = waitingAnswers();
  add(5, ["read", true], ["trade", false]);
  confirmations[0]?.(false);
  waiting.exposed(5);
  waiting.close();
  expect(settled).toEqual([
    ["read", "unknown"],
    ["trade", "answers"],
  ]);
});

test("turns of trades only ask for no confirmation", () => {
  const { confirmations, add } = waitingAnswers();
  add(5, ["trade", false]);
  expect(confirmations).toEqual([]);
});

test("the end of a reign settles everything that waits, exposed or not, once", () => {
  const { waiting, settled, confirmations, add } = waitingAnswers();
  add(5, ["exposed read", true]);
  waiting.exposed(5);
  add(6, ["trade", false], ["read", true]);
  waiting.close();
  for (const confirm of confirmations) confirm(true);
  expect(settled.sort()).toEqual([
    ["exposed read", "unknown"],
    ["read", "unknown"],
    ["trade", "unknown"],
  ]);
  expect(waiting.questions).toBe(0);
});

test("what is in hand is counted down to nothing, over many turns", () => {
  const { waiting, confirmations, add } = waitingAnswers();
  for (let position = 1; position <= 500; position++) {
    add(position, ["trade", false], ["read", true]);
    confirmations.at(-1)?.(true);
    if (position % 3 === 0) waiting.exposed(position - 1);
  }
  expect(waiting.turns).toBe(3);
  expect(waiting.questions).toBe(12);
  waiting.exposed(500);
  expect(waiting.turns).toBe(0);
  expect(waiting.questions).toBe(0);
});
