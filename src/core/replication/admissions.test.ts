import { describe, expect, test } from "vitest";
import { Admissions, FIRST_INCARNATION } from "./admissions.ts";
import { HEARTBEAT_MS } from "./limits.ts";
import { admission, command, journal } from "./test-disk.ts";
import { ack, prepared } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";
import type { Message } from "./types.ts";

describe("what the journal says of incarnations", () => {
  test("a file made with the cluster needs no admission", () => {
    const admissions = new Admissions([]);
    expect(admissions.of(9090).incarnation).toBe(FIRST_INCARNATION);
    expect(admissions.counts(9090, FIRST_INCARNATION, 0)).toBe(true);
  });

  test("a replacement counts only once its admission is committed", () => {
    const admissions = new Admissions([{ position: 7, replica: 9090, incarnation: 2 }]);
    expect(admissions.counts(9090, 2, 6)).toBe(false);
    expect(admissions.counts(9090, 2, 7)).toBe(true);
    expect(admissions.counts(9092, FIRST_INCARNATION, 6)).toBe(true);
  });

  test("what was replaced counts no more, and a later replacement not yet", () => {
    const admissions = new Admissions([
      { position: 7, replica: 9090, incarnation: 2 },
      { position: 9, replica: 9090, incarnation: 3 },
    ]);
    expect(admissions.counts(9090, 1, 10)).toBe(false);
    expect(admissions.counts(9090, 2, 10)).toBe(false);
    expect(admissions.counts(9090, 3, 10)).toBe(true);
    expect(admissions.counts(9090, 4, 10)).toBe(false);
  });

  test("an admission that was truncated no longer stands", () => {
    const admissions = new Admissions([]);
    admissions.add({ position: 7, replica: 9090, incarnation: 2 });
    admissions.truncateFrom(8);
    expect(admissions.of(9090).incarnation).toBe(2);
    admissions.truncateFrom(7);
    expect(admissions.of(9090)).toEqual({ position: 0, replica: 9090, incarnation: 1 });
  });
});

describe("a replica that lost its disk", () => {
  /** 9094 leads; what it commits from now on, 9092 doesn't get. */
  function withoutFriend(): Cluster {
    const cluster = new Cluster();
    cluster.elect(9094);
    cluster.append(9094, "before");
    cluster.settle();
    return cluster;
  }

  test("can't elect a leader who lacks a committed order (R4)", () => {
    const cluster = withoutFriend();
    cluster.append(9094, "order 1");
    cluster.settle([9094, 9090]);
    expect(cluster.status(9094).commitPosition).toBe(3);
    cluster.crash(9094);
    cluster.replace(9090, 2);
    cluster.wire = [];
    cluster.disconnect(9094);
    cluster.disconnect(9090);
    cluster.start(9090);
    cluster.nowMs += 1_000;
    cluster.step(9092, { kind: "lead" });
    cluster.settle([9090, 9092]);
    cluster.run(500, [9090, 9092]);
    expect(cluster.take(9092, "lead-outcome").at(-1)?.outcome.kind).toBe("lost");
    expect(cluster.leaders).toEqual([]);
  });

  test("promises nothing, and isn't willing", () => {
    const cluster = new Cluster();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.receive(9090, 9092, { kind: "prepare", epoch: 1 });
    expect(cluster.wire).toEqual([]);
    expect(cluster.disk(9090).underWay).toEqual([]);
    cluster.receive(9090, 9092, { kind: "canvass", token: 1 });
    expect(cluster.sent({ kind: "canvass-answer" })[0]?.message).toMatchObject({ willing: false });
  });

  test("doesn't help to commit its own admission", () => {
    const cluster = withoutFriend();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.run(200, [9094, 9090]);
    expect(cluster.texts(9090)).toEqual(["reign of 9094", "before", "admit 9090/2"]);
    expect(cluster.take(9094, "admitted")).toEqual([
      { kind: "admitted", replica: 9090, incarnation: 2 },
    ]);
    expect(cluster.status(9094).commitPosition).toBe(2);
    expect(cluster.status(9090).voter).toBe(false);
    cluster.run(2 * HEARTBEAT_MS);
    expect(cluster.status(9094).commitPosition).toBe(3);
    expect(cluster.disk(9090).hardState).toEqual({
      promise: { epoch: 1, nominee: 9094 },
      voter: true,
    });
  });

  test("counts again once it was admitted", () => {
    const cluster = withoutFriend();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.run(200);
    cluster.crash(9092);
    cluster.append(9094, "order 1");
    cluster.settle([9094, 9090]);
    expect(cluster.status(9094).commitPosition).toBe(4);
  });

  test("is admitted once, not again with every answer", () => {
    const cluster = withoutFriend();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.run(1_000);
    expect(cluster.texts(9094).filter((text) => text === "admit 9090/2")).toHaveLength(1);
  });

  test("isn't counted by what its old incarnation acknowledged", () => {
    const cluster = withoutFriend();
    cluster.append(9094, "order 1");
    cluster.deliver({ to: 9090, kind: "append" });
    cluster.persist(9090, 9094);
    const [late] = cluster.drop({ from: 9090, kind: "ack" });
    expect(late?.message).toMatchObject({ position: 3 });
    cluster.wire = [];
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.receive(9094, 9090, { ...(ack(1, 0) as Message & { kind: "ack" }), round: 1 }, 2);
    if (late) cluster.arrive(late);
    expect(cluster.status(9094).commitPosition).toBe(2);
  });

  test("isn't taken to hold what its old incarnation held, before it is admitted either", () => {
    const cluster = prepared(new Cluster());
    cluster.deliver({ kind: "promise" });
    cluster.deliver({ to: 9090, kind: "append" });
    cluster.persist(9090);
    const [late] = cluster.drop({ from: 9090, kind: "ack" });
    cluster.receive(9094, 9090, { ...(ack(1, 0) as Message & { kind: "ack" }), round: 1 }, 2);
    if (late) cluster.arrive(late);
    expect(late?.message).toMatchObject({ position: 1 });
    expect(cluster.take(9094, "replicated")).toEqual([]);
  });

  test("doesn't vote by a promise that its old incarnation gave", () => {
    const journals = { 9094: [...journal(1), command(2, 1)] };
    const cluster = new Cluster({ journals });
    const admitting = new Cluster({ journals });
    for (const each of [cluster, admitting]) {
      each.step(9094, { kind: "lead" });
      each.deliver({ kind: "canvass" });
      each.deliver({ kind: "canvass-answer" });
      each.persist(9094);
    }
    const promise: Message = { kind: "promise", epoch: 2, lastEpoch: 0, lastPosition: 0 };
    cluster.receive(9094, 9090, promise, 1);
    expect(cluster.status(9094).phase).toBe("leading");
    // The same promise, in a journal that says that this incarnation is gone.
    admitting.disk(9094).journal[1] = {
      ...command(2, 1),
      body: { kind: "admit", replica: 9090, incarnation: 2 },
    };
    admitting.crash(9094);
    admitting.start(9094);
    admitting.wire = [];
    admitting.nowMs += 1_000;
    admitting.step(9094, { kind: "lead" });
    admitting.deliver({ kind: "canvass" });
    admitting.deliver({ kind: "canvass-answer" });
    admitting.persist(9094);
    admitting.receive(9094, 9090, { ...promise, epoch: admitting.status(9094).epoch }, 1);
    expect(admitting.status(9094).phase).toBe("standing");
  });

  test("isn't heard in what its old incarnation sends", () => {
    const cluster = new Cluster({ journals: { 9092: [command(1, 1), admission(2, 1, 9090, 2)] } });
    cluster.receive(9092, 9090, { kind: "canvass", token: 1 }, 1);
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 5 }, 1);
    expect(cluster.wire).toEqual([]);
    expect(cluster.disk(9092).underWay).toEqual([]);
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 5 }, 2);
    expect(cluster.disk(9092).underWay).toHaveLength(1);
  });

  test("isn't admitted by a leader whose reign isn't committed", () => {
    const cluster = new Cluster();
    cluster.step(9094, { kind: "lead" });
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.persist(9094);
    cluster.deliver({ kind: "prepare", to: 9092 });
    cluster.persist(9092);
    cluster.deliver({ kind: "promise" });
    cluster.receive(9094, 9090, { ...(ack(1, 0) as Message & { kind: "ack" }), round: 1 }, 2);
    expect(cluster.texts(9094)).toEqual(["reign of 9094"]);
  });

  test("confirms no round before its admission is committed", () => {
    const cluster = withoutFriend();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.settle([9094, 9090]);
    cluster.step(9094, { kind: "round", confirm: 5 });
    cluster.settle([9094, 9090]);
    expect(cluster.take(9094, "confirmed")).toEqual([]);
    cluster.run(100);
    expect(cluster.take(9094, "confirmed")).toEqual([{ kind: "confirmed", token: 5, leads: true }]);
  });

  test("costs no order, nor does a second one that loses its disk after it", () => {
    const cluster = withoutFriend();
    cluster.append(9094, "order 1");
    cluster.settle();
    cluster.replace(9090, 2);
    cluster.start(9090);
    cluster.run(500);
    cluster.replace(9092, 3);
    cluster.start(9092);
    cluster.run(500);
    cluster.crash(9094);
    cluster.disconnect(9094);
    cluster.elect(9092, [9090, 9092]);
    expect(cluster.texts(9092)).toEqual([
      "reign of 9094",
      "before",
      "order 1",
      "admit 9090/2",
      "admit 9092/3",
      "reign of 9092",
    ]);
  });
});
