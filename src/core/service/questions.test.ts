import { describe, expect, test } from "vitest";
import {
  ANSWER_WAIT_MS,
  CALLS_IN_FLIGHT_MAX,
  QUESTIONS_PER_BATCH_MAX,
  SHED_EVERY_MS,
  START_LIMIT_MS,
  SWEEP_GAP_MS,
} from "./limits.ts";
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
  const silent: number[] = [];
  const questions = new Questions<Route>({
    route: () => {
      const replica = leader;
      return { replica, flush() {}, lost() {}, silent: () => silent.push(replica) };
    },
    call: ({ replica }, asked, settled) => made.push({ replica, questions: asked, settled }),
    atTurnsEnd: (run) => turns.push(run),
    nowMs: () => nowMs,
    observer: null,
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
  const pass = (ms: number, turnMs = SWEEP_GAP_MS / 3): void => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += turnMs;
      questions.sweep();
      turn();
    }
  };
  const ask = (question: Question, deadlineMs = 60_000): void => {
    questions.ask(question, deadlineMs, (asked) => told.push(asked));
    turn();
  };
  /** Asks without the turn's end, and lets time go by in it. */
  const within = (question: Question, ms = 0): void => {
    questions.ask(question, 60_000, (asked) => told.push(asked));
    nowMs += ms;
  };
  return { made, told, mismatches, silent, lead, pass, ask, turn, within, questions };
}

describe("a turn that doesn't end, under thousands of busy connections", () => {
  test("sends full batches to the leader", () => {
    const { made, lead, within } = bench();
    lead(9094, 1);
    for (let n = 0; n < QUESTIONS_PER_BATCH_MAX - 1; n++) within(trade(`${n}`));
    expect(made).toEqual([]);
    within(trade("last"));
    expect(made.map(({ questions }) => questions.length)).toEqual([QUESTIONS_PER_BATCH_MAX]);
  });

  test("turns clients away when too many wait", () => {
    const { made, told, lead, pass, within } = bench();
    lead(9094, 1);
    pass(SWEEP_GAP_MS);
    const sent = CALLS_IN_FLIGHT_MAX * QUESTIONS_PER_BATCH_MAX;
    for (let n = 0; n < sent; n++) within(trade(`${n}`));
    within(trade("late"));
    for (let ms = 0; ms <= START_LIMIT_MS; ms += SHED_EVERY_MS)
      within(trade(`${ms}`), SHED_EVERY_MS);
    within(trade("newest"));
    expect(made).toHaveLength(CALLS_IN_FLIGHT_MAX);
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(["overloaded"]));
  });
});

describe("a trade of unknown fate", () => {
  test("is asked again under its request id, with its refusal to be recorded", () => {
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
    test(`${failure === "refused" ? "isn't asked again" : "is asked again, with its refusal to be recorded,"} after a call that ended as ${failure}`, () => {
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

  test("is asked again when its leader never answers", () => {
    const { made, lead, ask, pass } = bench();
    lead(9094, 1);
    ask(trade("a"));
    pass(ANSWER_WAIT_MS + SWEEP_GAP_MS);
    expect(made).toHaveLength(2);
  });
});

describe("while every turn takes longer than a pause would", () => {
  const SLOW_MS = SWEEP_GAP_MS + 50;

  test("a question ends at its deadline (Q1)", () => {
    const { told, lead, ask, pass } = bench();
    lead(9094, 1);
    ask(trade("a"), 1_000);
    pass(1_000 + 2 * SLOW_MS, SLOW_MS);
    expect(told).toEqual([{ kind: "unavailable" }]);
  });

  test("a question that its leader never answers is asked again", () => {
    const { made, lead, ask, pass } = bench();
    lead(9094, 1);
    ask(trade("a"));
    pass(ANSWER_WAIT_MS + 3 * SLOW_MS, SLOW_MS);
    expect(made.length).toBeGreaterThan(1);
  });

  test("what can't be sent for too long is turned away before its deadline (Q3)", () => {
    const { told, made, lead, ask, pass } = bench();
    lead(9094, 1);
    pass(1);
    pass(SLOW_MS, SLOW_MS);
    for (let call = 0; call < CALLS_IN_FLIGHT_MAX; call++) ask(trade(`sent-${call}`));
    ask(trade("waits"));
    pass(START_LIMIT_MS - SLOW_MS, SLOW_MS);
    expect(told).toEqual([]);
    pass(SLOW_MS, SLOW_MS);
    expect(made.flatMap(({ questions }) => questions)).not.toContainEqual(trade("waits"));
    expect(told).toEqual([{ kind: "overloaded" }]);
  });

  test("one long pause makes no call late whose answer may lie unread", () => {
    const { silent, lead, ask, pass } = bench();
    lead(9094, 1);
    ask(trade("a"));
    pass(1); // the first sweep
    pass(10 * ANSWER_WAIT_MS, 10 * ANSWER_WAIT_MS);
    expect(silent).toEqual([]);
    pass(1);
    expect(silent).toEqual([9094]);
  });
});

test("a trade that was never sent isn't in doubt, and is asked again as it was", () => {
  const { made, lead, ask, pass } = bench();
  lead(9094, 1);
  ask(trade("a"));
  made[0]?.settled({ kind: "failed", failure: "busy" });
  pass(SWEEP_GAP_MS);
  expect(made[1]?.questions).toEqual([trade("a")]);
});

test("answers that don't match the questions are told to nobody, and the mismatch is reported", () => {
  const { made, told, mismatches, lead, ask } = bench();
  lead(9094, 1);
  ask(trade("a"));
  made[0]?.settled({ kind: "answers", answers: [accepted(1), accepted(2)] });
  expect(told).toEqual([]);
  expect(mismatches).toEqual([9094]);
});

test("the end leaves no question without an answer", () => {
  const { told, ask, questions } = bench();
  ask(trade("a"));
  questions.close();
  ask(trade("b"));
  expect(told).toEqual([{ kind: "unavailable" }, { kind: "unavailable" }]);
});

test("Q5: what no market accepts is refused at once, also without a leader, and no leader is asked", () => {
  const { made, told, lead, ask } = bench();
  const refusal = (why: object) => ({
    kind: "answer",
    answer: { kind: "outcome", outcome: { kind: "refused", refusal: why } },
  });
  const longest = "x".repeat(60_000);
  ask(trade("a", "FishCo", "sell", 0, true));
  ask(trade("a", "FishCo", "negotiate", 1, true));
  lead(9094, 1);
  ask(trade("a", longest, "buy", 1, true));
  expect(told).toEqual([
    refusal({ kind: "invalid-quantity", quantity: 0 }),
    refusal({ kind: "unknown-type", type: "negotiate" }),
    refusal({ kind: "unknown-stock", name: longest }),
  ]);
  expect(made).toEqual([]);
});
