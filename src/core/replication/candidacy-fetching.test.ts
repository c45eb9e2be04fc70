// A nominee fetches the best journal of its quorum. The rest of candidacy.ts is
// in candidacy.test.ts.

import { describe, expect, test } from "vitest";
import { FETCH_PROGRESS_MS } from "./limits.ts";
import { admission, command, journal, TestDisk } from "./test-disk.ts";
import { fetch, prepared } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";
import type { Message, ReplicaId } from "./types.ts";

const lead = (cluster: Cluster, id: ReplicaId) => cluster.step(id, { kind: "lead" });
const outcomes = (cluster: Cluster, id: ReplicaId) =>
  cluster.take(id, "lead-outcome").map(({ outcome }) => outcome);

describe("a fetch (Raft §5.4.1)", () => {
  test("brings the best journal of the quorum, and so every committed entry (B3, R4)", () => {
    const cluster = new Cluster({
      journals: { 9090: journal(1, 1), 9092: journal(1, 1, 1), 9094: journal(1) },
    });
    cluster.elect(9094);
    expect(cluster.texts(9094)).toEqual(["1@1", "2@1", "3@1", "reign of 9094"]);
  });

  test("takes the journal of the latest epoch, not the longest (B3)", () => {
    const cluster = new Cluster({
      journals: { 9090: journal(1, 1, 1, 1, 1), 9092: journal(1, 2), 9094: [] },
    });
    cluster.elect(9094);
    for (const id of cluster.ids)
      expect(cluster.texts(id)).toEqual(["1@1", "2@2", "reign of 9094"]);
  });

  test("leaves old entries their epochs (B4)", () => {
    const cluster = new Cluster({
      journals: { 9090: journal(1, 2), 9092: journal(1, 2), 9094: [] },
    });
    cluster.elect(9094);
    expect(cluster.entries(9094).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });

  test("replaces the nominee's own tail where that differs", () => {
    const cluster = new Cluster({
      journals: { 9090: journal(1, 1, 2), 9092: journal(1, 1, 2), 9094: journal(1, 1, 1, 1) },
    });
    cluster.elect(9094);
    expect(cluster.texts(9094)).toEqual(["1@1", "2@1", "3@2", "reign of 9094"]);
    expect(cluster.take(9094, "truncated")).toEqual([{ kind: "truncated", from: 3, through: 4 }]);
  });

  test("asks for the next piece once, however often an answer comes", () => {
    const cluster = new Cluster({
      journals: { 9092: journal(1, 1, 1, 1, 1, 1), 9090: journal(1) },
      messageBytesMax: 150,
    });
    lead(cluster, 9094);
    cluster.drop({ to: 9090 });
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.persist(9094);
    cluster.drop({ to: 9090 });
    cluster.deliver({ kind: "prepare" });
    cluster.persist(9092);
    cluster.deliver({ kind: "promise" });
    cluster.deliver({ kind: "fetch" });
    const [answer] = cluster.drop({ kind: "fetched" });
    for (let again = 0; answer && again < 3; again += 1) cluster.arrive(answer);
    expect(cluster.sent({ kind: "fetch" })).toHaveLength(1);
  });

  test("brings a journal longer than one message holds", () => {
    const cluster = new Cluster({
      journals: { 9092: journal(1, 1, 1, 1, 1, 1), 9090: journal(1) },
      messageBytesMax: 150,
    });
    lead(cluster, 9094);
    cluster.settle([9092, 9094]);
    expect(cluster.leaders).toEqual([9094]);
    expect(cluster.texts(9094)).toHaveLength(7);
    const fetches = cluster.steps.flatMap(({ effects }) =>
      effects.filter((effect) => effect.kind === "send" && effect.message.kind === "fetch"),
    );
    expect(fetches.length).toBeGreaterThan(2);
  });

  /** 9094 has nothing and fetches from 9092; the first question is on the wire. */
  function fetching(): Cluster {
    const cluster = prepared(
      new Cluster({ journals: { 9092: journal(1, 1, 2) }, messageBytesMax: 1 }),
    );
    cluster.deliver({ kind: "promise", from: 9092 });
    expect(cluster.sent({ to: 9092 }).map(({ message }) => message)).toEqual([fetch(3, 0, 0)]);
    return cluster;
  }

  test("ends when its peer is gone, and what came stays", () => {
    const cluster = fetching();
    cluster.deliver({ kind: "fetch" });
    cluster.deliver({ kind: "fetched" });
    cluster.step(9094, { kind: "disconnected", peer: 9090 });
    expect(cluster.status(9094).phase).toBe("standing");
    cluster.step(9094, { kind: "disconnected", peer: 9092 });
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "the connection to 9092 closed during the fetch" },
    ]);
    expect(cluster.texts(9094)).toEqual(["1@1"]);
  });

  test("is refused once a later nominee was promised, and the candidacy ends", () => {
    const cluster = fetching();
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 9 });
    cluster.persist(9092);
    cluster.deliver({ kind: "fetch" });
    cluster.deliver({ kind: "refuse" });
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "epoch 9 was promised to another" },
    ]);
  });

  test("goes on while it makes progress, and is given up when it doesn't", () => {
    const cluster = fetching();
    for (let piece = 0; piece < 2; piece += 1) {
      cluster.nowMs += FETCH_PROGRESS_MS;
      cluster.tick(9094);
      cluster.deliver({ kind: "fetch" });
      cluster.deliver({ kind: "fetched" });
    }
    expect(cluster.status(9094).phase).toBe("standing");
    cluster.nowMs += FETCH_PROGRESS_MS + 1;
    cluster.tick(9094);
    expect(outcomes(cluster, 9094)).toEqual([
      { kind: "lost", reason: "no quorum answered while fetching" },
    ]);
  });

  test("takes a repeated answer only once", () => {
    const cluster = fetching();
    cluster.deliver({ kind: "fetch" });
    const [first] = cluster.drop({ kind: "fetched" });
    if (first) for (let again = 0; again < 3; again += 1) cluster.arrive(first);
    expect(cluster.texts(9094)).toEqual(["1@1"]);
    cluster.settle([9092, 9094]);
    expect(cluster.leaders).toEqual([9094]);
    expect(cluster.texts(9094)).toEqual(["1@1", "2@1", "3@2", "reign of 9094"]);
  });

  const fetched = (but: object): Message => ({
    kind: "fetched",
    epoch: 3,
    prevPosition: 0,
    prevEpoch: 0,
    goBackTo: null,
    entries: [],
    ...but,
  });

  test.each([
    ["nothing though it promised more", {}, "9092 has nothing after 0"],
    ["a way back that leads forward", { goBackTo: 0 }, "9092 sends what makes no sense"],
  ])("is given up when the peer sends %s", (_what, but, reason) => {
    const cluster = fetching();
    cluster.receive(9094, 9092, fetched(but));
    expect(outcomes(cluster, 9094)).toEqual([{ kind: "lost", reason }]);
  });

  test.each([
    ["from another replica", 9090, {}],
    ["of another epoch", 9092, { epoch: 2 }],
    ["that follows on what the nominee doesn't have", 9092, { prevPosition: 2, prevEpoch: 1 }],
    ["that follows on what the nominee has otherwise", 9092, { prevEpoch: 1 }],
  ])("ignores an answer %s", (_what, from, but) => {
    const cluster = fetching();
    cluster.receive(9094, from, fetched({ entries: [command(1, 1)], ...but }));
    expect(cluster.texts(9094)).toEqual([]);
    expect(outcomes(cluster, 9094)).toEqual([]);
    expect(cluster.status(9094).phase).toBe("standing");
  });
});

describe("a nominee", () => {
  test("doesn't win by the promise of a replacement that its journal doesn't admit (B5)", () => {
    const cluster = new Cluster();
    const promise: Message = { kind: "promise", epoch: 1, lastEpoch: 0, lastPosition: 0 };
    lead(cluster, 9094);
    cluster.deliver({ kind: "canvass" });
    cluster.deliver({ kind: "canvass-answer" });
    cluster.receive(9094, 9092, promise, 2);
    expect(cluster.status(9094).phase).toBe("standing");
    cluster.receive(9094, 9090, promise);
    expect(cluster.status(9094).phase).toBe("leading");
  });

  test("wins by the promise of a replacement whose admission it fetched (B5)", () => {
    const held = [command(1, 1), admission(2, 1, 9092, 2)];
    const cluster = new Cluster({ journals: { 9094: held.slice(0, 1) } });
    cluster.replace(9092, 2, new TestDisk(held, { voter: true }));
    cluster.start(9092);
    lead(cluster, 9094);
    cluster.settle([9092, 9094]);
    expect(cluster.texts(9094)).toEqual(["1@1", "admit 9092/2", "reign of 9094"]);
    expect(cluster.status(9094).phase).toBe("leading");
    cluster.settle();
    expect(cluster.leaders).toEqual([9094]);
  });
});
