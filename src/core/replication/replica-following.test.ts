// A replica that follows, or is fetched from: what it takes, acknowledges and
// gives. The rest of replica.ts is in replica.test.ts.

import { describe, expect, test } from "vitest";
import { GO_BACK_ENTRIES_MAX } from "./limits.ts";
import { command, journal } from "./test-disk.ts";
import { ack, answers, append, fetch, goBack } from "./test-messages.ts";
import { Cluster } from "./test-support.ts";

describe("a follower", () => {
  const follower = (...epochs: number[]) => new Cluster({ journals: { 9092: journal(...epochs) } });

  test("acknowledges entries only once they are durable (R2)", () => {
    const cluster = follower();
    cluster.receive(9092, 9094, append(1, [0, 0], journal(1)));
    expect(cluster.wire).toEqual([]);
    expect(answers(cluster, 9092)).toEqual([ack(1, 1)]);
  });

  test("answers the leader of a higher epoch only once that epoch is promised on disk (R2)", () => {
    const cluster = follower(1);
    cluster.receive(9092, 9094, append(4, [1, 1], []));
    expect(cluster.wire).toEqual([]);
    cluster.persist(9092);
    expect(cluster.disk(9092).hardState.promise).toEqual({ epoch: 4, nominee: 9094 });
    expect(answers(cluster, 9092)).toEqual([ack(4, 1)]);
  });

  test("refuses the leader of a lower epoch than it promised (R3)", () => {
    const cluster = follower(1);
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 3 });
    answers(cluster, 9092);
    cluster.receive(9092, 9094, append(2, [1, 1], [command(2, 2)]));
    expect(answers(cluster, 9092)).toEqual([{ kind: "refuse", epoch: 3 }]);
    expect(cluster.texts(9092)).toEqual(["1@1"]);
  });

  test("follows the winner of an epoch that it had promised to another nominee", () => {
    const cluster = follower(1);
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 3 });
    answers(cluster, 9092);
    cluster.receive(9092, 9094, append(3, [1, 1], [command(2, 3)]));
    expect(answers(cluster, 9092)).toEqual([ack(3, 2)]);
    expect(cluster.status(9092)).toMatchObject({ leader: 9094, epoch: 3 });
    expect(cluster.disk(9092).hardState.promise.epoch).toBe(3);
  });

  test("acknowledges as far as the message reaches, not what it has beyond that", () => {
    const cluster = follower(1, 1, 2, 2);
    cluster.receive(9092, 9094, append(3, [1, 1], [command(2, 1)]));
    expect(answers(cluster, 9092)).toEqual([ack(3, 2)]);
    cluster.receive(9092, 9094, append(3, [1, 1], []));
    expect(answers(cluster, 9092)).toEqual([ack(3, 1)]);
    expect(cluster.texts(9092)).toEqual(["1@1", "2@1", "3@2", "4@2"]);
  });

  test("takes nothing for committed that lies beyond the message that says so", () => {
    const cluster = follower(1, 1, 2, 2);
    cluster.receive(9092, 9094, append(3, [1, 1], [command(2, 1)], 4));
    answers(cluster, 9092);
    expect(cluster.status(9092).commitPosition).toBe(2);
  });

  test("takes nothing for committed that it doesn't hold durably yet (R1)", () => {
    const cluster = follower();
    cluster.receive(9092, 9094, append(1, [0, 0], journal(1, 1), 2));
    expect(cluster.status(9092).commitPosition).toBe(0);
    cluster.persist(9092);
    expect(cluster.status(9092).commitPosition).toBe(2);
    expect(cluster.take(9092, "committed")).toEqual([{ kind: "committed", position: 2 }]);
  });

  test("takes no more for committed than the leader does", () => {
    const cluster = follower();
    cluster.receive(9092, 9094, append(1, [0, 0], journal(1, 1, 1), 1));
    answers(cluster, 9092);
    expect(cluster.status(9092).commitPosition).toBe(1);
  });

  test("takes no entries that don't follow on what it has, and asks to go back", () => {
    const cluster = follower(1);
    cluster.receive(9092, 9094, append(2, [3, 1], [command(4, 2)]));
    expect(answers(cluster, 9092)).toEqual([goBack(2, 1)]);
    expect(cluster.texts(9092)).toEqual(["1@1"]);
  });

  test("asks to go back past a whole differing epoch at once (Raft §5.3)", () => {
    const cluster = follower(1, 1, 2, 2, 2);
    cluster.receive(9092, 9094, append(3, [5, 1], []));
    expect(answers(cluster, 9092)).toEqual([goBack(3, 2)]);
  });

  test("keeps its tail when it only asks to go back", () => {
    const cluster = follower(1, 1, 2);
    cluster.receive(9092, 9094, append(3, [3, 1], []));
    answers(cluster, 9092);
    expect(cluster.texts(9092)).toEqual(["1@1", "2@1", "3@2"]);
  });

  test("asks to go back by a limited number of entries in one answer", () => {
    const count = GO_BACK_ENTRIES_MAX + 100;
    const cluster = follower(...Array.from({ length: count }, () => 1));
    cluster.receive(9092, 9094, append(3, [count, 2], []));
    expect(answers(cluster, 9092)).toEqual([goBack(3, 100)]);
  });

  test("asks to go back no further than what is committed", () => {
    const cluster = follower(1, 1, 1, 1);
    cluster.receive(9092, 9094, append(2, [2, 1], [], 2));
    answers(cluster, 9092);
    cluster.receive(9092, 9094, append(2, [4, 2], [], 2));
    expect(answers(cluster, 9092)).toEqual([goBack(2, 2)]);
  });

  test("stops when its committed journal is another than the leader's (R4)", () => {
    const cluster = follower(1, 1);
    cluster.receive(9092, 9094, append(2, [2, 1], [], 2));
    answers(cluster, 9092);
    expect(() => cluster.receive(9092, 9094, append(3, [2, 2], []))).toThrow(
      "committed journals are the same",
    );
  });

  test("names no leader once it has promised another nominee", () => {
    const cluster = follower(1);
    cluster.receive(9092, 9094, append(2, [1, 1], []));
    expect(cluster.status(9092).leader).toBe(9094);
    cluster.receive(9092, 9090, { kind: "prepare", epoch: 3 });
    expect(cluster.status(9092).leader).toBe(null);
  });

  test("reports the leader that it follows once, not with each heartbeat", () => {
    const cluster = follower(1);
    for (let beat = 0; beat < 3; beat += 1) {
      cluster.receive(9092, 9094, append(2, [4, 2], [command(5, 2)]));
    }
    expect(cluster.take(9092, "following")).toEqual([
      { kind: "following", leader: 9094, epoch: 2, behind: 4 },
    ]);
  });
});

describe("a fetch", () => {
  const promised = () => {
    const cluster = new Cluster({ journals: { 9092: journal(1, 1, 2) } });
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 3 });
    answers(cluster, 9092);
    return cluster;
  };

  test("is refused to any other than whom its epoch is promised to", () => {
    const cluster = promised();
    cluster.receive(9092, 9090, fetch(3, 0, 0));
    expect(answers(cluster, 9092)).toEqual([{ kind: "refuse", epoch: 3 }]);
  });

  test("is refused once a later epoch was promised", () => {
    const cluster = promised();
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 4 });
    answers(cluster, 9092);
    cluster.receive(9092, 9094, fetch(3, 0, 0));
    expect(answers(cluster, 9092)).toEqual([{ kind: "refuse", epoch: 4 }]);
  });

  test("brings only entries that follow on what the nominee has", () => {
    const cluster = promised();
    cluster.receive(9092, 9094, fetch(3, 2, 1));
    expect(answers(cluster, 9092)).toMatchObject([{ goBackTo: null, entries: [command(3, 2)] }]);
    cluster.receive(9092, 9094, fetch(3, 3, 1));
    expect(answers(cluster, 9092)).toMatchObject([{ goBackTo: 2, entries: [] }]);
    cluster.receive(9092, 9094, fetch(3, 9, 1));
    expect(answers(cluster, 9092)).toMatchObject([{ goBackTo: 3, entries: [] }]);
  });

  test("is answered only once the entries that it brings are durable", () => {
    const cluster = new Cluster();
    cluster.receive(9092, 9090, append(1, [0, 0], journal(1)));
    cluster.receive(9092, 9094, { kind: "prepare", epoch: 2 });
    cluster.receive(9092, 9094, fetch(2, 0, 0));
    expect(cluster.wire).toEqual([]);
    expect(answers(cluster, 9092).map(({ kind }) => kind)).toEqual(["promise", "fetched"]);
  });
});
