// What questions do to a front end and its leader when there are too many of
// them, or when one goes wrong.

import { describe, expect, test } from "vitest";
import {
  ANSWER_WAIT_MS,
  CALLS_IN_FLIGHT_MAX,
  QUESTIONS_PER_BATCH_MAX,
  QUESTIONS_WAITING_MAX,
  QUESTIONS_WAITING_MIN,
  QUEUE_WAIT_MS,
  RATE_WINDOW_MS,
  START_LIMIT_MS,
} from "./limits.ts";
import { again, Bench, SWEEP_MS, turn, watch } from "./test-questions.ts";
import { accepted, trade } from "./test-support.ts";
import type { Asked } from "./types.ts";

describe("Q3", () => {
  test("a question that a leader with too much to do never begins is turned away", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.ask(trade(`${i}`));
      await turn();
    }
    const late = watch(bench.ask(trade("late")));
    await bench.pass(ANSWER_WAIT_MS - 50); // the calls in flight are not given up yet
    expect(late.now()).toBe("pending");
    const answers = bench.made.map((made) => made.answer([{ kind: "busy" }]));
    await Promise.all(answers);
    for (let i = 0; i < 4; i += 1) {
      for (const made of bench.made.slice(CALLS_IN_FLIGHT_MAX)) {
        await made.answer(made.questions.map(() => ({ kind: "busy" })));
      }
      await bench.pass(SWEEP_MS);
    }
    expect(late.now()).toBe("overloaded");
  });

  test("a question that waits for a new leader is not turned away", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    await bench.lead(null);
    const asked = watch(bench.ask(trade("a")));
    await bench.pass(5 * START_LIMIT_MS);
    expect(asked.now()).toBe("pending");
    await bench.lead(9092, 2);
    expect(bench.made).toHaveLength(1);
  });

  test("a question that a leader may have begun with is not turned away", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = watch(bench.ask(trade("a")));
    await turn();
    await bench.call(0).fail("closed");
    await bench.pass(SWEEP_MS);
    for (let made = 1; bench.nowMs < 1_000 + 2 * START_LIMIT_MS; made += 1) {
      await bench.call(made).answer([{ kind: "busy" }]);
      await bench.pass(SWEEP_MS);
    }
    expect(asked.now()).toBe("pending");
  });

  test("a question that waited for the last leader has all of its time with the next", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.ask(trade(`${i}`));
      await turn();
    }
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX * QUESTIONS_PER_BATCH_MAX; i += 1) {
      void bench.ask(trade(`more ${i}`));
    }
    const asked = watch(bench.ask(trade("a")));
    await bench.pass(START_LIMIT_MS - 100);
    await bench.lead(9092, 2);
    await bench.pass(200);
    expect(asked.now()).toBe("pending");
    expect(bench.made).toHaveLength(2 * CALLS_IN_FLIGHT_MAX);
  });

  test("a front end that was paused turns nothing away that it had no time to send", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    await bench.pass(SWEEP_MS);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.ask(trade(`${i}`));
      await turn();
    }
    const asked = watch(bench.ask(trade("a")));
    bench.nowMs += 3_000;
    bench.questions.sweep();
    expect(bench.silent).toEqual([]); // the answers may lie unread
    await bench.pass(SWEEP_MS);
    expect(asked.now()).toBe("pending");
  });
});

describe("while there is a leader to ask", () => {
  /** So many calls of a full batch are answered, one every 25 ms, while always as many wait. */
  async function busy(bench: Bench, calls: number): Promise<void> {
    for (let call = 0; call < calls; call += 1) {
      for (let i = 0; i < QUESTIONS_PER_BATCH_MAX; i += 1) void bench.ask(trade("x"));
      await turn();
      const { questions, answer } = bench.call(call);
      await answer(questions.map((_, index) => accepted(1 + index)));
      await bench.pass(SWEEP_MS);
    }
  }

  test("a question beyond what is answered in QUEUE_WAIT_MS is turned away at once, the others not", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    await bench.pass(SWEEP_MS);
    await busy(bench, 4 * (RATE_WINDOW_MS / SWEEP_MS)); // 256 every 25 ms
    const fits = (QUESTIONS_PER_BATCH_MAX / SWEEP_MS) * QUEUE_WAIT_MS;
    const asked = Array.from({ length: 2 * fits }, () => watch(bench.ask(trade("y"))));
    await turn();
    const away = asked.filter((each) => each.now() === "overloaded").length;
    const inCalls = CALLS_IN_FLIGHT_MAX * QUESTIONS_PER_BATCH_MAX;
    expect(asked.length - away).toBeGreaterThan(0.9 * (fits + inCalls));
    expect(asked.length - away).toBeLessThan(1.1 * (fits + inCalls));
    expect(asked.slice(0, inCalls + fits / 2).every((each) => each.now() === "pending")).toBe(true);
    expect(bench.questions.isFull).toBe(true);
  });

  test("what comes together to a front end that had nothing to do is taken", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    await bench.pass(SWEEP_MS);
    const count = CALLS_IN_FLIGHT_MAX * QUESTIONS_PER_BATCH_MAX + QUESTIONS_WAITING_MIN;
    const asked = Array.from({ length: count }, () => watch(bench.ask(trade("y"))));
    await turn();
    expect(asked.every((each) => each.now() === "pending")).toBe(true);
  });

  test("what waited for a leader is no reason to turn others away, until that one had time to answer", async () => {
    const bench = new Bench();
    for (let i = 0; i < 5 * QUESTIONS_WAITING_MIN; i += 1) void bench.ask(trade("x"));
    expect(bench.questions.isFull).toBe(false);
  });
});

describe("Q4", () => {
  test("beyond a limit questions are turned away while there is no leader", async () => {
    const bench = new Bench();
    const asked: Promise<Asked>[] = [];
    for (let i = 0; i <= QUESTIONS_WAITING_MAX; i += 1) asked.push(bench.ask(trade("x")));
    expect((await asked.at(-1))?.kind).toBe("overloaded");
    expect(watch(asked[0] as Promise<Asked>).now()).toBe("pending");
    bench.questions.close();
    await Promise.all(asked);
  });

  test("questions whose clients were told leave their place to others", async () => {
    const bench = new Bench();
    const asked: Promise<Asked>[] = [];
    for (let i = 0; i < QUESTIONS_WAITING_MAX; i += 1) {
      asked.push(bench.ask(trade("x"), 50));
    }
    await bench.pass(100);
    await Promise.all(asked);
    const late = watch(bench.ask(trade("y")));
    await turn();
    expect(late.now()).toBe("pending");
  });

  test("a call that is never answered is made again another way", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = bench.ask(trade("a"));
    await turn();
    await bench.pass(ANSWER_WAIT_MS + SWEEP_MS);
    expect(bench.silent).toEqual([9094]); // ask it another way
    expect(bench.call(1).questions).toEqual([again("a")]);
    await bench.call(1).answer([accepted(1)]);
    expect((await asked).kind).toBe("answer");
  });

  test("one question that a replica chokes on is told apart from its neighbours", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = ["good", "bad", "fine"].map((id) => bench.ask(trade(id)));
    await turn();
    await bench.call(0).fail("refused");
    void bench.ask(trade("later"));
    await bench.pass(SWEEP_MS);
    expect(bench.made.slice(1).map((made) => made.questions.length)).toEqual([1, 1, 1, 1]);
    await bench.call(1).answer([accepted(1)]);
    await bench.call(2).fail("refused");
    await bench.call(3).answer([accepted(2)]);
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(kinds).toEqual(["answer", "unavailable", "answer"]);
  });

  test("a replica that can't relay is known to be of no use", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    bench.asked = 9090;
    void bench.ask(trade("a"));
    await turn();
    await bench.call(0).result({ kind: "not-leader", leader: null });
    expect(bench.lost).toEqual([9090]);
  });
});
