import { expect, test } from "vitest";
import { HEALTH_MS } from "./limits.ts";
import { ReplicaView } from "./replica-view.ts";
import { healthOf } from "./test-support.ts";

test("what a replica said on a connection that closed doesn't count on the next", () => {
  const view = new ReplicaView(9092);
  view.connect(0);
  view.hear(healthOf(9092), 10);
  view.asked = { kind: "answered" };
  expect(view.answer).not.toBeNull();
  view.disconnect();
  expect(view.answer).toBeNull();
  view.connect(20);
  expect(view.health).toBeNull();
  expect(view.reached).toBe(true);
});

test("a replica is silent since it spoke last or was connected, and for ever without a connection", () => {
  const view = new ReplicaView(9092);
  expect(view.silenceMs(5)).toBe(Number.POSITIVE_INFINITY);
  view.connect(5);
  expect(view.silenceMs(30)).toBe(25);
  view.hear(healthOf(9092), 40);
  expect(view.silenceMs(50)).toBe(10);
});

test("a question without an answer fails at its time limit", () => {
  const view = new ReplicaView(9092);
  view.connect(0);
  view.ask(0);
  view.expire(HEALTH_MS - 1);
  expect(view.asked.kind).toBe("waiting");
  view.expire(HEALTH_MS);
  expect(view.asked.kind).toBe("failed");
});

test("only a replica that names another as its leader hears a leader", () => {
  const view = new ReplicaView(9092);
  view.connect(0);
  expect(view.hearsLeader).toBe(false);
  view.hear(healthOf(9092, { leader: 9092 }), 0);
  expect(view.hearsLeader).toBe(false);
  view.hear(healthOf(9092, { leader: 9094 }), 0);
  expect(view.hearsLeader).toBe(true);
});
