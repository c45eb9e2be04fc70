import { expect, test } from "vitest";
import type { Question } from "../../contract.ts";
import type { Asked } from "../orders/order-service.ts";
import { TAPE_BACKLOG_MAX, TAPE_KEPT_MAX, TAPE_ROWS_MAX } from "./events-limits.ts";
import { Tape } from "./events-tape.ts";

/** A leader whose orders are all of one unit, buys and sells in turn. */
class Leader {
  last = 0;
  isThere = true;
  readonly asked: Question[] = [];

  async ask(question: Question): Promise<Asked> {
    this.asked.push(question);
    if (!this.isThere) return { kind: "unavailable" };
    if (question.kind !== "orders") throw new Error("asked for something else");
    const { after, limit } = question;
    const count = Math.max(0, Math.min(limit, this.last - after));
    const orders = Array.from({ length: count }, (_, index) => order(after + 1 + index));
    return { kind: "answer", answer: { kind: "orders", orders, next: null } };
  }
}

function order(number: number) {
  const type = number % 2 === 0 ? ("sell" as const) : ("buy" as const);
  return { number, name: "FishCo", type, quantity: 1 };
}

test("an order is counted once, whichever way tells of it first", async () => {
  const leader = new Leader();
  const tape = new Tape(leader);
  await tape.read();
  expect(tape.take()).toEqual({ rows: [], more: 0, last: 0 });
  leader.last = 5;
  for (const number of [2, 5, 3]) tape.traded(order(number)); // 1 and 4 came through others
  await tape.read();
  tape.traded(order(4)); // its answer comes late
  await tape.read();
  expect(tape.volumes?.get("FishCo")).toEqual({ volume: 5, trades: 5 });
  expect(tape.take()?.rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  expect(tape.take()).toBeNull();
});

test("so many rows are told and kept, however much is traded", async () => {
  const leader = new Leader();
  const tape = new Tape(leader);
  await tape.read();
  leader.last = 2_500;
  await tape.read();
  const told = tape.take();
  expect(told?.rows).toHaveLength(TAPE_ROWS_MAX);
  expect(told?.rows.at(-1)?.number).toBe(2_500);
  expect(told?.more).toBe(2_500 - TAPE_ROWS_MAX);
  expect(tape.newest?.rows).toHaveLength(TAPE_KEPT_MAX);
  expect(tape.volumes?.get("FishCo")).toEqual({ volume: 2_500, trades: 2_500 });
});

test("a tick reads only so much, and what there was before isn't told as news", async () => {
  const leader = new Leader();
  leader.last = 20_000;
  const tape = new Tape(leader);
  await tape.read();
  expect(leader.asked.length).toBeLessThan(12);
  expect(tape.take()).toBeNull();
  expect(tape.newest).toBeNull();
  expect(tape.volumes).toBeNull(); // half a sum is none
  for (let tick = 0; tick < 5; tick++) await tape.read();
  expect(tape.take()?.last).toBe(20_000);
  expect(tape.take()).toBeNull();
  expect(tape.countedFrom).toBe(1);
  expect(tape.volumes?.get("FishCo")?.trades).toBe(20_000);
});

test("of a million orders only the newest are read when somebody opens a page", async () => {
  const leader = new Leader();
  leader.last = 1_234_567;
  const tape = new Tape(leader);
  for (let tick = 0; tick < 12; tick++) await tape.read();
  expect(tape.newest?.last).toBe(1_234_567);
  expect(tape.countedFrom).toBe(1_234_567 - TAPE_BACKLOG_MAX + 1);
  expect(tape.volumes?.get("FishCo")?.trades).toBe(TAPE_BACKLOG_MAX);
  expect(leader.asked.length).toBeLessThan(120);
});

test("after a rest what was known is still there, what came since is told, and sums are right", async () => {
  const leader = new Leader();
  const tape = new Tape(leader);
  leader.last = 10;
  await tape.read();
  tape.take();
  tape.rest();
  leader.last = 30;
  leader.isThere = false;
  await tape.read();
  expect(tape.take()).toBeNull();
  expect(tape.newest).toMatchObject({ rows: { length: 10 }, last: 10 });
  tape.rest();
  leader.isThere = true;
  leader.last = 15;
  await tape.read();
  expect(tape.take()?.rows.map(({ number }) => number)).toEqual([11, 12, 13, 14, 15]);
  leader.last = 30;
  await tape.read();
  await tape.read();
  expect(tape.volumes?.get("FishCo")?.trades).toBe(30);
});

test("without a leader, the orders are told as unknown, not as none", async () => {
  const leader = new Leader();
  leader.isThere = false;
  const tape = new Tape(leader);
  await tape.read();
  tape.rest();
  expect([tape.take(), tape.newest, tape.volumes]).toEqual([null, null, null]);
  leader.isThere = true;
  leader.last = 3;
  await tape.read();
  expect(tape.take()?.last).toBe(3);
});
