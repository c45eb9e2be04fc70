import { describe, expect, test } from "vitest";
import { ReplicaContext } from "./context.ts";
import { entryBytes } from "./entry-log.ts";
import { FollowerProgress } from "./follower-progress.ts";
import {
  CATCH_UP_REST_FACTOR,
  IN_FLIGHT_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  PROBE_AGAIN_MS,
} from "./limits.ts";
import { bulky, journal, LENIENT, TestDisk } from "./test-disk.ts";
import { Cluster } from "./test-support.ts";
import type { Entry, Message } from "./types.ts";

type Append = Extract<Message, { kind: "append" }>;
type Ack = Extract<Message, { kind: "ack" }>;

const ack = (position: number, round = 1): Ack => ({
  kind: "ack",
  epoch: 1,
  round,
  position,
  goBackTo: null,
});
const goBack = (goBackTo: number, round = 1): Ack => ({ ...ack(0, round), goBackTo });

/** A leader's view of 9092, and what it sends. */
class Driver {
  readonly context: ReplicaContext;
  readonly progress: FollowerProgress;

  constructor(entries: readonly Entry[], guess: number) {
    const disk = new TestDisk(entries);
    const { hardState } = disk;
    this.context = new ReplicaContext({
      id: 9094,
      incarnation: 1,
      members: [9092, 9094],
      replicas: [9092, 9094],
      hardState,
      stored: disk,
      judge: LENIENT,
      applied: 0,
    });
    this.context.connected.add(9092);
    this.progress = new FollowerProgress(this.context, 9092, guess);
  }

  appends(): Append[] {
    return this.context
      .takeEffects()
      .flatMap((effect) =>
        effect.kind === "send" && effect.message.kind === "append" ? effect.message : [],
      );
  }

  /** One round, and what it sent as [prevPosition, number of entries]. */
  round(number = 1): (readonly [number, number])[] {
    this.progress.sendRound(1, number);
    return this.sent();
  }

  sent(): (readonly [number, number])[] {
    return this.appends().map(({ prevPosition, entries }) => [prevPosition, entries.length]);
  }

  /** All that may go out now, however it is divided into turns. */
  drain(round: number): Append[] {
    this.progress.sendRound(1, round);
    const all: Append[] = [];
    for (;;) {
      const sent = this.appends();
      if (sent.every(({ entries }) => entries.length === 0)) return all;
      all.push(...sent);
      this.progress.sendMore(1, round);
    }
  }

  append(...entries: Entry[]): void {
    this.context.append(entries);
    this.context.takeEffects();
  }
}

/** Streaming from the start: it has acknowledged what the leader had. */
function streaming(entries: readonly Entry[]): Driver {
  const driver = new Driver(entries, entries.length);
  driver.round();
  driver.progress.acknowledge(ack(entries.length));
  return driver;
}

describe("while the leader doesn't know where the journals part", () => {
  test("it sends entries once, and then heartbeats without any", () => {
    const driver = new Driver(journal(1, 1, 1), 0);
    expect(driver.round(1)).toEqual([[0, 3]]);
    expect(driver.round(2)).toEqual([[0, 0]]);
    driver.progress.sendMore(1, 2);
    expect(driver.sent()).toEqual([]);
  });

  test("it sends them again when no answer came for a while", () => {
    const driver = new Driver(journal(1, 1, 1), 0);
    driver.round();
    driver.context.now += PROBE_AGAIN_MS;
    expect(driver.round()).toEqual([[0, 3]]);
  });

  test("it doesn't wait for the next round after it was told to go back", () => {
    const driver = new Driver(journal(1, 1, 1), 3);
    driver.round();
    expect(driver.progress.acknowledge(goBack(1))).toBe(false);
    driver.progress.sendMore(1, 1);
    expect(driver.sent()).toEqual([[1, 2]]);
    expect(driver.progress.match).toBe(0);
  });

  test("an old answer doesn't send it forward again, past where the journals may part", () => {
    const driver = new Driver(journal(1, 1, 1, 1), 4);
    driver.round();
    driver.progress.acknowledge(goBack(1));
    driver.round();
    driver.progress.acknowledge(goBack(3));
    driver.context.now += PROBE_AGAIN_MS;
    expect(driver.round()).toEqual([[1, 3]]);
  });

  test("an answer that matches ends its probing", () => {
    const driver = new Driver(journal(1, 1, 1), 1);
    driver.round();
    expect(driver.progress.acknowledge(ack(1))).toBe(true);
    driver.progress.sendMore(1, 1);
    expect(driver.sent()).toEqual([[1, 2]]);
    driver.progress.sendMore(1, 1);
    expect(driver.sent()).toEqual([]);
  });
});

describe("while it streams", () => {
  test("it sends the next entries without waiting for an answer", () => {
    const driver = streaming(journal(1));
    driver.append(...journal(1, 1).slice(1));
    expect(driver.round(2)).toEqual([[1, 1]]);
    driver.append(...journal(1, 1, 1).slice(2));
    expect(driver.round(3)).toEqual([[2, 1]]);
    expect(driver.progress.match).toBe(1);
  });

  test("the match is what an answer says, and never goes back (P1)", () => {
    const driver = streaming(journal(1, 1, 1));
    expect(driver.progress.match).toBe(3);
    expect(driver.progress.acknowledge(ack(2))).toBe(false);
    expect(driver.progress.match).toBe(3);
  });

  test("an answer counts for the round that it answers, and never lowers it (P2)", () => {
    const driver = streaming(journal(1));
    driver.round(2);
    driver.round(3);
    driver.progress.acknowledge(ack(1, 2));
    expect(driver.progress.round).toBe(2);
    driver.progress.acknowledge(ack(1, 1));
    expect(driver.progress.round).toBe(2);
  });

  test("a follower that can't be reached is sent nothing", () => {
    const driver = streaming(journal(1));
    driver.context.connected.delete(9092);
    driver.append(...journal(1, 1).slice(1));
    expect(driver.round()).toEqual([]);
    driver.progress.sendMore(1, 1);
    expect(driver.sent()).toEqual([]);
  });

  test("what was under way when the connection closed is sent again", () => {
    const driver = streaming(journal(1));
    driver.append(...journal(1, 1, 1).slice(1));
    expect(driver.round(2)).toEqual([[1, 2]]);
    driver.progress.probe();
    expect(driver.round(3)).toEqual([[1, 2]]);
  });

  test("an answer from before doesn't go back below what is known to match", () => {
    const driver = streaming(journal(1, 1, 1, 1));
    driver.progress.acknowledge(goBack(1));
    expect(driver.round()).toEqual([[4, 0]]);
    expect(driver.progress.match).toBe(4);
  });

  test("what is under way to a slow follower is limited", () => {
    const driver = streaming(journal(1));
    const size = 1 << 19;
    const count = 20;
    driver.append(...Array.from({ length: count }, (_, index) => bulky(index + 2, 1, size)));
    const appends = driver.drain(2);
    const sent = appends.flatMap(({ entries }) => entries);
    const bytes = sent.reduce((sum, entry) => sum + entryBytes(entry), 0);
    expect(bytes).toBeGreaterThanOrEqual(IN_FLIGHT_BYTES_MAX);
    expect(bytes).toBeLessThan(IN_FLIGHT_BYTES_MAX + MESSAGE_BYTES_MAX + 2 * size);
    for (const { entries } of appends) expect(entries.length).toBeLessThanOrEqual(2);
    // Heartbeats only, until something was acknowledged.
    expect(driver.round(3)).toEqual([[sent.length + 1, 0]]);
    driver.progress.acknowledge(ack(3, 2));
    driver.progress.sendMore(1, 3);
    expect(driver.sent().length).toBeGreaterThan(0);
    expect(driver.round(4)).toHaveLength(1);
  });

  describe("of a history, a piece that took 100 ms", () => {
    /** A follower that has 1 of 7 entries, each a piece, acknowledges the second; `turns` were decided meanwhile. */
    const acknowledged = (commit: number, turns: number) => {
      const driver = streaming(journal(1));
      driver.append(...Array.from({ length: 6 }, (_, nth) => bulky(nth + 2, 1, MESSAGE_BYTES_MAX)));
      const { context, progress } = driver;
      context.commit = commit;
      context.now = 1_000;
      expect(driver.round(2)).toEqual([[1, 1]]);
      context.now = 1_100;
      context.decided = turns;
      progress.acknowledge(ack(2, 2));
      progress.sendMore(1, 2);
      return driver;
    };

    test("is followed by the next at once while nobody trades", () => {
      expect(acknowledged(7, 1).sent()).toEqual([[2, 1]]);
    });

    test("is followed by a rest while trades are decided, and then by one more", () => {
      const driver = acknowledged(7, 50);
      expect(driver.sent()).toEqual([]);
      driver.context.now += 100 * CATCH_UP_REST_FACTOR - 1;
      expect(driver.round(3)).toEqual([[2, 0]]);
      driver.context.now += 1;
      expect(driver.round(4)).toEqual([[2, 1]]);
      expect(driver.round(5)).toEqual([[3, 0]]); // one at a time
      driver.progress.acknowledge(ack(3, 4));
      driver.progress.sendMore(1, 5);
      expect(driver.sent()).toEqual([[3, 1]]); // no more trades since
    });

    test("is followed by what isn't committed yet at once: a trade may wait for it", () => {
      expect(acknowledged(1, 50).sent()).toEqual([[2, 1]]);
    });
  });

  test("an answer heard more than once frees room once", () => {
    const driver = streaming(journal(1));
    const size = MESSAGE_BYTES_MAX;
    driver.append(...Array.from({ length: 12 }, (_, index) => bulky(index + 2, 1, size)));
    const first = driver.drain(2).length;
    for (let again = 0; again < 5; again += 1) driver.progress.acknowledge(ack(2, 2));
    driver.progress.sendMore(1, 2);
    expect(first).toBe(4);
    expect(driver.sent()).toHaveLength(1);
  });
});

describe("a newer incarnation", () => {
  test("isn't taken to have what its predecessor had", () => {
    const driver = streaming(journal(1, 1, 1));
    expect(driver.progress.hear(2)).toBe(true);
    expect(driver.progress).toMatchObject({ match: 0, round: 0, incarnation: 2 });
    expect(driver.round()).toEqual([[0, 3]]);
  });

  test("isn't mistaken for the one before it", () => {
    const driver = streaming(journal(1, 1, 1));
    driver.progress.hear(2);
    expect(driver.progress.hear(1)).toBe(false);
    expect(driver.progress.hear(2)).toBe(true);
    expect(driver.progress.match).toBe(0);
  });
});

describe("over the wire", () => {
  test("a lost append is sent again", () => {
    const cluster = new Cluster();
    cluster.elect(9094);
    cluster.run(50);
    cluster.append(9094, "lost");
    cluster.persist(9094);
    cluster.drop({ to: 9090 });
    cluster.drop({ to: 9092 });
    cluster.run(500);
    expect(cluster.status(9094).commitPosition).toBe(2);
    for (const id of cluster.ids) expect(cluster.texts(id)).toEqual(["reign of 9094", "lost"]);
  });

  test("appends that overtake each other leave no gap", () => {
    const cluster = new Cluster();
    cluster.elect(9094);
    cluster.run(50);
    cluster.append(9094, "first");
    cluster.append(9094, "second");
    const [first, second] = cluster.drop({ to: 9090 });
    if (second) cluster.arrive(second);
    if (first) cluster.arrive(first);
    expect(cluster.texts(9090)).toEqual(["reign of 9094", "first"]);
    cluster.run(500);
    expect(cluster.texts(9090)).toEqual(["reign of 9094", "first", "second"]);
  });

  test("a replica far behind is caught up in messages of limited size", () => {
    const entries = Array.from({ length: 400 }, (_, index) => bulky(index + 1, 1, 100));
    const cluster = new Cluster({
      journals: { 9094: entries, 9092: entries },
      messageBytesMax: 1_500,
    });
    cluster.elect(9094, [9092, 9094]);
    cluster.wire = [];
    cluster.steps.length = 0;
    cluster.run(2_000);
    expect(cluster.status(9090).commitPosition).toBe(401);
    const appends = cluster.steps.flatMap(({ effects }) =>
      effects.flatMap((effect) =>
        effect.kind === "send" && effect.message.kind === "append" && effect.to === 9090
          ? effect.message.entries.length
          : [],
      ),
    );
    expect(Math.max(...appends)).toBe(Math.floor(1_500 / 148));
    expect(appends.reduce((sum, count) => sum + count, 0)).toBeLessThan(2 * 401);
  });

  test("a tail that differs is replaced", () => {
    const cluster = new Cluster({
      journals: { 9094: journal(1, 1, 3), 9092: journal(1, 1, 3), 9090: journal(1, 2, 2, 2, 2) },
    });
    cluster.elect(9094);
    cluster.run(100);
    expect(cluster.texts(9090)).toEqual(["1@1", "2@1", "3@3", "reign of 9094"]);
    expect(cluster.take(9090, "truncated")).toEqual([{ kind: "truncated", from: 2, through: 5 }]);
  });
});
