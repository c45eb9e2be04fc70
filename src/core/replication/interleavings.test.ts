// Interleavings of a whole cluster, each one a story in which a rule of the
// protocol is all that stands between it and a lost order, or a standstill.

import { describe, expect, test } from "vitest";
import { entryBytes } from "./entry-log.ts";
import { HEARTBEAT_MS, LEADER_SILENCE_MS, MESSAGE_BYTES_MAX } from "./limits.ts";
import { admission, bulky, journal, TestDisk } from "./test-disk.ts";
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

/** The promises written at `id`, as text, in order. */
function promisesOf(cluster: Cluster, id: number): string[] {
  return cluster.steps
    .filter((step) => step.id === id)
    .flatMap(({ effects }) => effects)
    .flatMap((effect) => (effect.kind === "persist" ? (effect.write.hardState ?? []) : []))
    .map(({ promise }) => `${promise.epoch} to ${promise.nominee}`);
}

describe("a healthy replica is stopped", () => {
  test("by its journal, having stood for an epoch that another won", () => {
    const cluster = new Cluster();
    cluster.step(9090, { kind: "lead" });
    cluster.step(9092, { kind: "lead" });
    cluster.deliver({ kind: "canvass", to: 9094 });
    cluster.deliver({ kind: "canvass-answer", from: 9094 });
    cluster.persist(9090, 9092);
    cluster.deliver({ kind: "prepare", from: 9092, to: 9094 });
    cluster.persist(9094);
    cluster.deliver({ kind: "promise" });
    cluster.deliver({ kind: "append", from: 9092, to: 9090 });
    expect(cluster.status(9090)).toMatchObject({ phase: "following", leader: 9092, epoch: 1 });
    // The journal refuses a second nominee in one epoch (R1).
    expect(promisesOf(cluster, 9090)).toEqual(["1 to 9090"]);
  });

  for (const [what, answer] of [
    ["a position beyond the journal", { round: 1, position: 1_000, goBackTo: null }],
    ["to go back to beyond the journal", { round: 1, position: 0, goBackTo: 1_000 }],
    ["a round that wasn't begun", { round: 1_000, position: 0, goBackTo: null }],
  ] as const) {
    test(`by a peer that acknowledges ${what}`, () => {
      const cluster = new Cluster();
      cluster.elect(9090);
      cluster.receive(9090, 9094, { kind: "ack", epoch: 1, ...answer });
      cluster.append(9090, "x");
      cluster.settle();
      expect(cluster.status(9090)).toMatchObject({ leads: true, commitPosition: 2 });
    });
  }
});

describe("a working leader is deposed", () => {
  test("though every round is confirmed, one heartbeat late", () => {
    const oneWayMs = 30;
    const cluster = new Cluster();
    cluster.elect(9090);
    const sky: { readonly at: number; readonly item: OnWire }[] = [];
    const endMs = cluster.nowMs + 1_000;
    for (; cluster.nowMs < endMs; cluster.nowMs += 5) {
      if (cluster.nowMs % 25 === 0) cluster.tick();
      for (const item of cluster.wire.splice(0)) sky.push({ at: cluster.nowMs + oneWayMs, item });
      while (sky[0] && sky[0].at <= cluster.nowMs) {
        const { item } = sky.shift() as { item: OnWire };
        cluster.arrive(item);
      }
    }
    expect(cluster.leaders).toEqual([9090]);
  });

  test("by reading for megabytes at a time what a returning follower lacks", () => {
    const held = Array.from({ length: 6_000 }, (_, index) => bulky(index + 1, 1, 1_000));
    const cluster = new Cluster({ journals: { 9090: held, 9092: held } });
    cluster.crash(9094);
    cluster.elect(9090, [9090, 9092]);
    cluster.start(9094);
    const before = cluster.steps.length;
    cluster.run(2 * HEARTBEAT_MS);
    const bytes = cluster.steps.slice(before).map(({ effects }) =>
      effects
        .flatMap((effect) => (effect.kind === "send" ? [effect.message] : []))
        .flatMap((message) => (message.kind === "append" ? message.entries : []))
        .reduce((sum, entry) => sum + entryBytes(entry), 0),
    );
    expect(Math.max(...bytes)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  });
});

describe("a connected quorum never gets a leader", () => {
  /** Whether one of `ids` wins when they are nominated in turn, twice each. */
  function anyWins(cluster: Cluster, ids: readonly number[]): boolean {
    fallSilent(cluster);
    return [...ids, ...ids].some((id) => {
      cluster.step(id, { kind: "lead" });
      cluster.run(1_500, ids);
      return cluster.status(id).leads;
    });
  }

  test("of two replacements whose tables were behind their admissions when they crashed", () => {
    const cluster = new Cluster();
    const held = [...journal(1), admission(2, 1, 9092, 2), admission(3, 1, 9094, 2)];
    for (const id of [9092, 9094]) {
      const disk = new TestDisk(held);
      disk.applied = 1;
      cluster.replace(id, 2, disk);
    }
    cluster.crash(9090);
    for (const id of [9092, 9094]) cluster.start(id);
    expect(anyWins(cluster, [9092, 9094])).toBe(true);
  });

  test("of a replica that wasn't told in time that the other's admission is committed", () => {
    const cluster = new Cluster();
    cluster.elect(9090);
    cluster.replace(9094, 2);
    cluster.start(9094);
    cluster.deliver({ kind: "append", to: 9094 });
    cluster.persist(9094);
    cluster.deliver({ kind: "ack", from: 9094 });
    cluster.persist(9090);
    cluster.deliver({ kind: "append", to: 9092 });
    cluster.persist(9092);
    cluster.deliver({ kind: "ack", from: 9092 });
    cluster.run(4 * HEARTBEAT_MS, [9090, 9094]);
    expect(cluster.status(9094).voter).toBe(true);
    cluster.crash(9090);
    cluster.disconnect(9090);
    fallSilent(cluster);
    cluster.step(9092, { kind: "lead" });
    cluster.run(1_500, [9092, 9094]);
    expect(cluster.leaders).toEqual([9092]);
  });

  test("of a replacement that crashed after it applied its admission, before it noted its vote", () => {
    const cluster = new Cluster({ journals: { 9092: [...journal(1), admission(2, 1, 9094, 2)] } });
    const disk = new TestDisk([...journal(1), admission(2, 1, 9094, 2)], { voter: false });
    disk.applied = 2;
    cluster.crash(9090);
    cluster.replace(9094, 2, disk);
    cluster.start(9094);
    expect(anyWins(cluster, [9092, 9094])).toBe(true);
  });
});
