import { describe, expect, test } from "vitest";
import { CALLS_IN_FLIGHT_MAX, QUESTION_DEADLINE_MS, QUESTIONS_PER_BATCH_MAX } from "./limits.ts";
import { again, Bench, type Made, SWEEP_MS, turn, watch } from "./test-questions.ts";
import { accepted, refused, trade } from "./test-support.ts";

describe("a turn's questions", () => {
  test("travel together in one call", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = ["a", "b", "c"].map((id) => bench.ask(trade(id)));
    await turn();
    expect(bench.made).toHaveLength(1);
    await bench.call(0).answer([accepted(1), accepted(2), accepted(3)]);
    expect(await Promise.all(asked)).toEqual(
      [1, 2, 3].map((number) => ({ kind: "answer", answer: accepted(number) })),
    );
  });

  test("wait until a leader is known", async () => {
    const bench = new Bench();
    const asked = bench.ask(trade("a"));
    await turn();
    expect(bench.made).toHaveLength(0);
    await bench.lead(9092);
    await bench.call(0).answer([accepted(1)]);
    expect((await asked).kind).toBe("answer");
    expect(bench.call(0).replica).toBe(9092);
  });

  test("go in several calls when they are more than a batch holds", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i <= QUESTIONS_PER_BATCH_MAX; i += 1) void bench.ask(trade(`${i}`));
    await turn();
    expect(bench.made.map((made) => made.questions.length)).toEqual([QUESTIONS_PER_BATCH_MAX, 1]);
  });

  test("wait for room when all calls are under way, and go on together", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX + 3; i += 1) {
      void bench.ask(trade(`${i}`));
      await turn();
    }
    expect(bench.made).toHaveLength(CALLS_IN_FLIGHT_MAX);
    await bench.call(0).answer([accepted(1)]);
    expect(bench.made).toHaveLength(CALLS_IN_FLIGHT_MAX + 1);
    expect(bench.call(CALLS_IN_FLIGHT_MAX).questions).toHaveLength(3); // grown meanwhile
  });
});

describe("a call given up", () => {
  test("has its questions asked of the next leader, and the first answer counts", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    expect(bench.call(1).replica).toBe(9092);
    expect(bench.call(1).questions).toEqual([again("a")]);
    await bench.call(1).answer([accepted(7)]);
    await bench.call(0).answer([accepted(8)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("is listened to: its late answer counts", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([accepted(7)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("doesn't settle a trade that is tried again by a refusal that wasn't recorded", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([refused]);
    await bench.call(1).answer([accepted(7)]);
    expect(await asked).toEqual({ kind: "answer", answer: accepted(7) });
  });

  test("has nothing asked once more when it fails late", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).fail("closed");
    await bench.pass(100);
    expect(bench.made).toHaveLength(2);
  });

  test("has nothing asked once more when its leader was busy", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    await bench.call(0).answer([{ kind: "busy" }]);
    await bench.pass(100);
    expect(bench.made).toHaveLength(2);
  });

  test("has its questions asked before those that came since", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.ask(trade("old"));
    await turn();
    await bench.lead(null);
    void bench.ask(trade("new"));
    await bench.lead(9092, 2);
    expect(bench.call(1).questions).toEqual([again("old"), trade("new")]);
  });

  test("is asked again of the same leader in a later epoch", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.ask(trade("a"));
    await turn();
    await bench.lead(9094, 2);
    expect(bench.made).toHaveLength(2);
  });

  test("isn't asked again of a leader that was lost and found again in its epoch", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    void bench.ask(trade("a"));
    await turn();
    await bench.lead(null);
    await bench.lead(9094, 1);
    expect(bench.made).toHaveLength(1);
  });

  test("leaves its room to others", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.ask(trade(`${i}`));
      await turn();
    }
    await bench.lead(9092, 2);
    expect(bench.call(CALLS_IN_FLIGHT_MAX).questions).toHaveLength(CALLS_IN_FLIGHT_MAX);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) await bench.call(i).fail("closed");
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX + 2; i += 1) {
      void bench.ask(trade(`later ${i}`));
      await turn();
    }
    expect(bench.made).toHaveLength(2 * CALLS_IN_FLIGHT_MAX);
  });

  test("leaves nobody waiting beyond the deadline", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const inFlight = watch(bench.ask(trade("a")));
    await turn();
    await bench.lead(null);
    const waiting = watch(bench.ask(trade("b"), 300));
    await bench.pass(275);
    expect(waiting.now()).toBe("pending");
    await bench.pass(50);
    expect(waiting.now()).toBe("unavailable");
    await bench.pass(QUESTION_DEADLINE_MS - 350);
    expect(inFlight.now()).toBe("pending");
    await bench.pass(50);
    expect(inFlight.now()).toBe("unavailable");
  });

  test("is over for everybody once the front end closes", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const inFlight = bench.ask(trade("a"));
    await turn();
    const waiting = bench.ask(trade("b"));
    bench.questions.close();
    expect((await inFlight).kind).toBe("unavailable");
    expect((await waiting).kind).toBe("unavailable");
    expect((await bench.ask(trade("c"))).kind).toBe("unavailable");
    await turn();
    expect(bench.made).toHaveLength(1);
  });
});

describe("a question", () => {
  const causes: readonly (readonly [string, (made: Made) => Promise<void>])[] = [
    ["an unknown fate", (made) => made.result({ kind: "unknown" })],
    ["a replica that doesn't lead", (made) => made.result({ kind: "not-leader", leader: null })],
    ["a closed connection", (made) => made.fail("closed")],
    ["a time-out", (made) => made.fail("timeout")],
    ["a handler that threw", (made) => made.fail("failed")],
    ["answers that don't pair up", (made) => made.answer([])],
  ];
  for (const [cause, happen] of causes) {
    test(`is asked again after ${cause}, under the same id, with a refusal to be recorded`, async () => {
      const bench = new Bench();
      await bench.lead(9094);
      const asked = bench.ask(trade("a"));
      await turn();
      await happen(bench.call(0));
      expect(bench.made).toHaveLength(1); // not in a tight loop
      await bench.pass(SWEEP_MS);
      expect(bench.call(1).questions).toEqual([again("a")]);
      await bench.call(1).answer([accepted(1)]);
      expect((await asked).kind).toBe("answer");
    });
  }

  test("is asked again as it was when it was never begun", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    void bench.ask(trade("a"));
    await turn();
    await bench.call(0).answer([{ kind: "busy" }]);
    await bench.pass(SWEEP_MS);
    expect(bench.call(1).questions).toEqual([trade("a")]);
  });

  test("that changes nothing is asked again as it was", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    void bench.ask({ kind: "order", number: 3 });
    await turn();
    await bench.call(0).fail("closed");
    await bench.pass(SWEEP_MS);
    expect(bench.call(1).questions).toEqual([{ kind: "order", number: 3 }]);
  });
});
