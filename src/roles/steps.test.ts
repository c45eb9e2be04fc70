import { expect, test, vi } from "vitest";
import type { Passed } from "../io/rpc/types.ts";
import { STEPS_PER_ANSWER_MAX, StepRecorder, stepsSchema } from "./steps.ts";

const KEY = "a-client's-own-key";
const ASK = {
  t: "q",
  i: "call-1",
  m: "ask",
  a: [
    {
      relayed: false,
      questions: [
        {
          kind: "request",
          requestId: KEY,
          content: { kind: "trade", name: "FishCo", type: "buy", quantity: 3 },
          recordRefusal: true,
        },
      ],
    },
  ],
} as const;
const ANSWER = {
  t: "s",
  i: "call-1",
  r: { kind: "answers", answers: [{ kind: "outcome", outcome: { kind: "accepted", number: 17 } }] },
} as const;

function recorder() {
  const made = new StepRecorder("order-9094");
  let nth = 0;
  const pass = (message: unknown, kind: Passed["kind"] = "received") => {
    nth += 1;
    made.tap.watch?.({
      kind,
      peer: "frontend",
      link: "l",
      nth,
      message: message as Passed["message"],
    });
  };
  return { made, pass };
}

test("nothing is recorded before somebody asks, and nothing any more once nobody has asked for a while", () => {
  vi.useFakeTimers();
  try {
    const { made, pass } = recorder();
    expect(made.tap.watch).toBeNull();
    pass(ASK);
    expect(made.ask(0).steps).toEqual([]);
    pass(ASK);
    vi.advanceTimersByTime(2_000);
    expect(made.ask(0).steps).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    expect(made.tap.watch).not.toBeNull();
    vi.advanceTimersByTime(2_000);
    expect(made.tap.watch).toBeNull();
    expect(made.ask(0).steps).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test("a step says what was asked and answered, and no key of a client", () => {
  const { made, pass } = recorder();
  made.ask(0);
  pass(ASK);
  pass(ANSWER, "sent");
  const { steps } = stepsSchema.parse(made.ask(0));
  expect(steps.map(({ kind, said, call }) => ({ kind, said, call }))).toEqual([
    { kind: "received", said: { what: "ask", words: ["buy 3 FishCo"] }, call: "call-1" },
    { kind: "sent", said: { what: "ask-answer", orders: [17] }, call: "call-1" },
  ]);
  expect(JSON.stringify(steps)).not.toContain(KEY);
  made.close();
});

test("positions and epochs of entries, acknowledgements and holds are told", () => {
  const { made, pass } = recorder();
  made.ask(0);
  const message = (said: object) => ({
    t: "q",
    m: "message",
    a: [{ from: 9094, incarnation: 1, message: said }],
  });
  const entry = (position: number) => ({ position, epoch: 2, at: 0, body: { kind: "command" } });
  pass(
    message({
      kind: "append",
      epoch: 2,
      prevPosition: 6,
      entries: [entry(7), entry(8)],
      commit: 6,
    }),
  );
  pass(message({ kind: "append", epoch: 2, prevPosition: 8, entries: [], commit: 8 }));
  pass(message({ kind: "ack", epoch: 2, round: 1, position: 8, goBackTo: null }));
  pass({ t: "q", m: "entries", a: [{ epoch: 2, exposed: 6, after: 6, entries: [entry(7)] }] });
  pass({ t: "q", m: "hold", a: [{ after: 6, through: 7, names: ["FishCo"] }] });
  pass({ t: "q", m: "beat", a: [{}] });
  expect(stepsSchema.parse(made.ask(0)).steps.map(({ said }) => said)).toEqual([
    { what: "append", epoch: 2, commit: 6, first: 7, epochs: [2, 2], through: 8 },
    { what: "heartbeat", epoch: 2, commit: 8, through: 8 },
    { what: "ack", epoch: 2, through: 8 },
    { what: "entries", epoch: 2, exposed: 6, first: 7, epochs: [2], through: 7 },
    { what: "hold", through: 7, words: ["FishCo"] },
  ]);
  made.close();
});

test("whatever another process sends makes a step that can be told, or none", () => {
  const { made, pass } = recorder();
  made.ask(0);
  const odd: readonly unknown[] = [
    null,
    7,
    "x".repeat(10_000),
    [],
    { message: null },
    {
      questions: [null, 1],
      entries: [null, { position: "x" }],
      names: [{}, null],
      epoch: -1,
      exposed: 0.5,
      message: { kind: "append", entries: "none", epoch: "x" },
    },
  ];
  for (const call of ["message", "ask", "entries", "hold", "follow", "y".repeat(64)]) {
    for (const argument of odd) {
      pass({ t: "q", i: call, m: call, a: [argument] });
      pass({ t: "s", i: call, r: argument });
    }
  }
  expect(stepsSchema.safeParse(made.ask(0)).success).toBe(true);
  made.close();
});

test("who asks on gets each step once, and who comes too late how many are gone", () => {
  const { made, pass } = recorder();
  made.ask(0);
  for (let count = 0; count < 5_000; count += 1) pass(ASK);
  const first = made.ask(0);
  expect(first.steps).toHaveLength(STEPS_PER_ANSWER_MAX);
  const second = made.ask(first.next);
  expect(second.missed).toBe(0);
  expect(second.steps[0]?.id).toBe(`l:${first.next + 1}`);
  expect(made.ask(10)).toMatchObject({ missed: 990 });
  made.close();
});
