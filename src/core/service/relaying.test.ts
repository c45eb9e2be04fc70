import { expect, test } from "vitest";
import { relayFailed, relayOf } from "./relaying.ts";

test("a follower keeps a question to itself", () => {
  expect(relayOf({ replica: 9090, leader: 9094, relayed: false })).toBe(9094);
});

test("a question goes in circles between replicas that disagree on the leader (H1)", () => {
  const answer = { kind: "not-leader", leader: 9094 };
  expect(relayOf({ replica: 9090, leader: 9094, relayed: true })).toEqual(answer);
});

test("who knows no leader, or has won but not begun, names somebody", () => {
  const answer = { kind: "not-leader", leader: null };
  expect(relayOf({ replica: 9090, leader: null, relayed: false })).toEqual(answer);
  expect(relayOf({ replica: 9090, leader: 9090, relayed: false })).toEqual(answer);
});

test("a call that was lost on the way counts as not begun (H2)", () => {
  for (const failure of ["closed", "timeout", "failed", "refused"] as const) {
    expect(relayFailed(failure, 2)).toEqual({ kind: "unknown" });
  }
  const busy = { kind: "answers", answers: [{ kind: "busy" }, { kind: "busy" }] };
  expect(relayFailed("busy", 2)).toEqual(busy);
});
