import { describe, expect, test } from "vitest";
import { type AttemptObserver, PendingQuestion } from "./pending-question.ts";
import { accepted, refused, trade as tradeOf } from "./test-support.ts";
import type { Asked, Question } from "./types.ts";

function trade(requestId: string, recordRefusal = false, name = "FishCo"): Question {
  return tradeOf(requestId, name, "sell", 1, recordRefusal);
}

function pendingOf(question: Question, observer: AttemptObserver | null = null) {
  const told: Asked[] = [];
  const tell = (asked: Asked) => told.push(asked);
  const pending = new PendingQuestion(question, 1_000, 500, observer, tell);
  return { pending, told };
}

test("P1: a client is answered once", () => {
  const { pending, told } = pendingOf(trade("a"));
  pending.answer(accepted(1), pending.attempt());
  pending.answer(accepted(2), pending.attempt());
  pending.settle({ kind: "unavailable" });
  expect(told).toEqual([{ kind: "answer", answer: accepted(1) }]);
  expect(pending.settled).toBe(true);
});

test("the deadline is counted from the arrival", () => {
  expect(pendingOf(trade("a")).pending.deadlineAtMs).toBe(1_500);
});

describe("P2", () => {
  test("a refusal is to be recorded from the first attempt after doubt on, not before", () => {
    const { pending } = pendingOf(trade("a"));
    expect(pending.attempt()).toEqual(trade("a"));
    pending.failed(false);
    expect(pending.attempt()).toEqual(trade("a"));
    pending.failed(true);
    expect(pending.attempt()).toEqual(trade("a", true));
    pending.failed(false);
    expect(pending.attempt()).toEqual(trade("a", true));
    expect(pending.inDoubt).toBe(true);
  });

  test("a question that changes nothing is never altered", () => {
    const lookup = { kind: "lookup", name: "FishCo" } as const;
    const { pending } = pendingOf(lookup);
    pending.attempt();
    pending.failed(true);
    expect(pending.attempt()).toEqual(lookup);
  });
});

describe("P3", () => {
  test("a refusal isn't told while a later attempt may still buy", () => {
    const { pending, told } = pendingOf(trade("a"));
    const first = pending.attempt();
    pending.failed(true);
    const second = pending.attempt();
    pending.answer(refused, first);
    expect(told).toEqual([]);
    pending.answer(accepted(3), second);
    expect(told).toEqual([{ kind: "answer", answer: accepted(3) }]);
  });

  test("a recorded refusal is told at once, since every attempt will get the same", () => {
    const { pending, told } = pendingOf(trade("a", true));
    const first = pending.attempt();
    pending.failed(true);
    pending.attempt();
    pending.answer(refused, first);
    expect(told).toEqual([{ kind: "answer", answer: refused }]);
  });

  test("a refusal that comes before the trade is tried again is told at once", () => {
    const { pending, told } = pendingOf(trade("a"));
    const first = pending.attempt();
    pending.failed(true);
    pending.answer(refused, first);
    expect(told).toEqual([{ kind: "answer", answer: refused }]);
  });
});

test("the observer is told of an attempt that failed and of a trade that is tried again", () => {
  const lines: string[] = [];
  const { pending } = pendingOf(trade("a"), {
    failed: (question) => lines.push(`failed: ${requestIdOf(question)}`),
    triedAgain: (question) => lines.push(`tried again: ${requestIdOf(question)}`),
  });
  pending.attempt();
  expect(lines).toEqual([]);
  pending.failed(true);
  pending.attempt();
  expect(lines).toEqual(["failed: a", "tried again: a"]);
});

function requestIdOf(question: Question): string | null {
  return question.kind === "request" ? question.requestId : null;
}
