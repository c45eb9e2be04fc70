import { describe, expect, test } from "vitest";
import { HEARTBEAT_MS, LEADER_SILENCE_MS, PROMISE_REST_MS } from "./limits.ts";
import { Replica } from "./replica.ts";
import { command, journal, LENIENT, TestDisk } from "./test-disk.ts";
import { ack, answers, append } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";

describe("a promise", () => {
  test("is answered only once it is durable (R2)", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    expect(cluster.wire).toEqual([]);
    cluster.persist(9092);
    expect(cluster.disk(9092).hardState.promise).toEqual({ epoch: 3, nominee: 9094 });
    expect(answers(cluster, 9092)).toEqual([
      { kind: "promise", epoch: 3, lastEpoch: 0, lastPosition: 0 },
    ]);
  });

  test("asked for again is answered only once it is durable (R2)", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    expect(cluster.wire).toEqual([]);
    expect(answers(cluster, 9092).map(({ kind }) => kind)).toEqual(["promise", "promise"]);
  });

  test("is given to one nominee an epoch (R3)", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 3 });
    expect(cluster.drop({ to: 9090 }).map(({ message }) => message)).toEqual([
      { kind: "refuse", epoch: 3 },
    ]);
    expect(answers(cluster, 9092).map(({ kind }) => kind)).toEqual(["promise"]);
  });

  test("isn't given to a lower epoch (R1)", () => {
    const cluster = new Cluster({ promises: { 9092: { epoch: 5, nominee: 9090 } } });
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 4 });
    expect(answers(cluster, 9092)).toEqual([{ kind: "refuse", epoch: 5 }]);
    expect(cluster.disk(9092).hardState.promise).toEqual({ epoch: 5, nominee: 9090 });
  });

  test("outlives a restart (R1)", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    cluster.persist(9092);
    cluster.crash(9092);
    cluster.start(9092);
    cluster.wire = [];
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 3 });
    expect(answers(cluster, 9092)).toEqual([{ kind: "refuse", epoch: 3 }]);
  });

  test("tells of a journal's end only once that end is durable (R2)", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, append(1, [0, 0], journal(1)));
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 2 });
    expect(cluster.sent({ kind: "promise" })).toEqual([]);
    expect(answers(cluster, 9092)).toEqual([
      { kind: "promise", epoch: 2, lastEpoch: 1, lastPosition: 1 },
    ]);
  });

  test("takes back an older reign's acknowledgement that hasn't left yet", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, append(1, [0, 0], journal(1)));
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 2 });
    expect(answers(cluster, 9092).map(({ kind }) => kind)).toEqual(["promise"]);
  });
});

describe("a working leader", () => {
  const followed = () => {
    const cluster = new Cluster();
    cluster.elect(9090);
    cluster.run(2 * HEARTBEAT_MS); // beyond the rest after a promise, and with a heartbeat at its end
    cluster.wire = [];
    return cluster;
  };
  const willing = (cluster: Cluster) => {
    cluster.receive(9092, 9094, { kind: "canvass", token: 1 });
    const [answer] = cluster.drop({ kind: "canvass-answer", from: 9092 });
    return answer?.message;
  };

  test("isn't replaced because a higher id came back", () => {
    const cluster = followed();
    cluster.crash(9094);
    cluster.disconnect(9094);
    cluster.run(1_000, [9090, 9092]);
    cluster.start(9094);
    cluster.take(9094, "lead-outcome");
    cluster.step(9094, { kind: "lead" });
    cluster.settle();
    expect(cluster.take(9094, "lead-outcome")).toEqual([
      { kind: "lead-outcome", outcome: { kind: "follows", leader: 9090, epoch: 1 } },
    ]);
    expect(cluster.leaders).toEqual([9090]);
    expect(cluster.status(9092).epoch).toBe(1);
  });

  test("isn't challenged by a follower that hears it and is asked to lead", () => {
    const cluster = followed();
    cluster.step(9094, { kind: "lead" });
    expect(cluster.wire).toEqual([]);
    expect(cluster.take(9094, "lead-outcome").at(-1)?.outcome).toEqual({
      kind: "follows",
      leader: 9090,
      epoch: 1,
    });
  });

  test("isn't given up while its heartbeats come", () => {
    const cluster = followed();
    cluster.nowMs += LEADER_SILENCE_MS - 1;
    expect(willing(cluster)).toMatchObject({ willing: false, leader: 9090, epoch: 1 });
  });

  test("is given up once its heartbeats have stopped", () => {
    const cluster = followed();
    cluster.nowMs += LEADER_SILENCE_MS;
    expect(willing(cluster)).toMatchObject({ willing: true, leader: null });
  });

  test("is given up once its connection has closed", () => {
    const cluster = followed();
    cluster.step(9092, { kind: "disconnected", peer: 9090 });
    expect(willing(cluster)).toMatchObject({ willing: true, leader: null });
  });

  test("doesn't give itself up when canvassed", () => {
    const cluster = followed();
    cluster.nowMs += LEADER_SILENCE_MS;
    cluster.receive(9090, 9094, { kind: "canvass", token: 1 });
    const [answer] = cluster.drop({ from: 9090, to: 9094, kind: "canvass-answer" });
    expect(answer?.message).toMatchObject({ willing: false, leader: 9090 });
  });

  test("isn't replaced while all is well", () => {
    const cluster = followed();
    cluster.run(10_000);
    expect(cluster.leaders).toEqual([9090]);
    expect(cluster.status(9094).epoch).toBe(1);
  });
});

describe("a replica that has just promised", () => {
  test("isn't willing towards another nominee before the first could win", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 1 });
    cluster.persist(9092);
    cluster.wire = [];
    const willing = (from: number) => {
      cluster.receive(9092, from, { kind: "canvass", token: 1 });
      const [answer] = cluster.drop({ kind: "canvass-answer" });
      return answer?.message;
    };
    expect(willing(9090)).toMatchObject({ willing: false, leader: null, epoch: 1 });
    expect(willing(9094)).toMatchObject({ willing: true });
    cluster.nowMs += PROMISE_REST_MS;
    expect(willing(9090)).toMatchObject({ willing: true });
  });
});

describe("a leader", () => {
  const led = () => {
    const cluster = new Cluster();
    cluster.elect(9092);
    cluster.wire = [];
    return cluster;
  };

  test("is deposed by its own promise of a higher epoch, and falls silent", () => {
    const cluster = led();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 2 });
    expect(cluster.take(9092, "deposed")).toHaveLength(1);
    expect(cluster.status(9092)).toMatchObject({ phase: "following", leads: false, epoch: 2 });
    cluster.wire = [];
    cluster.nowMs += 1_000;
    cluster.tick(9092);
    expect(cluster.wire).toEqual([]);
  });

  test("is deposed by a refusal of a higher epoch", () => {
    const cluster = led();
    cluster.receive(9092, 9094, { kind: "refuse", epoch: 2 });
    expect(cluster.take(9092, "deposed")).toHaveLength(1);
    expect(cluster.leaders).toEqual([]);
  });

  test("isn't deposed by a refusal that isn't of a higher epoch", () => {
    const cluster = led();
    cluster.receive(9092, 9094, { kind: "refuse", epoch: 1 });
    cluster.receive(9092, 9094, { kind: "refuse", epoch: 0 });
    expect(cluster.leaders).toEqual([9092]);
  });

  test("follows the leader of a higher epoch", () => {
    const cluster = led();
    cluster.receive(9092, 9094, append(2, [1, 1], [command(2, 2)]));
    expect(cluster.take(9092, "deposed")).toHaveLength(1);
    expect(cluster.status(9092)).toMatchObject({ leader: 9094, epoch: 2 });
    expect(answers(cluster, 9092)).toEqual([ack(2, 2)]);
  });

  test("stops when it meets another leader of its epoch (R3)", () => {
    const cluster = led();
    expect(() => cluster.receive(9092, 9094, append(1, [1, 1], []))).toThrow("one leader an epoch");
  });

  test("doesn't resume its epoch after a restart", () => {
    const cluster = led();
    cluster.crash(9092);
    cluster.start(9092);
    expect(cluster.status(9092)).toMatchObject({ phase: "following", leads: false, leader: null });
    expect(() => cluster.append(9092, "trade")).toThrow("only a leader appends");
  });
});

describe("a replica", () => {
  test("ignores who isn't one of the cluster", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9999, { kind: "prepare", epoch: 9 });
    expect(cluster.status(9092).epoch).toBe(0);
    expect(cluster.wire).toEqual([]);
  });

  test("stops when its clock goes back", () => {
    const cluster = new Cluster();
    cluster.nowMs -= 1;
    expect(() => cluster.tick(9092)).toThrow("the clock is monotonic");
  });

  test("starts with all that its disk has", () => {
    const disk = new TestDisk(journal(1, 1), { promise: { epoch: 4, nominee: 9090 } });
    const replica = new Replica({
      id: 9092,
      incarnation: 1,
      members: [9090, 9092, 9094],
      replicas: [9090, 9092, 9094],
      hardState: disk.hardState,
      stored: disk,
      judge: LENIENT,
      applied: 1,
    });
    expect(replica.status()).toEqual({
      phase: "following",
      leads: false,
      leader: null,
      epoch: 4,
      lastPosition: 2,
      durablePosition: 2,
      commitPosition: 1,
      voter: true,
      reign: null,
    });
  });

  test("that doesn't lead says so at once when it is asked to confirm a read", () => {
    const cluster = new Cluster();
    cluster.step(9092, { kind: "round", confirm: 3 });
    cluster.step(9092, { kind: "round", confirm: null });
    expect(cluster.take(9092, "confirmed")).toEqual([
      { kind: "confirmed", token: 3, leads: false },
    ]);
  });
});
