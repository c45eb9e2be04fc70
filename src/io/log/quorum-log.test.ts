// What every log promises, over real sockets and real files, the built-in one and
// the one over a database; then what only the built-in one has: what the core
// decides reaches the disks and the listeners.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { LabPostgres } from "../../../lab/postgres.ts";
import { RECENT_ENTRIES_MAX } from "../../core/replication/limits.ts";
import type { Entry } from "../../core/replication/types.ts";
import { JournalCorrupt } from "../journal/errors.ts";
import { bytes, lead, SERVERS_MS, three, turns, WAIT } from "./testing.ts";

describe.each(["builtin", "postgres"])("a log, %s,", (engine) => {
  let postgres: LabPostgres | null = null;
  if (engine === "postgres") {
    beforeAll(async () => {
      postgres = await LabPostgres.start();
    }, SERVERS_MS);
    afterAll(() => postgres?.stop());
  }

  test("what is appended is committed on all replicas, in order, and is on their disks", async () => {
    const [first, second, third] = await three([], postgres);
    await lead(third);
    expect(third.replicated.append([bytes("a"), bytes("b")])).toBe(3);
    expect(third.replicated.append([bytes("c")])).toBe(4);
    await expect.poll(() => third.commands, WAIT).toEqual(["a", "b", "c"]);
    for (const follower of [first, second]) {
      await expect.poll(() => follower.commands, WAIT).toEqual(["a", "b", "c"]);
      expect(follower.journal.lastPosition).toBe(4);
      expect(follower.journal.digestAt(4)).toBe(third.journal.digestAt(4));
    }
    expect(third.committed.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
    expect(third.replicated.read(2, 1_000).map(({ position }) => position)).toEqual([3, 4]);
  });

  test("a leader can confirm that it leads, beside an append too, and a follower can't", async () => {
    const [first, , third] = await three([], postgres);
    await lead(third);
    third.replicated.append([bytes("a")]);
    expect(await third.confirm()).toBe(true);
    expect(await first.confirm()).toBe(false);
  });

  test("a leader that falls silent is replaced by another with all that was committed", async () => {
    const [first, second, third] = await three([], postgres);
    await lead(third);
    third.replicated.append([bytes("a")]);
    await expect.poll(() => second.commands, WAIT).toEqual(["a"]);
    third.replicated.close();
    await lead(second);
    expect(second.commands).toEqual(["a"]);
    second.replicated.append([bytes("b")]);
    await expect.poll(() => first.commands, WAIT).toEqual(["a", "b"]);
  });

  test("a working leader goes on leading when another replica is nominated", async () => {
    const [first, second, third] = await three([], postgres);
    await lead(second);
    await expect.poll(() => third.replicated.status().leader, WAIT).toBe(second.id);
    expect(await third.lead()).toMatchObject({ kind: "follows", leader: second.id });
    expect(await first.lead()).toMatchObject({ kind: "follows", leader: second.id });
    expect(second.deposed).toBe(0);
  });
});

function historyOf(entries: number): Entry[] {
  return Array.from(
    { length: entries },
    (_, index): Entry => ({
      position: index + 1,
      epoch: 0,
      at: 0,
      body: { kind: "command", bytes: bytes("x".repeat(1_000)) },
    }),
  );
}

test("a leader delivers a long history in pieces, each in a turn of its own, before it says that it leads", async () => {
  const history = historyOf(3_000);
  const [, second, third] = await three(history);
  const timer = setInterval(() => {}, 1);
  const counted = setImmediate(function count() {
    turns.count += 1;
    counting = setImmediate(count);
  });
  let counting = counted;
  onTestFinished(() => {
    clearInterval(timer);
    clearImmediate(counting);
  });
  await lead(third);
  expect(third.epochs).toHaveLength(1);
  expect(third.committedBefore).toBeGreaterThan(history.length);
  const { pieces } = third;
  expect(pieces.length).toBeGreaterThan(10);
  expect(Math.max(...pieces.map(({ entries }) => entries))).toBeLessThan(300);
  expect(new Set(pieces.map(({ turn }) => turn)).size).toBe(pieces.length);
  expect(third.flushes).toBeGreaterThanOrEqual(pieces.length - 2);
  expect(third.deposed).toBe(0);
  await expect.poll(() => second.committed.length, WAIT).toBe(third.committed.length);
});

test("where the tables take long, a leader delivers a long history in smaller pieces", async () => {
  const [, , third] = await three(historyOf(200));
  third.flushMs = 15;
  await lead(third);
  const sizes = third.pieces.map(({ entries }) => entries);
  expect(sizes[0]).toBeGreaterThan(20);
  expect(Math.max(...sizes.slice(4))).toBeLessThan(10);
});

test("after a failed write a leader confirms and commits nothing more, and reports the failure once", async () => {
  const [, , third] = await three();
  await lead(third);
  third.journal.close(); // every write fails from here on
  third.replicated.append([bytes("lost?")]);
  const confirmed = third.confirm();
  await expect.poll(() => third.failures, WAIT).toHaveLength(1);
  expect(await confirmed).toBe(false);
  expect(third.commands).toEqual([]);
});

test("a follower whose write fails acknowledges nothing, so that nothing is committed through it", async () => {
  const [first, second, third] = await three();
  await lead(third);
  third.replicated.append([bytes("a")]);
  await expect
    .poll(() => [first, second].map(({ commands }) => commands), WAIT)
    .toEqual([["a"], ["a"]]);
  second.replicated.close(); // from here on the first one's acknowledgement would commit
  first.journal.close();
  third.replicated.append([bytes("lost?")]);
  const confirmed = third.confirm();
  await expect.poll(() => first.failures, WAIT).toHaveLength(1);
  expect(await confirmed).toBe(false); // nobody acknowledged this round, until it stepped down
  expect(third.deposed).toBe(1);
  expect(third.commands).toEqual(["a"]);
});

test("an entry that followers refuse is never committed, and its leader checks its file before it leads again", async () => {
  const [first, second, third] = await three();
  await lead(third);
  for (const follower of [first, second]) follower.against = "bad";
  const checked = Promise.withResolvers<void>();
  third.verify = () => checked.promise;
  third.replicated.append([bytes("bad")]);
  await expect.poll(() => third.deposed, WAIT).toBe(1);
  const lost = { kind: "lost", reason: "its entries were refused, and it checks its file" };
  expect(await third.lead()).toEqual(lost);
  await lead(second);
  second.replicated.append([bytes("good")]);
  await expect.poll(() => third.commands, WAIT).toEqual(["good"]);
  for (const member of [first, second, third]) expect(member.commands).not.toContain("bad");
  expect(await third.lead()).toEqual(lost);
  checked.resolve();
  await expect.poll(async () => (await third.lead()).kind, WAIT).toBe("follows"); // it may stand again, but there is a leader
});

test("a follower that refuses what a quorum accepts stops alone if its file turns out to be damaged", async () => {
  const [first, second, third] = await three();
  await lead(third);
  first.against = "good";
  const damage = new JournalCorrupt("order.db", null, "a stock is wrong");
  first.verify = () => Promise.reject(damage);
  third.replicated.append([bytes("good")]);
  await expect
    .poll(() => first.failures.map(({ message }) => message), WAIT)
    .toEqual([damage.message]);
  await expect.poll(() => second.commands, WAIT).toEqual(["good"]);
  expect(third.deposed).toBe(0);
  expect(first.commands).toEqual([]);
});

test("a follower that refuses an entry and can't check its file, for want of memory say, goes on", async () => {
  const [first, second, third] = await three();
  await lead(third);
  first.against = "good";
  let compared = 0;
  first.verify = () => {
    compared += 1;
    return Promise.reject(new Error("no memory"));
  };
  third.replicated.append([bytes("good")]);
  await expect.poll(() => second.commands, WAIT).toEqual(["good"]);
  await expect.poll(() => compared, WAIT).toBe(1);
  third.replicated.append([bytes("more")]);
  await expect.poll(() => second.commands, WAIT).toEqual(["good", "more"]);
  expect(first.failures).toEqual([]);
  expect(third.deposed).toBe(0);
});

test("a leader that finds damage where a catalog reads gives the catalog nothing, and stops", async () => {
  const [, , third] = await three();
  await lead(third);
  // More than it keeps in memory, so that the first ones are read from the disk.
  const many = 2 * RECENT_ENTRIES_MAX + 1;
  third.replicated.append(Array.from({ length: many }, () => bytes("a")));
  await expect.poll(() => third.commands, WAIT).toHaveLength(many);
  third.journal.entries = () => {
    throw new Error("damaged");
  };
  expect(third.replicated.read(0, 1_000)).toEqual([]);
  expect(third.failures.map(({ message }) => message)).toEqual(["damaged"]);
});
