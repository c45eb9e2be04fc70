import { describe, expect, test } from "vitest";
import { ReplicaContext } from "./context.ts";
import { Leadership } from "./leadership.ts";
import {
  HEARTBEAT_MS,
  REIGN_MS,
  UNCOMMITTED_ENTRIES_MAX,
  UNCONFIRMED_HEARTBEATS_MAX,
} from "./limits.ts";
import { command, journal, LENIENT, TestDisk } from "./test-disk.ts";
import { prepared } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";
import type { Message } from "./types.ts";

const ack = (round: number, position: number, epoch = 1): Message => ({
  kind: "ack",
  epoch,
  round,
  position,
  goBackTo: null,
});
const commits = (cluster: Cluster, id: number) =>
  cluster.take(id, "committed").map(({ position }) => position);
const confirmed = (cluster: Cluster, id: number) =>
  cluster.take(id, "confirmed").map(({ token, leads }) => [token, leads]);

/** 9094 has won epoch 1; its reign is on its way. */
function won(): Cluster {
  const cluster = prepared(new Cluster());
  cluster.deliver({ kind: "promise" });
  return cluster;
}

/** 9094 leads epoch 1, and all is quiet. */
function led(): Cluster {
  const cluster = new Cluster();
  cluster.elect(9094);
  cluster.run(2 * HEARTBEAT_MS);
  for (const id of cluster.ids) commits(cluster, id);
  return cluster;
}

describe("a leader whose reign isn't committed", () => {
  test("decides nothing (J1)", () => {
    const cluster = won();
    expect(cluster.status(9094)).toMatchObject({ phase: "leading", leads: false });
    expect(() => cluster.append(9094, "order 1")).toThrow(
      "a leader decides only once its reign is committed",
    );
    expect(cluster.take(9094, "leading")).toEqual([]);
    cluster.settle();
    expect(cluster.take(9094, "leading")).toEqual([{ kind: "leading", epoch: 1 }]);
    cluster.append(9094, "order 1");
  });

  test("isn't said to lead before all older entries are delivered", () => {
    const cluster = new Cluster({ journals: { 9094: journal(1, 1), 9092: journal(1, 1) } });
    cluster.elect(9094);
    const kinds = cluster.steps.flatMap(({ id, effects }) =>
      id === 9094 ? effects.map(({ kind }) => kind) : [],
    );
    expect(kinds.indexOf("committed")).toBeGreaterThan(-1);
    expect(kinds.indexOf("leading")).toBeGreaterThan(kinds.indexOf("committed"));
    expect(commits(cluster, 9094)).toEqual([3]);
  });

  test("gives up when its time limit is over", () => {
    const cluster = won();
    cluster.persist(9094);
    for (let waitedMs = 0; waitedMs <= REIGN_MS; waitedMs += HEARTBEAT_MS) {
      cluster.nowMs += HEARTBEAT_MS;
      // A quorum still answers its rounds, but the entry itself never arrives.
      cluster.tick(9094);
      const newest = cluster.sent({ from: 9094, to: 9092, kind: "append" }).at(-1);
      cluster.wire = [];
      if (newest) cluster.receive(9094, 9092, ack(newest.message.round, 0));
      cluster.wire = [];
    }
    expect(cluster.status(9094).phase).toBe("following");
    expect(cluster.take(9094, "lead-outcome").at(-1)?.outcome).toEqual({
      kind: "lost",
      reason: "stepped down",
    });
    expect(cluster.take(9094, "deposed")).toEqual([]);
  });
});

describe("an entry", () => {
  test("of an older epoch isn't committed by a majority that holds it (J2, Raft §5.4.2, figure 8)", () => {
    // 9094 led epoch 2 and wrote 2@2 to itself and 9092; 9090, cut off, led epoch 3.
    const cluster = new Cluster({
      journals: { 9094: journal(1, 2), 9092: journal(1, 2), 9090: journal(1, 3) },
      promises: {
        9094: { epoch: 2, nominee: 9094 },
        9092: { epoch: 3, nominee: 9090 },
        9090: { epoch: 3, nominee: 9090 },
      },
    });
    cluster.step(9094, { kind: "lead" });
    cluster.deliver({ kind: "canvass", to: 9092 });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.persist(9094);
    cluster.deliver({ kind: "prepare", to: 9092 });
    cluster.persist(9092);
    cluster.deliver({ kind: "promise" });
    cluster.persist(9094);
    // Its reign is lost; the heartbeat after it tells 9094 that 9092 holds 2@2.
    cluster.drop({ kind: "append" });
    cluster.nowMs += HEARTBEAT_MS;
    cluster.tick(9094);
    cluster.deliver({ kind: "append", to: 9092 });
    cluster.deliver({ kind: "ack" });
    expect(cluster.take(9094, "replicated")).toEqual([
      { kind: "replicated", peer: 9092, position: 2 },
    ]);
    expect(cluster.status(9094).commitPosition).toBe(0);
    // Now 9090 can still win, and what it holds instead is committed.
    cluster.crash(9094);
    cluster.disconnect(9094);
    cluster.wire = [];
    cluster.nowMs += 1_000;
    cluster.elect(9090, [9090, 9092]);
    expect(cluster.texts(9092)).toEqual(["1@1", "2@3", "reign of 9090"]);
  });

  test("of an older epoch is committed by the reign after it (Raft §5.4.2)", () => {
    const cluster = new Cluster({ journals: { 9094: journal(1, 2), 9092: journal(1, 2) } });
    cluster.elect(9094, [9092, 9094]);
    expect(commits(cluster, 9094)).toEqual([3]);
  });

  test("isn't committed before it is on the leader's own disk", () => {
    const cluster = led();
    cluster.append(9094, "order 1");
    cluster.deliver({ kind: "append" });
    cluster.persist(9090, 9092);
    cluster.deliver({ kind: "ack" });
    expect(commits(cluster, 9094)).toEqual([]);
    cluster.persist(9094);
    expect(commits(cluster, 9094)).toEqual([2]);
  });

  test("isn't committed by the leader alone", () => {
    const cluster = led();
    cluster.append(9094, "order 1");
    cluster.persist(9094);
    expect(commits(cluster, 9094)).toEqual([]);
    cluster.deliver({ kind: "append", to: 9090 });
    cluster.persist(9090);
    cluster.deliver({ kind: "ack" });
    expect(commits(cluster, 9094)).toEqual([2]);
  });

  test("isn't committed by an acknowledgement of another epoch", () => {
    const cluster = new Cluster({ promises: { 9094: { epoch: 4, nominee: 0 } } });
    cluster.elect(9094);
    cluster.run(2 * HEARTBEAT_MS);
    cluster.append(9094, "order 1");
    cluster.persist(9094);
    cluster.receive(9094, 9090, ack(1, 2, 4));
    expect(cluster.status(9094).commitPosition).toBe(1);
  });

  test("is known as committed to followers with the next heartbeat, without another trade", () => {
    const cluster = led();
    cluster.append(9094, "order 1");
    cluster.settle();
    expect(commits(cluster, 9094)).toEqual([2]);
    expect(commits(cluster, 9090)).toEqual([]);
    cluster.run(2 * HEARTBEAT_MS);
    expect(commits(cluster, 9090)).toEqual([2]);
  });

  test("is committed by three of five replicas, not by two, and the next leader has it", () => {
    const ids = [1, 2, 3, 4, 5];
    const cluster = new Cluster({ replicas: ids });
    cluster.elect(5);
    cluster.run(100);
    commits(cluster, 5);
    cluster.append(5, "order 1");
    cluster.settle([5, 1]);
    expect(commits(cluster, 5)).toEqual([]);
    cluster.settle([5, 1, 2]);
    expect(commits(cluster, 5)).toEqual([2]);
    cluster.crash(5);
    cluster.crash(1);
    cluster.disconnect(5);
    cluster.disconnect(1);
    cluster.wire = [];
    cluster.nowMs += 1_000;
    cluster.elect(4, [2, 3, 4]);
    expect(cluster.texts(3)).toEqual(["reign of 5", "order 1", "reign of 4"]);
  });
});

describe("a read", () => {
  test("isn't confirmed by a round that began before it was asked (J3, Raft §6.4)", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: null });
    cluster.step(9094, { kind: "round", confirm: 7 });
    const [before, after] = cluster.drop({ to: 9090, kind: "append" });
    if (before) cluster.arrive(before);
    cluster.deliver({ kind: "ack" });
    expect(confirmed(cluster, 9094)).toEqual([]);
    if (after) cluster.arrive(after);
    cluster.deliver({ kind: "ack" });
    expect(confirmed(cluster, 9094)).toEqual([[7, true]]);
  });

  test("is confirmed exactly once, also when a later round was confirmed first", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: 7 });
    cluster.step(9094, { kind: "round", confirm: 8 });
    const appends = cluster.drop({ to: 9090, kind: "append" });
    for (const item of appends.toReversed()) cluster.arrive(item);
    cluster.deliver({ kind: "ack" });
    expect(confirmed(cluster, 9094)).toEqual([
      [7, true],
      [8, true],
    ]);
  });

  test("isn't confirmed by the leader alone", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: 7 });
    expect(confirmed(cluster, 9094)).toEqual([]);
  });

  test("is confirmed by a follower that says that its journal differs", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: 7 });
    const [item] = cluster.drop({ to: 9090, kind: "append" });
    const round = item?.message.round ?? 0;
    // It follows this leader, whatever its journal is.
    cluster.receive(9094, 9090, { ...(ack(round, 0) as Message & { kind: "ack" }), goBackTo: 0 });
    expect(confirmed(cluster, 9094)).toEqual([[7, true]]);
  });

  test("isn't confirmed by a leader that was deposed meanwhile", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: 7 });
    const late = cluster.drop({ to: 9090, kind: "append" });
    cluster.receive(9094, 9092, { kind: "refuse", epoch: 2 });
    expect(confirmed(cluster, 9094)).toEqual([[7, false]]);
    for (const item of late) cluster.arrive(item);
    cluster.deliver({ kind: "ack" });
    expect(confirmed(cluster, 9094)).toEqual([]);
  });

  test("is confirmed as of when its round began, not of when the answer came", () => {
    const cluster = led();
    cluster.step(9094, { kind: "round", confirm: 7 });
    const beganMs = cluster.nowMs;
    cluster.nowMs += 30;
    cluster.settle();
    expect(cluster.status(9094).reign).toEqual({ wonAt: 1_000, confirmedAt: beganMs });
  });
});

describe("a leader", () => {
  test("steps down in bounded time when no quorum hears it, and falls silent", () => {
    const cluster = led();
    const beganMs = cluster.nowMs;
    cluster.step(9094, { kind: "round", confirm: 7 });
    cluster.wire = [];
    cluster.run(HEARTBEAT_MS * (UNCONFIRMED_HEARTBEATS_MAX - 1), [9094]);
    expect(cluster.leaders).toEqual([9094]);
    while (cluster.leaders.length > 0) {
      cluster.run(HEARTBEAT_MS, [9094]);
      expect(cluster.nowMs - beganMs).toBeLessThan(HEARTBEAT_MS * (UNCONFIRMED_HEARTBEATS_MAX + 3));
    }
    expect(cluster.take(9094, "deposed")).toHaveLength(1);
    expect(confirmed(cluster, 9094)).toEqual([[7, false]]);
    cluster.wire = [];
    cluster.run(1_000, [9094]);
    expect(cluster.wire).toEqual([]);
  });

  test("doesn't step down because its own event loop stood still", () => {
    const cluster = led();
    for (let stall = 0; stall < 5; stall += 1) {
      cluster.nowMs += 60_000;
      cluster.tick(9094);
      expect(cluster.leaders).toEqual([9094]);
      cluster.settle();
    }
    cluster.run(1_000);
    expect(cluster.leaders).toEqual([9094]);
  });

  test("doesn't step down for unconfirmed heartbeats that lie far apart", () => {
    const cluster = led();
    for (let spell = 0; spell < 4; spell += 1) {
      cluster.run(HEARTBEAT_MS * (UNCONFIRMED_HEARTBEATS_MAX - 2), [9094]);
      cluster.run(2 * HEARTBEAT_MS);
    }
    expect(cluster.leaders).toEqual([9094]);
  });

  test("doesn't step down while one of two followers hears it", () => {
    const cluster = led();
    cluster.run(5_000, [9094, 9090]);
    expect(cluster.leaders).toEqual([9094]);
  });

  test("begins one round each heartbeat interval when there is nothing else to send", () => {
    const cluster = led();
    cluster.steps.length = 0;
    cluster.run(1_000);
    const rounds = new Set(
      cluster.steps.flatMap(({ effects }) =>
        effects.flatMap((effect) =>
          effect.kind === "send" && effect.message.kind === "append" ? effect.message.round : [],
        ),
      ),
    );
    expect(rounds.size).toBe(1_000 / HEARTBEAT_MS);
  });

  test("appends only a limited number of entries that nobody acknowledges", () => {
    const cluster = led();
    const commands = Array.from({ length: UNCOMMITTED_ENTRIES_MAX }, () => new Uint8Array(1));
    cluster.step(9094, { kind: "append", commands });
    expect(() => cluster.append(9094, "one more")).toThrow("the uncommitted tail is bounded");
  });

  test("sends to a follower as soon as that connects, without waiting for the next heartbeat", () => {
    const cluster = led();
    cluster.crash(9090);
    cluster.disconnect(9090);
    cluster.append(9094, "missed");
    cluster.settle();
    cluster.start(9090);
    cluster.settle();
    expect(cluster.texts(9090)).toEqual(["reign of 9094", "missed"]);
  });

  test("reigns only in an epoch that it has promised itself (R3)", () => {
    const disk = new TestDisk([], { promise: { epoch: 3, nominee: 9090 } });
    const { hardState } = disk;
    const context = new ReplicaContext({
      id: 9094,
      incarnation: 1,
      members: [9090, 9092, 9094],
      replicas: [9090, 9092, 9094],
      hardState,
      stored: disk,
      judge: LENIENT,
      applied: 0,
    });
    expect(() => new Leadership(context, 3)).toThrow("a leader has promised itself its epoch");
  });
});

describe("a cluster of one replica", () => {
  test("waits for nobody, and commits only what is durable", () => {
    const cluster = new Cluster({ replicas: [9090], journals: { 9090: [command(1, 0)] } });
    cluster.step(9090, { kind: "lead" });
    expect(cluster.leaders).toEqual([]);
    cluster.persist(9090);
    expect(cluster.leaders).toEqual([9090]);
    cluster.append(9090, "order 1");
    expect(cluster.status(9090).commitPosition).toBe(2);
    cluster.persist(9090);
    expect(cluster.status(9090).commitPosition).toBe(3);
    cluster.step(9090, { kind: "round", confirm: 7 });
    expect(confirmed(cluster, 9090)).toEqual([[7, true]]);
    cluster.run(2_000);
    expect(cluster.leaders).toEqual([9090]);
    expect(cluster.wire).toEqual([]);
  });
});
