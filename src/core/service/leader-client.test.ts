import { expect, test } from "vitest";
import { type Attempt, type LeaderAnswer, LeaderClient } from "./leader-client.ts";
import { LEADER_PAUSE_MS, LEADER_QUESTIONS_IN_HAND_MAX, QUESTION_DEADLINE_MS } from "./limits.ts";
import type { Answer, Question } from "./types.ts";

const LOOKUP: Question = { kind: "lookup", name: "FishCo" };
const ADJUST: Question = {
  kind: "request",
  requestId: "mine",
  content: { kind: "adjust", name: "FishCo", by: 1 },
  recordRefusal: false,
};
const STOCK: Answer = { kind: "stock", stock: null, position: 3 };
const BUSY: Attempt = { kind: "answers", answers: [{ kind: "busy" }] };

const answer = (...answers: Answer[]): Attempt => ({ kind: "answers", answers });
const failed = (why: string, isFinal = false): Attempt => ({ kind: "failed", why, isFinal });
const notLeader = (leader: number | null): Attempt => ({ kind: "not-leader", leader });

/** Replicas of which each answers what its script says, or hangs. */
function asking(...ids: number[]) {
  const made: { replica: number; question: Question; settled: (attempt: Attempt) => void }[] = [];
  const told: LeaderAnswer[] = [];
  const later: { atMs: number; run: () => void }[] = [];
  const reachable = new Set(ids);
  let nowMs = 0;
  const client = new LeaderClient({
    reachable: () => [...reachable],
    ask: (replica, question, settled) => made.push({ replica, question, settled }),
    nowMs: () => nowMs,
    after: (ms, run) => later.push({ atMs: nowMs + ms, run }),
  });
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const { run } of later.splice(0).filter((each) => each.atMs <= nowMs || !later.push(each)))
      run();
  };
  /** Settles the call under way, and waits for the next. */
  const then = (attempt: Attempt): void => {
    made.at(-1)?.settled(attempt);
    pass(LEADER_PAUSE_MS);
  };
  const ask = (question: Question): void => client.ask(question, (each) => told.push(each));
  const replicas = (): number[] => made.map(({ replica }) => replica);
  return { client, made, told, reachable, pass, then, ask, replicas };
}

test("the highest id is asked first, and who answered is asked again", () => {
  const { ask, then, replicas, told } = asking(9090, 9092, 9094);
  ask(LOOKUP);
  then(failed("closed"));
  then(answer(STOCK));
  ask(LOOKUP);
  expect(replicas()).toEqual([9094, 9092, 9092]);
  expect(told).toEqual([STOCK]);
});

test("who is said to lead is asked first, while it can be reached", () => {
  const { client, ask, replicas, reachable } = asking(9090, 9092, 9094);
  client.heardOf(9090);
  ask(LOOKUP);
  reachable.delete(9090);
  ask(LOOKUP);
  expect(replicas()).toEqual([9090, 9094]);
});

test("a replica that doesn't lead sends to who does, who is asked at once", () => {
  const { ask, made, replicas } = asking(9090, 9092, 9094);
  ask(LOOKUP);
  made[0]?.settled(notLeader(9090));
  expect(replicas()).toEqual([9094, 9090]);
});

test("two that name each other are not asked in a circle without a pause", () => {
  const { ask, made, pass, replicas } = asking(9092, 9094);
  ask(LOOKUP);
  made[0]?.settled(notLeader(9092));
  made[1]?.settled(notLeader(9094));
  expect(replicas()).toEqual([9094, 9092]);
  pass(LEADER_PAUSE_MS);
  expect(replicas()).toEqual([9094, 9092, 9094]);
});

test("a replica that takes itself for the leader and can't answer yet doesn't keep others from being asked", () => {
  const { ask, then, replicas } = asking(9092, 9094);
  ask(LOOKUP);
  then(notLeader(9094));
  expect(replicas()).toEqual([9094, 9092]);
});

test("a change is asked again under its request id, and with its refusal recorded", () => {
  const { ask, then, made, told } = asking(9090, 9092, 9094);
  ask(ADJUST);
  then({ kind: "unknown" });
  then(failed("killed"));
  then(BUSY);
  const again = { ...ADJUST, recordRefusal: true };
  expect(made.map(({ question }) => question)).toEqual([ADJUST, again, again, again]);
  const adjusted: Answer = { kind: "outcome", outcome: { kind: "adjusted" } };
  then(answer(adjusted));
  expect(told).toEqual([adjusted]);
});

test("without a leader a question ends at its deadline, with the reason", () => {
  const { ask, then, pass, told } = asking(9094);
  ask(LOOKUP);
  then(notLeader(null));
  pass(QUESTION_DEADLINE_MS);
  then(notLeader(null));
  expect(told).toEqual([{ kind: "unanswered", why: "9094 doesn't lead" }]);
});

test("while nobody can be reached a question waits, and is asked as soon as somebody can", () => {
  const { ask, pass, reachable, replicas, told } = asking();
  ask(LOOKUP);
  pass(LEADER_PAUSE_MS);
  expect(replicas()).toEqual([]);
  reachable.add(9090);
  pass(LEADER_PAUSE_MS);
  expect(replicas()).toEqual([9090]);
  expect(told).toEqual([]);
});

test("what can never be answered is not asked again", () => {
  const { ask, then, told, made } = asking(9092, 9094);
  ask(LOOKUP);
  then(failed("refused: the name is too long", true));
  ask(LOOKUP);
  then(answer());
  expect(made).toHaveLength(2);
  expect(told).toEqual([
    { kind: "impossible", why: "refused: the name is too long" },
    { kind: "impossible", why: "9094 gave no answer to a question" },
  ]);
});

test("questions under way are limited, and one that ends makes room", () => {
  const { ask, made, told } = asking(9094);
  for (let count = 0; count < LEADER_QUESTIONS_IN_HAND_MAX; count += 1) ask(LOOKUP);
  ask(LOOKUP);
  expect(told).toEqual([{ kind: "too-many" }]);
  made[0]?.settled(answer(STOCK));
  ask(LOOKUP);
  expect(made).toHaveLength(LEADER_QUESTIONS_IN_HAND_MAX + 1);
});
