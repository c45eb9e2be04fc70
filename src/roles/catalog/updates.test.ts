import { expect, test } from "vitest";
import type { Question } from "../contract.ts";
import { FakePeer } from "../order/test-support.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { LEADER_DEADLINE_MS } from "./limits.ts";
import { Replicas } from "./replicas.ts";
import { Updates } from "./updates.ts";

type ChangeQuestion = Extract<Question, { kind: "request" }>;

function updatesWith(...ids: number[]) {
  const clock = { nowMs: 0 };
  const replicas = new Replicas();
  const peers = new Map(ids.map((id) => [id, new FakePeer("order", `order-${id}`)]));
  for (const [id, peer] of peers) replicas.opened(id, peer, 1_000);
  const leader = new LeaderQuestions({ replicas, nowMs: () => clock.nowMs });
  const updates = new Updates({ leader, knows: (name) => name === "FishCo" });
  /** The next question that a replica is asked, once it is. */
  const asked = async (id: number) => {
    const peer = peers.get(id);
    if (peer === undefined) throw new Error(`no replica ${id}`);
    await expect.poll(() => peer.received.length, { timeout: 2_000, interval: 5 }).toBe(1);
    const call = peer.take();
    const { questions } = call.argument as { questions: ChangeQuestion[] };
    const [question] = questions;
    if (question === undefined) throw new Error("asked nothing");
    return { ...call, question };
  };
  return { clock, replicas, updates, asked };
}

const adjusted = { kind: "answers", answers: [{ kind: "outcome", outcome: { kind: "adjusted" } }] };

test("an update is an adjust at the leader, under a request id of its own", async () => {
  const { updates, asked, replicas } = updatesWith(9090, 9092, 9094);
  replicas.heardOfLeader(9092);
  const result = updates.update({ name: "FishCo", by: -7 });
  const call = await asked(9092);
  expect(call.question).toMatchObject({
    kind: "request",
    content: { kind: "adjust", name: "FishCo", by: -7 },
    recordRefusal: false,
  });
  call.answer(adjusted);
  expect(await result).toEqual({ status: 200, message: "success" });
});

test("a caller's own request id is used, and its refusal recorded", async () => {
  const { updates, asked } = updatesWith(9094);
  const result = updates.update({ name: "FishCo", by: 1, requestId: "mine" });
  const call = await asked(9094);
  expect(call.question).toMatchObject({ requestId: "mine", recordRefusal: true });
  call.answer(adjusted);
  await result;
});

test("an update that no market accepts needs no leader", async () => {
  const { updates } = updatesWith();
  const update = { name: "x".repeat(65_000), by: 1, requestId: "mine" };
  expect(await updates.update(update)).toEqual({ status: 400, message: "Stock name not found" });
});

test("refusals are told in the seed's words", async () => {
  const { updates, asked } = updatesWith(9094);
  const refusals = [
    [
      { kind: "unknown-stock", name: "Meh" },
      { status: 400, message: "Stock name not found" },
    ],
    [
      { kind: "insufficient-volume", name: "FishCo" },
      { status: 500, message: "Insufficient volume for FishCo stock" },
    ],
  ];
  for (const [refusal, expected] of refusals) {
    const result = updates.update({ name: "FishCo", by: -1 });
    (await asked(9094)).answer({
      kind: "answers",
      answers: [{ kind: "outcome", outcome: { kind: "refused", refusal } }],
    });
    expect(await result).toEqual(expected);
  }
});

test("a by that is no whole number says so and bothers no leader", async () => {
  const { updates } = updatesWith();
  for (const by of ["LOL", 1.5, 2 ** 53, Number.NaN, null, undefined, { a: 1n }]) {
    expect((await updates.update({ name: "FishCo", by })).status).toBe(500);
  }
  expect((await updates.update({ name: "FishCo", by: "LOL" })).message).toContain('"LOL"');
  expect(await updates.update({ name: "Meh", by: "LOL" })).toEqual({
    status: 400,
    message: "Stock name not found",
  });
});

test("without a leader an update ends at its deadline and says how to ask again", async () => {
  const { updates, asked, clock } = updatesWith(9094);
  const result = updates.update({ name: "FishCo", by: 1, requestId: "mine" });
  const call = await asked(9094);
  clock.nowMs = LEADER_DEADLINE_MS;
  call.answer({ kind: "not-leader", leader: null });
  expect(await result).toMatchObject({ status: 503, message: expect.stringContaining("mine") });
});
