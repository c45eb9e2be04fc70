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

test("messages that come again, much later and backwards, stop no replica and change no journal", () => {
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

/** The promises written at `id`, as text, in order. */
function promisesOf(cluster: Cluster, id: number): string[] {
  return cluster.steps
    .filter((step) => step.id === id)
    .flatMap(({ effects }) => effects)
    .flatMap((effect) => (effect.kind === "persist" ? (effect.write.hardState ?? []) : []))
    .map(({ promise }) => `${promise.epoch} to ${promise.nominee}`);
}

describe("a healthy replica", () => {
  test("follows who won the epoch that it stood for itself, and promises that epoch once", () => {
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
    test(`isn't stopped by a peer that acknowledges ${what}`, () => {
      const cluster = new Cluster();
      cluster.elect(9090);
      cluster.receive(9090, 9094, { kind: "ack", epoch: 1, ...answer });
      cluster.append(9090, "x");
      cluster.settle();
      expect(cluster.status(9090)).toMatchObject({ leads: true, commitPosition: 2 });
    });
  }
});

describe("a working leader", () => {
  test("isn't deposed when every round is confirmed one heartbeat late", () => {
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

  test("reads no more than one message at a time of what a returning follower lacks", () => {
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

describe("a connected quorum", () => {
  /** Whether one of `ids` wins when they are nominated in turn, twice each. */
  function anyWins(cluster: Cluster, ids: readonly number[]): boolean {
    fallSilent(cluster);
    return [...ids, ...ids].some((id) => {
      cluster.step(id, { kind: "lead" });
      cluster.run(1_500, ids);
      return cluster.status(id).leads;
    });
  }

  test("of two replacements gets a leader, though their tables were behind their admissions when they crashed", () => {
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

  test("gets a leader, though one replica wasn't told in time that the other's admission is committed", () => {
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

  test("gets a leader, though a replacement crashed after it applied its admission, before it noted its vote", () => {
    const cluster = new Cluster({ journals: { 9092: [...journal(1), admission(2, 1, 9094, 2)] } });
    const disk = new TestDisk([...journal(1), admission(2, 1, 9094, 2)], { voter: false });
    disk.applied = 2;
    cluster.crash(9090);
    cluster.replace(9094, 2, disk);
    cluster.start(9094);
    expect(anyWins(cluster, [9092, 9094])).toBe(true);
  });
});
