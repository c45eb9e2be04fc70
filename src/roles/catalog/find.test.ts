import { expect, test } from "vitest";
import { FakePeer } from "../order/test-support.ts";
import type { Found, Unleased } from "./catalog-service.ts";
import { find } from "./find.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { LEADER_DEADLINE_MS } from "./limits.ts";
import { Replicas } from "./replicas.ts";
import { FISH } from "./test-support.ts";

/** A catalog that answers lookups so, and 9094, which leads. */
function finding(own: Found | Unleased) {
  const clock = { nowMs: 0 };
  const replicas = new Replicas();
  const peer = new FakePeer("order", "order-9094");
  replicas.opened(9094, peer, 1_000);
  const leader = new LeaderQuestions({ replicas, nowMs: () => clock.nowMs });
  const findIt = (name: string) => find({ service: { lookup: () => own }, leader }, name);
  /** The next call to the leader, once it comes. */
  const asked = async () => {
    await expect.poll(() => peer.received.length, { timeout: 2_000, interval: 5 }).toBe(1);
    return peer.take();
  };
  return { clock, peer, findIt, asked };
}

const unleased = { kind: "unleased" } as const;
const found = { status: 200, data: FISH };
const unknown = { status: 400, message: "Bad request. Ash stock not found in db" };

test("a catalog with a lease doesn't bother the leader", async () => {
  const known = finding({ kind: "stocks", stocks: [FISH], position: 3 });
  expect(await known.findIt("FishCo")).toEqual(found);
  const none = finding({ kind: "stocks", stocks: [null], position: 3 });
  expect(await none.findIt("Ash")).toEqual(unknown);
  expect([...known.peer.received, ...none.peer.received]).toEqual([]);
});

test("a name that no stock can have bothers nobody, and isn't repeated when it is long", async () => {
  const { peer, findIt } = finding(unleased);
  expect(await findIt("A".repeat(65_000))).toEqual({
    status: 400,
    message: "Bad request. The name of a stock has at most 64 letters",
  });
  expect(await findIt("Fish Co")).toMatchObject({ status: 400 });
  expect(peer.received).toEqual([]);
});

test("without a lease the leader is asked until it answers", async () => {
  const { findIt, asked } = finding(unleased);
  const finds = findIt("FishCo");
  const first = await asked();
  expect(first.argument).toEqual({
    relayed: false,
    questions: [{ kind: "lookup", name: "FishCo" }],
  });
  first.answer({ kind: "answers", answers: [{ kind: "busy" }] });
  const stock = { kind: "stock", stock: FISH, position: 3 };
  (await asked()).answer({ kind: "answers", answers: [stock] });
  expect(await finds).toEqual(found);
  const findsNone = findIt("Ash");
  (await asked()).answer({ kind: "answers", answers: [{ ...stock, stock: null }] });
  expect(await findsNone).toEqual(unknown);
});

test("of a stock that nobody could tell of in time is said that nobody could", async () => {
  const { findIt, asked, clock } = finding(unleased);
  const finds = findIt("FishCo");
  const call = await asked();
  clock.nowMs = LEADER_DEADLINE_MS;
  call.answer({ kind: "not-leader", leader: null });
  expect(await finds).toMatchObject({ status: 503 });
});
