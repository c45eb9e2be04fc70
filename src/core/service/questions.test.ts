import { describe, expect, test } from "vitest";
import { ANSWER_WAIT_MS, SWEEP_GAP_MS } from "./limits.ts";
import { type CallResult, Questions, type Route } from "./questions.ts";
import { accepted, refused, trade } from "./test-support.ts";
import type { Asked, Question } from "./types.ts";

interface Made {
  readonly replica: number;
  readonly questions: readonly Question[];
  readonly settled: (result: CallResult) => void;
}

/** Questions whose calls, turns and time the test decides. */
function bench() {
  const made: Made[] = [];
  const turns: (() => void)[] = [];
  const told: Asked[] = [];
  let nowMs = 0;
  let leader = 9094;
  const mismatches: number[] = [];
  const questions = new Questions<Route, null>({
    route: () => ({ replica: leader, flush() {}, lost() {}, silent() {} }),
    call: ({ replica }, asked, settled) => made.push({ replica, questions: asked, settled }),
    atTurnsEnd: (run) => turns.push(run),
    nowMs: () => nowMs,
    trace: null,
    onMismatch: (replica) => mismatches.push(replica),
  });
  const turn = (): void => {
    for (const run of turns.splice(0)) run();
  };
  const lead = (replica: number, epoch: number): void => {
    leader = replica;
    questions.leaderChanged({ leader: replica, epoch });
    turn();
  };
  const pass = (ms: number): void => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += SWEEP_GAP_MS / 3;
      questions.sweep();
      turn();
    }
  };
  const ask = (question: Question, deadlineMs = 60_000): void => {
    questions.ask(question, deadlineMs, null, (asked) => told.push(asked));
    turn();
  };
  return { made, told, mismatches, lead, pass, ask, turn, questions };
}

describe("a trade of unknown fate", () => {
  test("is asked again under another request id, or its refusal isn't recorded", () => {
    const { made, told, lead, ask } = bench();
    lead(9094, 1);
    ask(trade("a"));
    lead(9092, 2);
    expect(made.map(({ replica }) => replica)).toEqual([9094, 9092]);
    const again = { ...trade("a"), recordRefusal: true };
    expect(made.map(({ questions }) => questions[0])).toEqual([trade("a"), again]);
    made[0]?.settled({ kind: "answers", answers: [refused] });
    expect(told).toEqual([]);
    made[1]?.settled({ kind: "answers", answers: [accepted(1)] });
    expect(told).toEqual([{ kind: "answer", answer: accepted(1) }]);
  });

  for (const failure of ["closed", "timeout", "failed", "refused"] as const) {
    test(`passes for one that wasn't asked, after a call that ended as ${failure}`, () => {
      const { made, lead, ask, pass } = bench();
      lead(9094, 1);
      ask(trade("a"));
      ask(trade("b"));
      made[0]?.settled({ kind: "failed", failure });
      pass(SWEEP_GAP_MS);
      const asked = made.slice(2).flatMap(({ questions }) => questions);
      const expected = failure === "refused" ? [] : [{ ...trade("a"), recordRefusal: true }];
      expect(asked).toEqual(expected);
    });
  }

  test("waits for a leader that never answers", () => {
    const { made, lead, ask, pass } = bench();
    lead(9094, 1);
    ask(trade("a"));
    pass(ANSWER_WAIT_MS + SWEEP_GAP_MS);
    expect(made).toHaveLength(2);
  });
});

test("a trade that was never sent passes for one in doubt", () => {
  const { made, lead, ask, pass } = bench();
  lead(9094, 1);
  ask(trade("a"));
  made[0]?.settled({ kind: "failed", failure: "busy" });
  pass(SWEEP_GAP_MS);
  expect(made[1]?.questions).toEqual([trade("a")]);
});

test("an answer to nobody's question is told to somebody", () => {
  const { made, told, mismatches, lead, ask } = bench();
  lead(9094, 1);
  ask(trade("a"));
  made[0]?.settled({ kind: "answers", answers: [accepted(1), accepted(2)] });
  expect(told).toEqual([]);
  expect(mismatches).toEqual([9094]);
});

test("the end leaves questions without an answer", () => {
  const { told, ask, questions } = bench();
  ask(trade("a"));
  questions.close();
  ask(trade("b"));
  expect(told).toEqual([{ kind: "unavailable" }, { kind: "unavailable" }]);
});
