import { describe, expect, test } from "vitest";
import { ReplicaContext } from "./context.ts";
import type { ReplicaEffect } from "./events.ts";
import { admission, command, journal, LENIENT, TestDisk, textOf } from "./test-disk.ts";
import type { Entry, Message } from "./types.ts";

const ALL = Number.MAX_SAFE_INTEGER;
const ack = (epoch: number): Message => ({
  kind: "ack",
  epoch,
  round: 1,
  position: 1,
  goBackTo: null,
});

function contextOf(
  disk: TestDisk,
  options: {
    incarnation?: number;
    members?: readonly number[];
    replicas?: readonly number[];
    applied?: number;
  } = {},
): ReplicaContext {
  const { incarnation = 1, members = [9090, 9092, 9094], applied = 0 } = options;
  const { replicas = members } = options;
  const { hardState } = disk;
  return new ReplicaContext({
    id: 9092,
    incarnation,
    members,
    replicas,
    hardState,
    stored: disk,
    judge: LENIENT,
    applied,
  });
}

function of<K extends ReplicaEffect["kind"]>(
  context: ReplicaContext,
  kind: K,
): Extract<ReplicaEffect, { kind: K }>[] {
  const isMeant = (effect: ReplicaEffect): effect is Extract<ReplicaEffect, { kind: K }> =>
    effect.kind === kind;
  return context.takeEffects().filter(isMeant);
}

/** The whole journal: what is on disk and what is in memory come in pieces. */
function texts({ log }: ReplicaContext): string[] {
  const found: string[] = [];
  while (found.length < log.last.position) {
    found.push(...log.entriesAfter(found.length, ALL).map(textOf));
  }
  return found;
}

describe("what is sent durably", () => {
  test("leaves only after every write that was issued before it (X1)", () => {
    const context = contextOf(new TestDisk());
    context.append(journal(1));
    context.promise(1, 9094);
    context.sendDurably(9094, ack(1));
    expect(of(context, "send")).toEqual([]);
    context.persisted(1);
    expect(of(context, "send")).toEqual([]);
    context.persisted(2);
    expect(of(context, "send")).toEqual([{ kind: "send", to: 9094, message: ack(1) }]);
  });

  test("doesn't wait for a write that was issued later", () => {
    const context = contextOf(new TestDisk());
    context.append(journal(1));
    context.sendDurably(9094, ack(1));
    context.append([command(2, 1)]);
    context.persisted(1);
    expect(of(context, "send")).toHaveLength(1);
  });

  test("leaves at once when nothing is being written", () => {
    const context = contextOf(new TestDisk());
    context.sendDurably(9094, ack(1));
    expect(of(context, "send")).toHaveLength(1);
  });

  test("is dropped when a newer promise has made it void (X1)", () => {
    const context = contextOf(new TestDisk());
    context.promise(1, 9094);
    context.sendDurably(9094, ack(1));
    context.promise(2, 9090);
    context.sendDurably(9090, ack(2));
    context.persisted(2);
    expect(of(context, "send").map(({ to }) => to)).toEqual([9090]);
  });
});

describe("a promise", () => {
  test("never goes back (X2)", () => {
    const context = contextOf(new TestDisk([], { promise: { epoch: 5, nominee: 9094 } }));
    expect(() => context.promise(4, 9094)).toThrow("a promise never goes back");
  });

  test("that is known already isn't written again", () => {
    const context = contextOf(new TestDisk([], { promise: { epoch: 5, nominee: 9094 } }));
    context.promise(5, 9094);
    expect(of(context, "persist")).toEqual([]);
  });

  test("doesn't make a replacement a voter", () => {
    const context = contextOf(new TestDisk([], { voter: false }));
    context.promise(5, 9094);
    expect(context.hardState).toEqual({ promise: { epoch: 5, nominee: 9094 }, voter: false });
  });
});

describe("storing entries", () => {
  test("that are late and few leaves the tail that they don't reach", () => {
    const context = contextOf(new TestDisk(journal(1, 1, 2, 2)));
    expect(context.store(1, [command(2, 1)])).toBe(null);
    expect(context.store(1, [])).toBe(null);
    expect(texts(context)).toEqual(["1@1", "2@1", "3@2", "4@2"]);
    expect(of(context, "persist")).toEqual([]);
  });

  test("replaces the journal from the first that differs, and keeps what is before it (Raft §5.3)", () => {
    const context = contextOf(new TestDisk(journal(1, 1, 1, 1)));
    expect(context.store(1, [command(2, 1), command(3, 2)])).toBe(null);
    expect(texts(context)).toEqual(["1@1", "2@1", "3@2"]);
    const effects = context.takeEffects();
    expect(effects).toContainEqual({ kind: "truncated", from: 3, through: 4 });
    expect(effects).toContainEqual({
      kind: "persist",
      id: 1,
      write: { truncateFrom: 3, entries: [command(3, 2)] },
    });
    expect(effects).toContainEqual({ kind: "already-held", entries: [command(2, 1)] });
    expect(effects).toContainEqual({ kind: "stored", entries: [command(3, 2)] });
  });

  test("never drops a committed entry (R4)", () => {
    const context = contextOf(new TestDisk(journal(1, 1, 1)), { applied: 2 });
    expect(() => context.store(1, [command(2, 2)])).toThrow("a committed entry is never dropped");
    context.store(2, [command(3, 2)]);
    expect(texts(context)).toEqual(["1@1", "2@1", "3@2"]);
  });

  test("doesn't take a write that a truncation overtook for one of the new entries (E1)", () => {
    const context = contextOf(new TestDisk());
    context.append(journal(1, 1, 1));
    context.store(1, [command(2, 2), command(3, 2)]);
    context.persisted(1);
    expect(context.log.durable).toBe(1);
    context.persisted(2);
    expect(context.log.durable).toBe(3);
  });
});

describe("the commit position", () => {
  test("never runs ahead of this replica's own disk", () => {
    const context = contextOf(new TestDisk());
    context.append(journal(1, 1));
    context.learnCommit(1);
    expect(context.commit).toBe(0);
    context.persisted(1);
    expect(context.commit).toBe(1);
    context.learnCommit(2);
    expect(of(context, "committed").map(({ position }) => position)).toEqual([1, 2]);
  });

  test("never names an entry that this journal doesn't have (R1)", () => {
    const context = contextOf(new TestDisk(journal(1)));
    expect(() => context.learnCommit(2)).toThrow("commit <= last");
  });

  test("doesn't go back when an older one is learned late (R1)", () => {
    const context = contextOf(new TestDisk(journal(1, 1)));
    context.learnCommit(2);
    context.learnCommit(1);
    expect(context.commit).toBe(2);
  });
});

describe("a replacement", () => {
  test("votes only once its admission is committed", () => {
    const context = contextOf(new TestDisk([], { voter: false }), { incarnation: 2 });
    context.append([command(1, 1), admission(2, 1, 9092, 2)]);
    context.persisted(1);
    context.learnCommit(1);
    expect(context.hardState.voter).toBe(false);
    context.learnCommit(2);
    expect(context.hardState.voter).toBe(true);
    expect(of(context, "persist").at(-1)?.write.hardState?.voter).toBe(true);
  });

  test("gets no vote by an admission of what it replaced, or of another replica", () => {
    const context = contextOf(new TestDisk([], { voter: false }), { incarnation: 3 });
    context.append([admission(1, 1, 9092, 2), admission(2, 1, 9090, 3)]);
    context.persisted(1);
    context.learnCommit(2);
    expect(context.hardState.voter).toBe(false);
  });

  test("is no longer admitted once its admission was dropped", () => {
    const context = contextOf(new TestDisk(journal(1)));
    context.append([admission(2, 1, 9090, 2)]);
    expect(context.admissions.of(9090).incarnation).toBe(2);
    context.store(1, [command(2, 2)]);
    expect(context.admissions.of(9090).incarnation).toBe(1);
  });
});

describe("a replica", () => {
  test("that is none of the cluster doesn't start", () => {
    expect(() => contextOf(new TestDisk(), { members: [9090, 9094] })).toThrow(
      "a replica is one of the configured ones",
    );
  });

  test("that is configured with another set than its cluster's doesn't start, and says which to give (X4)", () => {
    for (const replicas of [[9092], [9090, 9092], [9090, 9092, 9098], [9090, 9092, 9094, 9096]]) {
      expect(() => contextOf(new TestDisk(), { replicas })).toThrow(
        `order-9092 belongs to a cluster of the replicas 9090,9092,9094, and this process is configured with ${replicas}: give it --replicas 9090,9092,9094`,
      );
    }
    expect(contextOf(new TestDisk(), { replicas: [9094, 9092, 9090] }).quorum).toBe(2);
  });

  test("takes no journal that begins with other members (X4)", () => {
    const first = (members: number[]): Entry => ({
      ...{ position: 1, epoch: 0, at: 0 },
      body: { kind: "members", members },
    });
    contextOf(new TestDisk()).store(0, [first([9090, 9092, 9094])]);
    expect(() => contextOf(new TestDisk()).store(0, [first([9092])])).toThrow(
      "the journal is of our members",
    );
  });

  test("whose tables are ahead of its journal doesn't start (R1)", () => {
    expect(() => contextOf(new TestDisk(journal(1)), { applied: 2 })).toThrow("applied <= last");
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ])("in a cluster of %i takes %i for a quorum", (count, quorum) => {
    const members = [9092, 1, 2, 3, 4].slice(0, count);
    expect(contextOf(new TestDisk(), { members }).quorum).toBe(quorum);
  });
});
