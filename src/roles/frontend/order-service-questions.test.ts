import pino from "pino";
import { describe, expect, test } from "vitest";
import { RpcError } from "../../io/rpc/error.ts";
import type { RpcFailure } from "../../io/rpc/types.ts";
import { type Answer, type AskResult, QUESTIONS_PER_CALL_MAX, type Question } from "../contract.ts";
import {
  ANSWER_WAIT_MS,
  CALLS_IN_FLIGHT_MAX,
  LETTERS_PER_CALL_MAX,
  QUESTION_DEADLINE_MS,
  QUESTIONS_WAITING_MAX,
  START_LIMIT_MS,
} from "./order-service-limits.ts";
import { Questions, type Route } from "./order-service-questions.ts";
import type { Asked } from "./orders.ts";

const SWEEP_MS = 25;

function trade(requestId: string, name = "FishCo", recordRefusal = false): Question {
  const content = { kind: "trade", name, type: "sell", quantity: 1 } as const;
  return { kind: "request", requestId, content, recordRefusal };
}

/** Everything but the number is of no matter here. */
const accepted = (number: number): Answer => ({
  kind: "outcome",
  outcome: { kind: "accepted", number },
});

/** One call that Questions made; the test answers it. */
interface Made {
  readonly replica: number;
  readonly questions: readonly Question[];
  answer(answers: readonly Answer[]): Promise<void>;
  result(result: AskResult): Promise<void>;
  fail(failure: RpcFailure): Promise<void>;
}

/** Questions over replicas that do what the test says, by the test's clock. */
class Bench {
  nowMs = 1_000;
  readonly made: Made[] = [];
  readonly lost: number[] = [];
  readonly silent: number[] = [];
  readonly lines: string[] = [];
  /** Whom the route leads to; null for nobody. */
  asked: number | null = 9094;
  readonly questions: Questions;

  constructor() {
    const log = pino(
      { level: "debug", base: null },
      { write: (line: string) => this.lines.push(JSON.parse(line).msg) },
    );
    this.questions = new Questions({ log, nowMs: () => this.nowMs, route: () => this.#route() });
    this.questions.sweep();
  }

  #route(): Route | null {
    const replica = this.asked;
    if (replica === null) return null;
    return {
      replica,
      ask: (questions) =>
        new Promise((resolve, reject) => {
          this.made.push({
            replica,
            questions,
            answer: (answers) => {
              resolve({ kind: "answers", answers: [...answers] });
              return turn();
            },
            result: (result) => {
              resolve(result);
              return turn();
            },
            fail: (failure) => {
              reject(new RpcError(failure, "as the test wants it"));
              return turn();
            },
          });
        }),
      flush: () => {},
      lost: () => this.lost.push(replica),
      silent: () => this.silent.push(replica),
    };
  }

  lead(leader: number | null, epoch = 1): Promise<void> {
    this.asked = leader;
    this.questions.leaderChanged(leader === null ? null : { leader, epoch });
    return turn();
  }

  async pass(ms: number): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += Math.min(SWEEP_MS, endMs - this.nowMs);
      this.questions.sweep();
    }
    await turn();
  }

  /** The nth call made, from 0. */
  call(index: number): Made {
    const made = this.made[index];
    if (!made) throw new Error(`only ${this.made.length} calls were made`);
    return made;
  }
}

/** Until everything due in this turn of the event loop is done, calls included. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** What became of a promise so far. */
function watch(asked: Promise<Asked>): { readonly now: () => Asked["kind"] | "pending" } {
  let kind: Asked["kind"] | "pending" = "pending";
  void asked.then((settled) => {
    kind = settled.kind;
  });
  return { now: () => kind };
}

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
    for (let i = 0; i <= QUESTIONS_PER_CALL_MAX; i += 1) void bench.questions.ask(trade(`${i}`));
    await turn();
    expect(bench.made.map((made) => made.questions.length)).toEqual([QUESTIONS_PER_CALL_MAX, 1]);
  });

  test("make a call larger than a connection takes", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const long = "x".repeat(LETTERS_PER_CALL_MAX / 4);
    for (let i = 0; i < 5; i += 1) void bench.questions.ask(trade(`${i}`, long));
    await turn();
    expect(bench.made.map((made) => made.questions.length)).toEqual([3, 2]);
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

describe("Q1", () => {
  test("a question in flight at a leader that was replaced is not asked of the new one", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    const asked = bench.questions.ask(trade("a"));
    await turn();
    await bench.lead(9092, 2);
    expect(bench.call(1).replica).toBe(9092);
    expect(bench.call(1).questions).toEqual([trade("a", "FishCo", true)]);
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

describe("Q2", () => {
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
      expect(bench.call(1).questions).toEqual([trade("a", "FishCo", true)]);
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
    expect(bench.call(1).questions).toEqual([trade("a", "FishCo", false)]);
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

describe("Q3", () => {
  test("a leader with too much to do keeps its clients waiting until the deadline", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    for (let i = 0; i < CALLS_IN_FLIGHT_MAX; i += 1) {
      void bench.questions.ask(trade(`${i}`));
      await turn();
    }
    const late = watch(bench.questions.ask(trade("late")));
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

  test("a question that waits for a new leader is turned away as if there were too much to do", async () => {
    const bench = new Bench();
    await bench.lead(9094, 1);
    await bench.lead(null);
    const asked = watch(bench.questions.ask(trade("a")));
    await bench.pass(5 * START_LIMIT_MS);
    expect(asked.now()).toBe("pending");
    await bench.lead(9092, 2);
    expect(bench.made).toHaveLength(1);
  });

  test("a question that a leader may have begun with is said not to have happened", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = watch(bench.questions.ask(trade("a")));
    await turn();
    await bench.call(0).fail("closed");
    await bench.pass(SWEEP_MS);
    for (let made = 1; bench.nowMs < 1_000 + 2 * START_LIMIT_MS; made += 1) {
      await bench.call(made).answer([{ kind: "busy" }]);
      await bench.pass(SWEEP_MS);
    }
    expect(asked.now()).toBe("pending");
  });

  test("a front end that was paused turns away what it had no time to send", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = watch(bench.questions.ask(trade("a")));
    bench.nowMs += 3_000;
    bench.questions.sweep();
    bench.questions.sweep();
    await turn();
    expect(asked.now()).toBe("pending");
    expect(bench.made).toHaveLength(1);
  });
});

describe("Q4", () => {
  test("questions pile up without limit while there is no leader", async () => {
    const bench = new Bench();
    const asked: Promise<Asked>[] = [];
    for (let i = 0; i <= QUESTIONS_WAITING_MAX; i += 1) asked.push(bench.questions.ask(trade("x")));
    expect((await asked.at(-1))?.kind).toBe("overloaded");
    expect(watch(asked[0] as Promise<Asked>).now()).toBe("pending");
    bench.questions.close();
    await Promise.all(asked);
  });

  test("a call that is never answered holds its questions for good", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = bench.questions.ask(trade("a"));
    await turn();
    await bench.pass(ANSWER_WAIT_MS + SWEEP_MS);
    expect(bench.silent).toEqual([9094]); // ask it another way
    expect(bench.call(1).questions).toEqual([trade("a", "FishCo", true)]);
    await bench.call(1).answer([accepted(1)]);
    expect((await asked).kind).toBe("answer");
  });

  test("one question that a replica chokes on takes its neighbours with it", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    const asked = ["good", "bad", "fine"].map((id) => bench.questions.ask(trade(id)));
    await turn();
    await bench.call(0).fail("refused");
    await bench.pass(SWEEP_MS);
    expect(bench.made.slice(1).map((made) => made.questions.length)).toEqual([1, 1, 1]);
    await bench.call(1).answer([accepted(1)]);
    await bench.call(2).fail("refused");
    await bench.call(3).answer([accepted(2)]);
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(kinds).toEqual(["answer", "unavailable", "answer"]);
  });

  test("a replica that can't relay is asked again as the first", async () => {
    const bench = new Bench();
    await bench.lead(9094);
    bench.asked = 9090;
    void bench.questions.ask(trade("a"));
    await turn();
    await bench.call(0).result({ kind: "not-leader", leader: null });
    expect(bench.lost).toEqual([9090]);
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
