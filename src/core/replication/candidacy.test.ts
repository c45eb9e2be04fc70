import { describe, expect, test } from "vitest";
import { Candidacy } from "./candidacy.ts";
import { ReplicaContext } from "./context.ts";
import { CANVASS_MS, PREPARE_MS, PROMISE_REST_MS } from "./limits.ts";
import { command, LENIENT, TestDisk } from "./test-disk.ts";
import { append, prepared } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";
import type { ReplicaId } from "./types.ts";

const lead = (cluster: Cluster, id: ReplicaId) => cluster.step(id, { kind: "lead" });
const outcomes = (cluster: Cluster, id: ReplicaId) =>
  cluster.take(id, "lead-outcome").map(({ outcome }) => outcome);
const promiseOf = (cluster: Cluster, id: ReplicaId) => cluster.disk(id).hardState.promise;

describe("a canvass (Raft, PreVote)", () => {
  test("stores nothing and raises no epoch (B1)", () => {
    const cluster = new Cluster({ promises: { 9090: { epoch: 4, nominee: 9090 } } });
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    for (const id of cluster.ids) {
      expect(cluster.disk(id).underWay).toEqual([]);
      expect(cluster.status(id).epoch).toBe(id === 9090 ? 4 : 0);
    }
    expect(cluster.sent({ kind: "prepare" })).toEqual([]);
  });

  test("is followed by a prepare only once a quorum is willing (B1)", () => {
    const cluster = new Cluster({ replicas: [1, 2, 3, 4, 5] });
    lead(cluster, 5);
    cluster.deliver({ kind: "canvass", to: 1 });
    cluster.deliver({ kind: "canvass-answer" });
    expect(cluster.disk(5).underWay).toEqual([]);
    cluster.deliver({ kind: "canvass", to: 2 });
    cluster.deliver({ kind: "canvass-answer" });
    expect(cluster.disk(5).underWay).toHaveLength(1);
  });

  test("counts a willing answer once", () => {
    const cluster = new Cluster({ replicas: [1, 2, 3, 4, 5] });
    lead(cluster, 5);
    cluster.deliver({ kind: "canvass", to: 1 });
    const [answer] = cluster.drop({ kind: "canvass-answer" });
    for (let again = 0; answer && again < 3; again += 1) cluster.arrive(answer);
    expect(cluster.disk(5).underWay).toEqual([]);
  });

  test("doesn't count an answer to an earlier one", () => {
    const cluster = new Cluster();
    lead(cluster, 9094);
    cluster.drop({ to: 9090 });
    cluster.deliver({ kind: "canvass" });
    const [late] = cluster.drop({ kind: "canvass-answer" });
    cluster.nowMs += CANVASS_MS + 1;
    cluster.tick(9094);
    lead(cluster, 9094);
    if (late) cluster.arrive(late);
    expect(cluster.disk(9094).underWay).toEqual([]);
  });

  test("ends at its time limit when nobody answers", () => {
    const cluster = new Cluster();
    lead(cluster, 9094);
    cluster.nowMs += CANVASS_MS;
    cluster.tick(9094);
    expect(outcomes(cluster, 9094)).toEqual([]);
    cluster.nowMs += 1;
    cluster.tick(9094);
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "no quorum answered while canvassing" },
    ]);
    expect(cluster.status(9094).phase).toBe("following");
  });

  test("ends at once when no quorum can become willing", () => {
    const cluster = new Cluster();
    for (const id of [9090, 9092])
      cluster.receive(id, 9090 + 9092 - id, { kind: "prepare", epoch: 1 });
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "lost", reason: "no quorum is willing" }]);
  });

  test("ends without a dead peer's answer when the other follows that peer still", () => {
    const cluster = new Cluster();
    cluster.elect(9094);
    cluster.wire = [];
    cluster.step(9092, { kind: "disconnected", peer: 9094 }); // 9090 hasn't noticed yet
    lead(cluster, 9092);
    cluster.drop({ to: 9094 });
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    expect(outcomes(cluster, 9092)).toEqual([{ kind: "follows", leader: 9094, epoch: 1 }]);
  });

  test("doesn't wait for the answer of a peer that dies meanwhile", () => {
    const cluster = new Cluster();
    cluster.receive(9090, 9094, { kind: "prepare", epoch: 1 });
    lead(cluster, 9092);
    cluster.drop({ to: 9094 });
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    expect(outcomes(cluster, 9092)).toEqual([]);
    cluster.step(9092, { kind: "disconnected", peer: 9094 });
    expect(outcomes(cluster, 9092)).toEqual([{ kind: "lost", reason: "no quorum is willing" }]);
  });

  test("counts a willing peer whose connection closed since", () => {
    const cluster = new Cluster({ replicas: [1, 2, 3, 4, 5] });
    lead(cluster, 5);
    cluster.deliver({ kind: "canvass", to: 1 });
    cluster.deliver({ kind: "canvass-answer" });
    for (const peer of [1, 3, 4] as const) cluster.step(5, { kind: "disconnected", peer });
    expect(outcomes(cluster, 5)).toEqual([]); // 2 may still answer, and 1 has
    cluster.deliver({ kind: "canvass", to: 2 });
    cluster.deliver({ kind: "canvass-answer" });
    expect(cluster.disk(5).underWay).toHaveLength(1);
  });

  test("learns from the unwilling whom they follow", () => {
    const cluster = new Cluster();
    cluster.elect(9090, [9090, 9092]);
    cluster.wire = [];
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "follows", leader: 9090, epoch: 1 }]);
  });

  test("learns the highest epoch promised, and the nominee takes the next", () => {
    const cluster = new Cluster({ promises: { 9090: { epoch: 7, nominee: 9090 } } });
    cluster.elect(9094);
    expect(cluster.status(9094).epoch).toBe(8);
  });
});

describe("a prepare (Paxos, phase 1)", () => {
  test("goes out only once the nominee's own promise is durable (B2)", () => {
    const cluster = new Cluster();
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    expect(cluster.wire).toEqual([]);
    expect(promiseOf(cluster, 9094).epoch).toBe(0);
    cluster.persist(9094);
    expect(promiseOf(cluster, 9094)).toEqual({ epoch: 1, nominee: 9094 });
    expect(cluster.sent({ kind: "prepare" })).toHaveLength(2);
  });

  test("is of a new epoch after a crash of the nominee (B2)", () => {
    const cluster = new Cluster();
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.persist(9094);
    cluster.crash(9094);
    cluster.wire = [];
    cluster.start(9094);
    cluster.elect(9094);
    expect(cluster.status(9094).epoch).toBe(2);
  });

  test("doesn't win with promises of an earlier candidacy", () => {
    const cluster = prepared(new Cluster());
    const late = cluster.drop({ kind: "promise" });
    cluster.nowMs += PREPARE_MS + 1;
    cluster.tick(9094);
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "no quorum answered while preparing" },
    ]);
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    for (const item of late) cluster.arrive(item);
    expect(cluster.status(9094).phase).toBe("standing");
  });

  test("is given up once another was promised a higher epoch", () => {
    const cluster = prepared(new Cluster());
    cluster.wire = [];
    cluster.receive(9094, 9090, { kind: "refuse", epoch: 5 });
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "epoch 5 was promised to another" },
    ]);
    cluster.nowMs += PROMISE_REST_MS;
    cluster.elect(9094);
    expect(cluster.status(9094).epoch).toBe(6);
  });

  test("is given up once its own epoch turns out to be promised to another", () => {
    const cluster = prepared(new Cluster());
    cluster.wire = [];
    cluster.receive(9094, 9090, { kind: "refuse", epoch: 1 });
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "epoch 1 was promised to another" },
    ]);
    expect(cluster.status(9094).phase).toBe("following");
  });

  test("isn't ended by a refusal of an older one", () => {
    const cluster = prepared(new Cluster());
    cluster.receive(9094, 9090, { kind: "refuse", epoch: 0 });
    expect(cluster.status(9094).phase).toBe("standing");
  });

  test("is given up once this very replica promised another", () => {
    const cluster = prepared(new Cluster());
    cluster.receive(9094, 9092, { kind: "prepare", epoch: 2 });
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "a higher epoch was promised" },
    ]);
    cluster.deliver({ kind: "promise", to: 9094 });
    expect(cluster.status(9094)).toMatchObject({ phase: "following", epoch: 2 });
  });

  test("is given up once another won, and the asker hears who leads", () => {
    const cluster = prepared(new Cluster());
    cluster.receive(9094, 9092, append(2, [0, 0], [command(1, 2)]));
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "follows", leader: 9092, epoch: 2 }]);
  });

  test("wins with three of five, not with two", () => {
    const cluster = new Cluster({ replicas: [1, 2, 3, 4, 5] });
    lead(cluster, 5);
    cluster.settle([5, 1, 2, 3]);
    expect(cluster.leaders).toEqual([5]);
    const other = new Cluster({ replicas: [1, 2, 3, 4, 5] });
    lead(other, 5);
    other.deliver({ kind: "canvass" });
    other.settle([5, 1]);
    expect(other.status(5).phase).toBe("standing");
  });
});

describe("asking a replica to lead", () => {
  test("while it stands joins the candidacy under way", () => {
    const cluster = new Cluster();
    lead(cluster, 9094);
    lead(cluster, 9094);
    expect(cluster.sent({ kind: "canvass" })).toHaveLength(2);
    cluster.settle();
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "leading", epoch: 1 }]);
  });

  test("while it leads starts no election", () => {
    const cluster = new Cluster();
    cluster.elect(9094);
    outcomes(cluster, 9094);
    lead(cluster, 9094);
    expect(cluster.wire).toEqual([]);
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "leading", epoch: 1 }]);
  });

  test("is answered only once its reign is committed", () => {
    const cluster = prepared(new Cluster());
    cluster.deliver({ kind: "promise" });
    expect(cluster.status(9094)).toMatchObject({ phase: "leading", leads: false });
    expect(outcomes(cluster, 9094)).toEqual([]);
    lead(cluster, 9094);
    expect(outcomes(cluster, 9094)).toEqual([]);
    cluster.settle();
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "leading", epoch: 1 }]);
  });

  test("doesn't make a replica stand that has not been admitted", () => {
    const cluster = new Cluster();
    cluster.replace(9094, 2);
    cluster.start(9094);
    lead(cluster, 9094);
    expect(cluster.wire).toEqual([]);
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "lost", reason: "not admitted yet" }]);
  });

  test("is answered also when it won and stepped down before its reign was committed", () => {
    const cluster = prepared(new Cluster());
    cluster.deliver({ kind: "promise" });
    cluster.receive(9094, 9092, { kind: "prepare", epoch: 2 });
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "lost", reason: "stepped down" }]);
  });

  test("is answered only by the replica that was asked", () => {
    const cluster = new Cluster();
    cluster.elect(9090);
    expect(outcomes(cluster, 9092)).toEqual([]);
    expect(outcomes(cluster, 9090)).toHaveLength(1);
  });
});

test("a candidacy without peers is won at once", () => {
  const disk = new TestDisk();
  const { hardState } = disk;
  const context = new ReplicaContext({
    id: 9094,
    incarnation: 1,
    members: [9094],
    replicas: [9094],
    hardState,
    stored: disk,
    judge: LENIENT,
    applied: 0,
  });
  expect(new Candidacy(context, 1).begin()).toEqual({ kind: "won", epoch: 1 });
});
