// Replicas that lead, don't, name another, fail, or aren't there.

import { expect, test } from "vitest";
import { RpcError } from "../io/rpc/error.ts";
import type { AskResult, Question } from "../roles/contract.ts";
import { AskLeader, type AskLeaderOptions } from "./ask-leader.ts";
import { UserError } from "./user-error.ts";

const replicas = [9090, 9092, 9094].map((id) => ({
  id,
  name: `order-${id}`,
  host: "127.0.0.1",
  port: id,
}));

const QUESTION: Question = {
  kind: "request",
  requestId: "one",
  content: { kind: "adjust", name: "FishCo", by: 1 },
  recordRefusal: true,
};
const DONE: AskResult = {
  kind: "answers",
  answers: [{ kind: "outcome", outcome: { kind: "adjusted" } }],
};
const closed = () => Promise.reject(new RpcError("closed", "unreachable"));

type Script = Readonly<Record<number, () => AskResult | Promise<AskResult>>>;

function asking(script: Script, options: Partial<AskLeaderOptions> = {}) {
  const asked: number[] = [];
  const leader = new AskLeader({
    replicas,
    ask: async (replica, question) => {
      asked.push(replica.id);
      expect(question).toEqual(QUESTION);
      return (script[replica.id] ?? closed)();
    },
    ...options,
  });
  return { asked, ask: () => leader.ask(QUESTION) };
}

test("the highest id is asked first, and asked again once it has answered", async () => {
  const { asked, ask } = asking({ 9094: () => DONE });
  expect(await ask()).toEqual({ kind: "outcome", outcome: { kind: "adjusted" } });
  await ask();
  expect(asked).toEqual([9094, 9094]);
});

test("a replica that doesn't lead sends to who does", async () => {
  const { asked, ask } = asking({
    9094: () => ({ kind: "not-leader", leader: 9090 }),
    9090: () => DONE,
  });
  await ask();
  await ask();
  expect(asked).toEqual([9094, 9090, 9090]);
});

test("a dead leader doesn't end the question while another can take over", async () => {
  let round = 0;
  const { asked, ask } = asking({
    9092: () => {
      round += 1;
      return round === 1 ? { kind: "not-leader", leader: 9094 } : DONE;
    },
    9090: () => ({ kind: "not-leader", leader: null }),
  });
  await ask();
  expect(asked).toEqual([9094, 9092, 9094, 9090, 9094, 9092]);
});

test("two that name each other are not asked in a circle for ever", async () => {
  let now = 0;
  const { asked, ask } = asking(
    {
      9094: () => ({ kind: "not-leader", leader: 9092 }),
      9092: () => ({ kind: "not-leader", leader: 9094 }),
      9090: () => (asked.length > 5 ? DONE : { kind: "unknown" }),
    },
    { now: () => (now += 1), limitMs: 1_000 },
  );
  await ask();
  expect(asked).toEqual([9094, 9092, 9092, 9094, 9090, 9094, 9092, 9092, 9094, 9090]);
});

test("an unknown fate and a busy leader are asked again, as the same request", async () => {
  const answers: AskResult[] = [
    { kind: "unknown" },
    { kind: "answers", answers: [{ kind: "busy" }] },
    DONE,
  ];
  const { asked, ask } = asking({ 9094: () => answers.shift() ?? DONE });
  await ask();
  expect(asked.filter((id) => id === 9094).length).toBe(3);
});

test("without a leader the question ends, with the reason and where to look", async () => {
  let now = 0;
  const options = { now: () => (now += 150), limitMs: 1_000 };
  const { asked, ask } = asking({}, options);
  await expect(ask()).rejects.toThrow(
    new UserError(
      'no order leader answered within 1 s (order-9090: unreachable): see "npx bazaar status"',
    ),
  );
  expect(asked.length).toBeLessThan(20);
});

test("a question that was refused as it is is not asked again", async () => {
  const refused = () => Promise.reject(new RpcError("refused", "name is too long"));
  const { asked, ask } = asking({ 9094: refused });
  await expect(ask()).rejects.toThrow(new UserError("refused: name is too long"));
  expect(asked).toEqual([9094]);
});

test("another cluster's replica is not asked for ten seconds", async () => {
  const foreign = () => Promise.reject(new UserError("it belongs to another cluster"));
  const { asked, ask } = asking({ 9094: foreign });
  await expect(ask()).rejects.toThrow("it belongs to another cluster");
  expect(asked).toEqual([9094]);
});
