import { expect, test } from "vitest";
import { RpcError } from "../../io/rpc/error.ts";
import type { Question } from "../contract.ts";
import { FakePeer } from "../order/test-support.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { LEADER_DEADLINE_MS, LEADER_QUESTIONS_IN_HAND_MAX } from "./limits.ts";
import { Replicas } from "./replicas.ts";

const WAIT = { timeout: 2_000, interval: 5 };
const LOOKUP: Question = { kind: "lookup", name: "FishCo" };
const ADJUST: Extract<Question, { kind: "request" }> = {
  kind: "request",
  requestId: "mine",
  content: { kind: "adjust", name: "FishCo", by: 1 },
  recordRefusal: false,
};
const STOCK = { kind: "stock", stock: null, position: 3 } as const;
const ADJUSTED = { kind: "outcome", outcome: { kind: "adjusted" } } as const;

function asking(...ids: number[]) {
  const clock = { nowMs: 0 };
  const replicas = new Replicas();
  const peers = new Map(ids.map((id) => [id, new FakePeer("order", `order-${id}`)]));
  for (const [id, peer] of peers) replicas.opened(id, peer, 1_000);
  const leader = new LeaderQuestions({ replicas, nowMs: () => clock.nowMs });
  /** The next call to a replica, once it comes. */
  const asked = async (id: number) => {
    const peer = peers.get(id);
    await expect.poll(() => peer?.received.length, WAIT).toBe(1);
    const call = peer?.take();
    if (call === undefined) throw new Error(`no replica ${id}`);
    const { questions } = call.argument as { questions: Question[] };
    return { ...call, question: questions[0] };
  };
  return { clock, replicas, peers, leader, asked };
}

test("a change asked again over a change of the leader is another, and counts twice", async () => {
  const { leader, asked, replicas } = asking(9090, 9092, 9094);
  replicas.heardOfLeader(9094);
  const answer = leader.ask(ADJUST);
  const first = await asked(9094);
  expect(first.question).toEqual(ADJUST);
  first.answer({ kind: "unknown" });
  // Nobody is known to lead now: others are asked in turn. The first attempt may still be
  // under way: a refusal told now must hold for it too.
  const again = { ...ADJUST, recordRefusal: true };
  const second = await asked(9092);
  expect(second.question).toEqual(again);
  second.fail(new RpcError("closed", "killed"));
  const third = await asked(9090);
  expect(third.question).toEqual(again);
  third.answer({ kind: "not-leader", leader: 9092 });
  const fourth = await asked(9092);
  expect(fourth.question).toEqual(again);
  fourth.answer({ kind: "answers", answers: [ADJUSTED] });
  expect(await answer).toEqual(ADJUSTED);
});

test("a leader that is busy answers for good", async () => {
  const { leader, asked } = asking(9094);
  const answer = leader.ask(LOOKUP);
  (await asked(9094)).answer({ kind: "answers", answers: [{ kind: "busy" }] });
  const second = await asked(9094);
  expect(second.question).toEqual(LOOKUP);
  second.answer({ kind: "answers", answers: [STOCK] });
  expect(await answer).toEqual(STOCK);
});

test("without a leader a question is asked for ever", async () => {
  const { leader, asked, clock } = asking(9094);
  const answer = leader.ask(LOOKUP);
  const call = await asked(9094);
  clock.nowMs = LEADER_DEADLINE_MS;
  call.answer({ kind: "not-leader", leader: null });
  expect(await answer).toEqual({ kind: "unanswered" });
});

test("questions pile up without limit", async () => {
  const { leader, peers } = asking(9094);
  const received = peers.get(9094)?.received ?? [];
  const answers = Array.from({ length: LEADER_QUESTIONS_IN_HAND_MAX }, () => leader.ask(LOOKUP));
  await expect.poll(() => received.length, WAIT).toBe(LEADER_QUESTIONS_IN_HAND_MAX);
  expect(await leader.ask(LOOKUP)).toEqual({ kind: "too-many" });
  for (const call of received.splice(0)) call.answer({ kind: "answers", answers: [STOCK] });
  expect(new Set(await Promise.all(answers))).toEqual(new Set([STOCK]));
  void leader.ask(LOOKUP);
  await expect.poll(() => received.length, WAIT).toBe(1);
});
