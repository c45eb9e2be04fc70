import { expect, test } from "vitest";
import { saidByCall } from "../../src/core/service/said.ts";
import {
  flying,
  happeningsOf,
  messagesOf,
  momentsOf,
  type Said,
  type Step,
  standingsAt,
  tradesOf,
  withoutPulse,
} from "./replay-model.ts";
import { happenedAt } from "./replay-words.ts";

const LEADER = "order-9094";
const FOLLOWER = "order-9092";
let numbers = 0;

/** Both ends of one message. */
function passed(from: string, to: string, sentAt: number, said: Said, call?: string): Step[] {
  numbers += 1;
  const both = { id: `l:${numbers}`, said, ...(call !== undefined && { call }) };
  return [
    { ...both, at: sentAt, role: from, peer: to, kind: "sent" },
    { ...both, at: sentAt + 1, role: to, peer: from, kind: "received" },
  ];
}

/** Order 17, bought through entry 8 of epoch 2, and a heartbeat in between. */
const TRADE = [
  ...passed("frontend", LEADER, 0, { what: "ask", words: ["buy 3 FishCo"] }, "c"),
  ...passed(LEADER, FOLLOWER, 2, {
    what: "append",
    epoch: 2,
    first: 8,
    epochs: [2],
    through: 8,
    commit: 7,
  }),
  ...passed(FOLLOWER, LEADER, 4, { what: "ack", epoch: 2, through: 8 }),
  ...passed(LEADER, "catalog", 6, {
    what: "entries",
    epoch: 2,
    exposed: 7,
    first: 8,
    epochs: [2],
    through: 8,
  }),
  ...passed("catalog", "frontend", 8, { what: "hold", through: 8, words: ["FishCo"] }),
  ...passed(LEADER, FOLLOWER, 9, { what: "heartbeat", epoch: 2, commit: 8, through: 8 }),
  ...passed("frontend", "catalog", 10, { what: "holding", through: 8 }),
  ...passed("catalog", LEADER, 12, { what: "held", epoch: 2, through: 8 }),
  ...passed(LEADER, "frontend", 14, { what: "ask-answer", orders: [17] }, "c"),
];
const messages = messagesOf(TRADE);
const roles = ["frontend", "catalog", FOLLOWER, LEADER];
const at = (time: number) => standingsAt(roles, happeningsOf(messages), time);

test("both ends of a message are put together, and one that nobody saw arrive stays open", () => {
  expect(messages).toHaveLength(9);
  expect(messages.every(({ sentAt, arrivedAt }) => arrivedAt === sentAt + 1)).toBe(true);
  const [lost] = messagesOf(TRADE.slice(0, 1));
  expect(lost).toMatchObject({ sentAt: 0, arrivedAt: null });
  const [heard] = messagesOf(TRADE.slice(1, 2));
  expect(heard).toMatchObject({ from: "frontend", sentAt: 1, arrivedAt: 1 });
});

test("a trade is found with the messages that made it, and no others", () => {
  const [trade, ...others] = tradesOf(withoutPulse(messages), 8);
  expect(others).toEqual([]);
  expect(trade).toMatchObject({ order: 17, text: "buy 3 FishCo" });
  expect(trade?.messages.map(({ said }) => said.what)).toEqual([
    "ask",
    "append",
    "ack",
    "entries",
    "hold",
    "holding",
    "held",
    "ask-answer",
  ]);
});

test("an entry is on a follower's disk only once it has said so", () => {
  expect(at(2.5).get(FOLLOWER)?.entries.get(8)).toBeUndefined();
  expect([...(at(3).get(FOLLOWER)?.arriving ?? [])]).toEqual([8]);
  expect([...(at(4).get(FOLLOWER)?.arriving ?? [])]).toEqual([]);
  expect(at(4).get(FOLLOWER)).toMatchObject({ last: 8, commit: 7 });
});

test("commit, hold and expose are told as the messages tell them", () => {
  expect(at(5).get(LEADER)).toMatchObject({ commit: 7, leads: 2 });
  expect(at(6).get(LEADER)).toMatchObject({ commit: 8, exposed: 7 });
  expect(at(9).get("frontend")).toMatchObject({ dropped: ["FishCo"] });
  expect(at(12).get("catalog")).toMatchObject({ held: 8, exposed: 7 });
});

test("entries of a later epoch take the places of those that were never committed", () => {
  const replaced = messagesOf([
    ...TRADE,
    ...passed("order-9090", FOLLOWER, 20, {
      what: "append",
      epoch: 3,
      first: 8,
      epochs: [3],
      through: 8,
      commit: 7,
    }),
  ]);
  const standing = standingsAt(roles, happeningsOf(replaced), 21).get(FOLLOWER);
  expect([...(standing?.entries ?? [])]).toEqual([[8, 3]]);
});

test("a message is on its way from when it was sent to when it arrived", () => {
  expect(flying(messages, 2.25).map(({ message, part }) => [message.said.what, part])).toEqual([
    ["append", 0.25],
  ]);
  expect(flying(messages, 3.5)).toEqual([]);
});

test("each step has words, and comes once", () => {
  const recording = { roles, messages, notes: [{ at: 5, text: "order-9090 crashes" }] };
  expect(momentsOf(recording)).toHaveLength(16);
  const all = momentsOf(recording).flatMap((moment) => happenedAt(recording, moment));
  expect(all[0]).toBe("Front end to Replica 9094: please: buy 3 FishCo");
  expect(all.at(-1)).toBe("Front end hears from Replica 9094: done: order 17");
  expect(all).toContain("order-9090 crashes");
  expect(all).toHaveLength(19);
});

test("what says nothing new is left out: heartbeats, leases, positions said before", () => {
  const show = { what: "entries", epoch: 2, exposed: 7 } as const;
  const more = messagesOf([
    ...TRADE,
    ...passed(LEADER, "catalog", 20, show),
    ...passed(LEADER, "catalog", 22, show),
    ...passed(FOLLOWER, LEADER, 24, { what: "ack", epoch: 2, through: 8 }),
    ...passed("catalog", LEADER, 26, { what: "lease", through: 8 }),
  ]);
  expect(withoutPulse(more)).toHaveLength(9);
});

test("with the log in a database, who leads and what is committed are known from the leader's own word", () => {
  const told = (leads: boolean) =>
    saidByCall("leads", { from: 9094, beat: { leads, epoch: 2, committed: 8 } });
  const heard = messagesOf(passed(LEADER, FOLLOWER, 0, told(true)));
  const standings = standingsAt(roles, happeningsOf(heard), 2);
  expect(standings.get(LEADER)).toMatchObject({ leads: 2, last: 8, commit: 8 });
  expect(standings.get(FOLLOWER)).toMatchObject({ leads: null, last: 8, commit: 8 });
  expect(withoutPulse(heard)).toEqual([]);
  expect(told(false)).toEqual({ what: "resigns" });
});
