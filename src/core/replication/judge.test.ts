// Entries that can't follow, by the judge of a follower, a nominee or both.

import { describe, expect, test } from "vitest";
import type { Judge } from "./judge.ts";
import { HEARTBEAT_MS, PROMISE_REST_MS, UNCONFIRMED_HEARTBEATS_MAX } from "./limits.ts";
import { command, journal, LENIENT, textOf } from "./test-disk.ts";
import { answers, append } from "./test-messages.ts";
import { Cluster, type ClusterOptions } from "./test-support.ts";
import type { Entry, ReplicaId } from "./types.ts";

/** Whoever has something against an entry, and what each begins a reign with. */
class Opinions {
  readonly against = new Map<ReplicaId, string>();
  readonly states = new Map<ReplicaId, string>();
  readonly asked: string[] = [];

  judgeOf = (id: ReplicaId): Judge => ({
    ...LENIENT,
    rewind: () => {
      this.asked.push(`${id} rewinds`);
      return 0;
    },
    take: (entries: readonly Entry[]) => {
      const wrong = entries.find((entry) => this.#isWrong(id, entry));
      if (!wrong) return null;
      return { position: wrong.position, reason: `${textOf(wrong)} can't be` };
    },
    summary: () => this.states.get(id) ?? "right",
  });

  #isWrong(id: ReplicaId, entry: Entry): boolean {
    const { body } = entry;
    if (body.kind === "reign") return body.state !== (this.states.get(id) ?? "right");
    return textOf(entry) === this.against.get(id);
  }
}

function clusterOf(options: ClusterOptions = {}) {
  const opinions = new Opinions();
  return { opinions, cluster: new Cluster({ ...options, judgeOf: opinions.judgeOf }) };
}

const lead = (cluster: Cluster, id: ReplicaId) => cluster.step(id, { kind: "lead" });
const outcomes = (cluster: Cluster, id: ReplicaId) =>
  cluster.take(id, "lead-outcome").map(({ outcome }) => outcome);

describe("an entry that can't follow", () => {
  test("is neither written nor acknowledged, and the leader hears why (R5)", () => {
    const { cluster, opinions } = clusterOf({ journals: { 9090: journal(1) } });
    opinions.against.set(9090, "bad");
    cluster.receive(9090, 9094, append(2, [1, 1], [command(2, 2), command(3, 2, "bad")], 3));
    expect(answers(cluster, 9090)).toEqual([
      { kind: "misfit", epoch: 2, position: 3, reason: "bad can't be" },
    ]);
    expect(cluster.disk(9090).journal).toEqual(journal(1));
    expect(cluster.take(9090, "refuses")).toEqual([
      { kind: "refuses", from: 9094, misfit: { position: 3, reason: "bad can't be" } },
    ]);
    expect(cluster.take(9090, "verify")).toHaveLength(1);
    expect(cluster.status(9090)).toMatchObject({ leader: null, commitPosition: 0, epoch: 2 });
  });

  test("has its follower refuse whatever else comes from that leader in its epoch", () => {
    const { cluster, opinions } = clusterOf();
    opinions.against.set(9090, "bad");
    cluster.receive(9090, 9094, append(2, [0, 0], [command(1, 2, "bad")]));
    answers(cluster, 9090);
    const told = { kind: "misfit", epoch: 2, position: 1, reason: "bad can't be" };
    cluster.receive(9090, 9094, append(2, [0, 0], []));
    cluster.receive(9090, 9094, append(2, [0, 0], [command(1, 2, "good")]));
    expect(answers(cluster, 9090)).toEqual([told, told]);
    expect(cluster.take(9090, "refuses")).toHaveLength(1);
    cluster.receive(9090, 9094, append(3, [0, 0], [command(1, 3, "good")]));
    expect(answers(cluster, 9090)).toMatchObject([{ kind: "ack", epoch: 3, position: 1 }]);
  });

  test("leaves the journal as it is where it would have replaced another", () => {
    const { cluster, opinions } = clusterOf({ journals: { 9090: journal(1, 1) } });
    opinions.against.set(9090, "bad");
    cluster.receive(9090, 9094, append(2, [1, 1], [command(2, 2, "bad")]));
    answers(cluster, 9090);
    expect(cluster.texts(9090)).toEqual(["1@1", "2@1"]);
    expect(opinions.asked.slice(-2)).toEqual(["9090 rewinds", "9090 rewinds"]);
  });

  test("lets its follower vote for another at once", () => {
    const { cluster, opinions } = clusterOf();
    opinions.against.set(9090, "bad");
    cluster.receive(9090, 9094, { kind: "prepare", epoch: 1 });
    cluster.receive(9090, 9094, append(1, [0, 0], [command(1, 1, "bad")]));
    cluster.persist(9090);
    cluster.wire = [];
    cluster.receive(9090, 9092, { kind: "canvass", token: 1 });
    expect(PROMISE_REST_MS).toBeGreaterThan(0);
    expect(answers(cluster, 9090)).toMatchObject([{ kind: "canvass-answer", willing: true }]);
  });

  test("is judged anew once its follower's file was found to be right", () => {
    const { cluster, opinions } = clusterOf();
    opinions.against.set(9090, "bad");
    const appended = append(2, [0, 0], [command(1, 2, "bad")]);
    cluster.receive(9090, 9094, appended);
    answers(cluster, 9090);
    opinions.against.clear(); // it was this replica's memory
    cluster.step(9090, { kind: "verified" });
    cluster.receive(9090, 9094, appended);
    expect(answers(cluster, 9090)).toMatchObject([{ kind: "ack", epoch: 2, position: 1 }]);
  });

  test("in a replica's own journal stops it as it starts", () => {
    const { cluster, opinions } = clusterOf({ journals: { 9090: journal(1, 1) } });
    cluster.crash(9090);
    opinions.against.set(9090, "2@1");
    expect(() => cluster.start(9090)).toThrow("2: 2@1 can't be");
  });
});

describe("a leader whose entry is refused", () => {
  test("goes on while it has a quorum without those who refuse, and needn't check its file (J4)", () => {
    const { cluster, opinions } = clusterOf();
    cluster.elect(9094);
    opinions.against.set(9090, "a");
    cluster.append(9094, "a");
    cluster.settle();
    cluster.run(1_000);
    expect(cluster.status(9094)).toMatchObject({ leads: true, epoch: 1, commitPosition: 2 });
    expect(cluster.take(9094, "refused")).toEqual([
      { kind: "refused", by: 9090, misfit: { position: 2, reason: "a can't be" } },
    ]);
    expect(cluster.take(9094, "verify")).toEqual([]);
    expect(cluster.disk(9090).journal).toHaveLength(1);
  });

  test("steps down at once when no quorum is left, and doesn't stand before it has checked its file", () => {
    const { cluster, opinions } = clusterOf();
    cluster.elect(9094);
    outcomes(cluster, 9094);
    for (const id of [9090, 9092]) opinions.against.set(id, "bad");
    cluster.append(9094, "bad");
    cluster.settle();
    expect(cluster.status(9094)).toMatchObject({ phase: "following", commitPosition: 1 });
    expect(cluster.take(9094, "deposed")).toHaveLength(1);
    expect(cluster.take(9094, "verify")).toHaveLength(1);
    lead(cluster, 9094);
    expect(cluster.wire).toEqual([]);
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "its entries were refused, and it checks its file" },
    ]);
    cluster.step(9094, { kind: "verified" });
    opinions.against.clear();
    cluster.elect(9094);
    expect(cluster.status(9094)).toMatchObject({ leads: true, epoch: 2 });
  });

  test("is replaced by one that refused it, and what it appended is dropped", () => {
    const { cluster, opinions } = clusterOf();
    cluster.elect(9094);
    for (const id of [9090, 9092]) opinions.against.set(id, "bad");
    cluster.append(9094, "bad");
    cluster.settle();
    // The first promise is that of the wrong one, whose journal seems the best.
    lead(cluster, 9092);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.persist(9092);
    cluster.deliver({ kind: "prepare" });
    cluster.persist(9090, 9094);
    cluster.deliver({ kind: "promise", from: 9094 });
    cluster.deliver({ kind: "fetch" });
    cluster.deliver({ kind: "fetched" });
    expect(cluster.status(9092).phase).toBe("standing"); // B6: one promise less
    cluster.settle();
    expect(cluster.leaders).toEqual([9092]);
    expect(cluster.texts(9090)).toEqual(["reign of 9094", "reign of 9092"]);
    expect(cluster.texts(9094)).toEqual(cluster.texts(9090));
  });

  test("steps down, too, when one follower refuses and the other is away", () => {
    const { cluster, opinions } = clusterOf();
    cluster.elect(9094);
    cluster.crash(9092);
    opinions.against.set(9090, "bad");
    cluster.append(9094, "bad");
    cluster.run(HEARTBEAT_MS * (UNCONFIRMED_HEARTBEATS_MAX + 2), [9090, 9094]);
    expect(cluster.status(9094).phase).toBe("following");
    lead(cluster, 9094);
    expect(outcomes(cluster, 9094).at(-1)).toMatchObject({ kind: "lost" });
  });

  test("never opens its reign on a state that its followers don't have", () => {
    const { cluster, opinions } = clusterOf();
    opinions.states.set(9094, "wrong");
    lead(cluster, 9094);
    cluster.settle();
    expect(cluster.take(9094, "leading")).toEqual([]);
    expect(cluster.status(9094)).toMatchObject({ phase: "following", commitPosition: 0 });
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "lost", reason: "stepped down" }]);
    cluster.elect(9092);
    expect(cluster.texts(9090)).toEqual(["reign of 9092"]);
  });

  test("counts a follower again that follows after all", () => {
    const { cluster, opinions } = clusterOf();
    cluster.elect(9094);
    opinions.against.set(9090, "a");
    cluster.append(9094, "a");
    cluster.settle();
    opinions.against.clear();
    cluster.step(9090, { kind: "verified" });
    cluster.run(1_000);
    cluster.crash(9092);
    cluster.append(9094, "b");
    cluster.settle([9090, 9094]);
    expect(cluster.status(9094).commitPosition).toBe(3);
  });
});
