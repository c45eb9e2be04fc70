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

test("the highest id is asked first, and a leader that answered is asked again", async () => {
  const { asked, ask } = asking({ 9094: () => DONE });
  expect(await ask()).toEqual({ kind: "outcome", outcome: { kind: "adjusted" } });
  await ask();
  expect(asked).toEqual([9094, 9094]);
});

test("a replica that doesn't lead names the one that does, which is asked from then on", async () => {
  const { asked, ask } = asking({
    9094: () => ({ kind: "not-leader", leader: 9090 }),
    9090: () => DONE,
  });
  await ask();
  await ask();
  expect(asked).toEqual([9094, 9090, 9090]);
});

test("when the leader is dead, the replicas are asked until another has taken over", async () => {
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

test("two replicas that name each other as leader are left for the next one", async () => {
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

test("after an unknown fate or a busy leader the same request is asked again", async () => {
  const answers: AskResult[] = [
    { kind: "unknown" },
    { kind: "answers", answers: [{ kind: "busy" }] },
    DONE,
  ];
  const { asked, ask } = asking({ 9094: () => answers.shift() ?? DONE });
  await ask();
  expect(asked.filter((id) => id === 9094).length).toBe(3);
});

test("without a leader the question ends at its time-out, with the reason and where to look", async () => {
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

test("a question that a replica refused as invalid is asked only once", async () => {
  const refused = () => Promise.reject(new RpcError("refused", "name is too long"));
  const { asked, ask } = asking({ 9094: refused });
  await expect(ask()).rejects.toThrow(new UserError("refused: name is too long"));
  expect(asked).toEqual([9094]);
});

test("a replica of another cluster ends the question at once", async () => {
  const foreign = () => Promise.reject(new UserError("it belongs to another cluster"));
  const { asked, ask } = asking({ 9094: foreign });
  await expect(ask()).rejects.toThrow("it belongs to another cluster");
  expect(asked).toEqual([9094]);
});
