// Interleavings of a whole cluster, each one a story in which a rule of the
// protocol is all that stands between it and a lost order, or a standstill.

import { describe, expect, test } from "vitest";
import { HEARTBEAT_MS, LEADER_SILENCE_MS } from "./limits.ts";
import { journal } from "./test-disk.ts";
import { Cluster, type OnWire } from "./test-support.ts";

/** Nobody hears a leader any more. */
function fallSilent(cluster: Cluster): void {
  cluster.wire = [];
  cluster.nowMs += 2 * LEADER_SILENCE_MS;
}

test("messages that come again, much later and backwards, stop a replica or change its journal", () => {
  const cluster = new Cluster({ replicas: [1, 2, 3, 4, 5] });
  const sent = (): OnWire[] =>
    cluster.steps.flatMap(({ id: from, effects }) =>
      effects.flatMap((effect) =>
        effect.kind === "send"
          ? [{ from, to: effect.to, incarnation: 1, message: effect.message }]
          : [],
      ),
    );
  for (const [leader, text] of [
    [1, "a"],
    [5, "b"],
    [3, "c"],
    [1, "d"],
  ] as const) {
    fallSilent(cluster);
    cluster.elect(leader);
    cluster.append(leader, text);
    cluster.settle();
    for (const item of sent().reverse()) cluster.arrive(item);
    cluster.settle();
    expect(cluster.leaders).toEqual([leader]);
    for (const id of cluster.ids) expect(cluster.texts(id)).toEqual(cluster.texts(leader));
  }
  const reigns = ["reign of 1", "reign of 5", "reign of 3", "reign of 1"];
  expect(cluster.texts(2)).toEqual(["a", "b", "c", "d"].flatMap((text, n) => [reigns[n], text]));
});

test("an older epoch's entry that a quorum holds is told to clients, and replaced (Raft, figure 8)", () => {
  const cluster = new Cluster({
    journals: { 9090: journal(1, 2), 9092: journal(1), 9094: journal(1, 3) },
    promises: { 9090: { epoch: 2, nominee: 9090 }, 9092: { epoch: 2, nominee: 9090 } },
  });
  cluster.step(9090, { kind: "lead" });
  cluster.deliver({ kind: "canvass", to: 9092 });
  cluster.deliver({ kind: "canvass-answer" });
  cluster.persist(9090);
  cluster.deliver({ kind: "prepare", to: 9092 });
  cluster.persist(9092);
  cluster.deliver({ kind: "promise" });
  cluster.persist(9090);
  const { epoch } = cluster.status(9090);
  cluster.receive(9090, 9092, { kind: "ack", epoch, round: 1, position: 2, goBackTo: null });
  expect(cluster.status(9090)).toMatchObject({ leads: false, commitPosition: 0 });
  // 9094 takes over with its own entry at that position.
  fallSilent(cluster);
  cluster.crash(9090);
  cluster.elect(9094, [9092, 9094]);
  expect(cluster.texts(9092)).toEqual(["1@1", "2@3", "reign of 9094"]);
  cluster.start(9090);
  cluster.run(4 * HEARTBEAT_MS);
  for (const id of [9090, 9092]) expect(cluster.texts(id)).toEqual(cluster.texts(9094));
});

describe("after a disk was lost", () => {
  test("its replacement counts before the others have committed its admission", () => {
    const cluster = new Cluster();
    cluster.elect(9090);
    cluster.replace(9094, 2);
    cluster.start(9094);
    const pair = [9090, 9094];
    cluster.run(4 * HEARTBEAT_MS, pair);
    expect(cluster.texts(9094)).toEqual(["reign of 9090", "admit 9094/2"]);
    expect(cluster.status(9090).commitPosition).toBe(1);
    expect(cluster.status(9094).voter).toBe(false);
    cluster.run(4 * HEARTBEAT_MS);
    expect(cluster.status(9094).voter).toBe(true);
    cluster.append(9090, "x");
    cluster.run(HEARTBEAT_MS, pair);
    expect(cluster.status(9090).commitPosition).toBe(3);
  });

  test("a late acknowledgement counts as its replacement's", () => {
    const cluster = new Cluster();
    cluster.elect(9090);
    cluster.append(9090, "x");
    cluster.persist(9090);
    cluster.deliver({ kind: "append", to: 9094 });
    cluster.persist(9094);
    const late = cluster.drop({ kind: "ack", from: 9094 });
    cluster.replace(9094, 2);
    cluster.start(9094);
    cluster.settle([9090, 9094]);
    for (const item of late) cluster.arrive(item);
    expect(cluster.status(9090)).toMatchObject({ leads: true, commitPosition: 1 });
  });
});
