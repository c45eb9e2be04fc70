// Replicas over connections that the test makes, by its clock. How a leader is
// found is tested in core/selection, how questions are asked beside questions.ts.

import { beforeEach, expect, test } from "vitest";
import type { Nomination, ReplicaHealth } from "../selection/types.ts";
import { OrderReplicas } from "./order-replicas.ts";
import type { CallResult } from "./questions.ts";
import { accepted, trade } from "./test-support.ts";
import type { Asked, Question } from "./types.ts";

const IDS = [9090, 9092, 9094];

let nowMs: number;
let timers: { readonly atMs: number; readonly run: () => void }[];
let turns: (() => void)[];
let ticks: number;
let told: (number | null)[];
let nominated: string[];
let asked: {
  readonly over: string;
  readonly questions: readonly Question[];
  readonly settled: (result: CallResult) => void;
}[];
let healths: { readonly over: string; readonly settled: (health: ReplicaHealth | null) => void }[];
let ended: (result: Nomination | null) => void;
let replicas: OrderReplicas<string>;

beforeEach(() => {
  nowMs = 0;
  timers = [];
  turns = [];
  ticks = 0;
  told = [];
  nominated = [];
  asked = [];
  healths = [];
  replicas = new OrderReplicas<string>({
    replicas: IDS,
    calls: {
      ask: (over, questions, settled) => asked.push({ over, questions, settled }),
      health: (over, settled) => healths.push({ over, settled }),
      nominate(over, settled) {
        nominated.push(over);
        ended = settled;
      },
      notify() {},
      flush() {},
    },
    observer: {
      failed() {},
      triedAgain() {},
      line() {},
      leaderChanged: (leader) => told.push(leader),
      nominating() {},
      nominated() {},
      mismatched() {},
    },
    random: () => 0.5,
    startWaitMs: 100,
    nowMs: () => nowMs,
    atTurnsEnd: (run) => turns.push(run),
    after: (ms, run) => timers.push({ atMs: nowMs + ms, run }),
  });
  replicas.start();
});

function pass(ms: number): void {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += 1;
    const due = timers.filter(({ atMs }) => atMs <= nowMs);
    timers = timers.filter(({ atMs }) => atMs > nowMs);
    ticks += due.length;
    for (const { run } of due) run();
    for (const run of turns.splice(0)) run();
  }
}

function says(replica: number, but: Partial<ReplicaHealth> = {}): ReplicaHealth {
  const health = { replica, leads: false, leader: null, epoch: 0, lastPosition: 0 };
  return { ...health, commitPosition: 0, ...but };
}

function leads(replica: number, epoch = 1): ReplicaHealth {
  return says(replica, { leads: true, leader: replica, epoch });
}

/** All are connected, 9094 leads. */
function settle(): void {
  for (const id of IDS) replicas.opened(id, `to ${id}`);
  replicas.beat(9094, leads(9094));
  for (const id of [9090, 9092]) replicas.beat(id, says(id, { leader: 9094, epoch: 1 }));
}

function ask(question: Question = trade("a")): { readonly now: () => Asked["kind"] | "pending" } {
  let now: Asked["kind"] | "pending" = "pending";
  replicas.ask(question, 10_000, ({ kind }) => {
    now = kind;
  });
  for (const run of turns.splice(0)) run();
  return { now: () => now };
}

test("the highest that answered is nominated, and leads when it says so", () => {
  for (const id of IDS) replicas.opened(id, `to ${id}`);
  pass(1);
  for (const { over, settled } of healths) settled(says(Number(over.slice(3))));
  pass(200);
  expect(nominated).toEqual(["to 9094"]);
  ended({ kind: "leading", epoch: 1 });
  expect(told).toEqual([9094]);
  expect(replicas.leader).toBe(9094);
});

test("questions go to the leader over its connection, and are answered", () => {
  settle();
  const trading = ask();
  expect(asked).toMatchObject([{ over: "to 9094", questions: [trade("a")] }]);
  asked[0]?.settled({ kind: "answers", answers: [accepted(1)] });
  expect(trading.now()).toBe("answer");
});

test("what another replica says on a connection isn't taken for its own, asked or unasked", () => {
  settle();
  replicas.beat(9090, leads(9092, 77));
  expect(replicas.leader).toBe(9094);
  replicas.closed(9094, "to 9094");
  pass(50);
  const ofLowest = healths.filter(({ over }) => over === "to 9090").at(-1);
  ofLowest?.settled(says(9092, { epoch: 77 }));
  expect(replicas.states()[0]?.health).toMatchObject({ replica: 9090, epoch: 1 });
});

test("a connection that closed leaves nothing behind of what was heard on it", () => {
  settle();
  replicas.closed(9092, "to 9092");
  expect(replicas.states()[1]).toMatchObject({ id: 9092, connected: false, health: null });
  replicas.opened(9092, "again");
  expect(replicas.states()[1]).toMatchObject({ connected: true, health: null, heardAtMs: nowMs });
});

test("an earlier connection that closes late doesn't end the one that took its place", () => {
  settle();
  replicas.opened(9094, "again");
  replicas.beat(9094, leads(9094));
  replicas.closed(9094, "to 9094");
  expect(replicas.states()[2]?.connected).toBe(true);
  expect(replicas.leader).toBe(9094);
});

test("who is nominated without a connection is passed over at once", () => {
  replicas.opened(9094, "to 9094");
  pass(1);
  healths[0]?.settled(says(9094));
  replicas.closed(9094, "to 9094");
  pass(200);
  expect(replicas.ready).toBe(false);
  expect(nominated).toEqual([]);
});

test("the selection is ticked when it wants to be, never in a circle", () => {
  settle();
  pass(1_000);
  expect(ticks).toBeGreaterThan(20);
  expect(ticks).toBeLessThan(1_000);
});

test("after the end clients are told, and nothing happens any more", () => {
  settle();
  const trading = ask();
  replicas.close();
  expect(trading.now()).toBe("unavailable");
  replicas.closed(9094, "to 9094");
  pass(1_000);
  expect(told).toEqual([9094]);
});
