import pino from "pino";
import { describe, expect, test } from "vitest";
import {
  CALLS_IN_FLIGHT_MAX,
  QUESTION_DEADLINE_MS,
  QUESTIONS_PER_BATCH_MAX,
} from "../../core/service/limits.ts";
import { Questions } from "./order-service-questions.ts";
import { accepted, refused, trade, until } from "./test-order-service.ts";
import { Bench, type Made, SWEEP_MS, turn, watch } from "./test-questions.ts";

test("on the process's own clock, no question is ever given up", async () => {
  const questions = new Questions({ route: () => null, log: pino({ level: "silent" }) });
  const asked = watch(questions.ask(trade("a"), { deadlineMs: 5 }));
  await until("it is given up", () => {
    questions.sweep();
    return asked.now() === "unavailable";
  });
});

describe("a turn's questions", () => {
  test("travel one by one", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = ["a", "b", "c"].map((id) => bench.questions.ask(trade(id)));
    await turn();
    expect(bench.made).toHaveLength(1);
    await bench.call(0).answer([accepted(1), accepted(2), accepted(3)]);
    expect(await Promise.all(asked)).toEqual(
      [1, 2, 3].map((number) => ({ kind: "answer", answer: accepted(number) })),
    );
  });

  test("go to a leader that isn't known yet, or get lost before it is", async () => {
    const bench = new Bench();
    const asked = bench.questions.ask(trade("a"));
    await turn();
    expect(bench.made).toHaveLength(0);
    await bench.lead(9092);
    await bench.call(0).answer([accepted(1)]);
    expect((await asked).kind).toBe("answer");
    expect(bench.call(0).replica).toBe(9092);
  });

  test("make a call with more questions than a replica takes", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i <= QUESTIONS_PER_BATCH_MAX; i += 1) void bench.questions.ask(trade(`${i}`));
    await turn();
    expect(bench.made.map((made) => made.questions.length)).toEqual([QUESTIONS_PER_BATCH_MAX, 1]);
  });

  test("make more calls than are allowed at once, or stay when there is room again", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX + 3; i += 1) {
      void bench.questions.ask(trade(`${i}`));
      await turn();
    }
    expect(bench.made).toHaveLength(CALLS_IN_FLIGHT_MAX);
    await bench.call(0).answer([accepted(1)]);
    expect(bench.made).toHaveLength(CALLS_IN_FLIGHT_MAX + 1);
    expect(bench.call(CALLS_IN_FLIGHT_MAX).questions).toHaveLength(3); // grown meanwhile
  });
});

describe("a call given up", () => {
  test("a question in flight at a leader that was replaced is not asked of the new one", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    expect(bench.call(1).replica).toBe(9092);
    expect(bench.call(1).questions).toEqual([trade("a", true)]);
    await bench.call(1).answer([accepted(7)]);
    await bench.call(0).answer([accepted(8)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("an answer of the leader that was given up is thrown away", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([accepted(7)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("a refusal that wasn't recorded is told while the trade is tried again", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([refused]);
    await bench.call(1).answer([accepted(7)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("a failure of the leader that was given up has the question asked once more", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).fail("closed");
    await bench.pass(100);
    expect(bench.made).toHaveLength(2);
  });

  test("a leader that was given up and is busy has the question asked once more", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([{ kind: "busy" }]);
    await bench.pass(100);
    expect(bench.made).toHaveLength(2);
  });

  test("what was asked before goes after what came since", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.questions.ask(trade("old"));
    await turn();
    await bench.lead(null);
    void bench.questions.ask(trade("new"));
    await bench.lead(9092, 2);
    expect(bench.call(1).questions).toEqual([trade("old", true), trade("new")]);
  });

  test("the same leader in a later epoch is trusted to answer what it was asked before", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9094, 2);
    expect(bench.made).toHaveLength(2);
  });

  test("a leader lost and found again in its epoch is asked twice", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(null);
    await bench.lead(9094, 1);
    expect(bench.made).toHaveLength(1);
  });

  test("abandoned calls leave no room for new ones", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.questions.ask(trade(`${i}`));
      await turn();
    }
    await bench.lead(9092, 2);
    expect(bench.call(CALLS_IN_FLIGHT_MAX).questions).toHaveLength(CALLS_IN_FLIGHT_MAX);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) await bench.call(i).fail("closed");
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX + 2; i += 1) {
      void bench.questions.ask(trade(`later ${i}`));
      await turn();
    }
    expect(bench.made).toHaveLength(2 * CALLS_IN_FLIGHT_MAX);
  });

  test("a client without an answer waits beyond its deadline", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const inFlight = watch(bench.questions.ask(trade("a")));
    await turn();
    await bench.lead(null);
    const waiting = watch(bench.questions.ask(trade("b"), { deadlineMs: 300 }));
    await bench.pass(275);
    expect(waiting.now()).toBe("pending");
    await bench.pass(50);
    expect(waiting.now()).toBe("unavailable");
    await bench.pass(QUESTION_DEADLINE_MS - 350);
    expect(inFlight.now()).toBe("pending");
    await bench.pass(50);
    expect(inFlight.now()).toBe("unavailable");
  });

  test("a client still waits after the front end closed", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const inFlight = bench.questions.ask(trade("a"));
    await turn();
    const waiting = bench.questions.ask(trade("b"));
    bench.questions.close();
    expect((await inFlight).kind).toBe("unavailable");
    expect((await waiting).kind).toBe("unavailable");
    expect((await bench.questions.ask(trade("c"))).kind).toBe("unavailable");
    await turn();
    expect(bench.made).toHaveLength(1);
  });
});

describe("asked again", () => {
  const causes: readonly (readonly [string, (made: Made) => Promise<void>])[] = [
    ["an unknown fate", (made) => made.result({ kind: "unknown" })],
    ["a replica that doesn't lead", (made) => made.result({ kind: "not-leader", leader: null })],
    ["a closed connection", (made) => made.fail("closed")],
    ["a time-out", (made) => made.fail("timeout")],
    ["a handler that threw", (made) => made.fail("failed")],
    ["answers that don't pair up", (made) => made.answer([])],
  ];
  for (const [cause, happen] of causes) {
    test(`after ${cause}, another id is used or a refusal isn't recorded`, async () => {
      const bench = new Bench();
      await bench.lead(9094);
      const asked = bench.questions.ask(trade("a"));
      await turn();
      await happen(bench.call(0));
      expect(bench.made).toHaveLength(1); // not in a tight loop
      await bench.pass(SWEEP_MS);
      expect(bench.call(1).questions).toEqual([trade("a", true)]);
      await bench.call(1).answer([accepted(1)]);
      expect((await asked).kind).toBe("answer");
    });
  }

  test("a question that was never begun is charged with a recorded refusal", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.call(0).answer([{ kind: "busy" }]);
    await bench.pass(SWEEP_MS);
    expect(bench.call(1).questions).toEqual([trade("a")]);
  });

  test("only questions that change something can be asked again", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    void bench.questions.ask({ kind: "order", number: 3 });
    await turn();
    await bench.call(0).fail("closed");
    await bench.pass(SWEEP_MS);
    expect(bench.call(1).questions).toEqual([{ kind: "order", number: 3 }]);
  });
});

test("the log doesn't tell that a trade is tried again, and called again", async () => {
  const bench = new Bench();
  await bench.lead(9094);
  void bench.questions.ask(trade("a"));
  await turn();
  await bench.call(0).fail("closed");
  await bench.lead(null);
  await bench.lead(9092, 2);
  expect(bench.lines).toEqual(["Trying request again...", "Calling trade service"]);
});
