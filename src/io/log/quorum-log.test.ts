// Three logs over real sockets and real files: what the core decides reaches
// the disks and the listeners.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "../../../lab/ports.ts";
import type { LeadResult } from "../../core/replication/events.ts";
import { RECENT_ENTRIES_MAX } from "../../core/replication/limits.ts";
import type { CommittedEntry, Entry } from "../../core/replication/types.ts";
import { JournalCorrupt } from "../journal/errors.ts";
import { createJournalFile, openJournal } from "../journal/journal.ts";
import { listen } from "../rpc/listen.ts";
import { SECRET, TEST_CLUSTER } from "../rpc/testing.ts";
import { replicationContract } from "./envelope-schema.ts";
import { QuorumLog } from "./quorum-log.ts";

const WAIT = { timeout: 10_000, interval: 5 };
const log = pino({ level: "silent" });

/** Turns of the event loop so far, while a test counts them. */
let turn = 0;

class Member {
  readonly id: number;
  readonly committed: CommittedEntry[] = [];
  readonly epochs: number[] = [];
  readonly #attempts: ((result: LeadResult) => void)[] = [];
  readonly failures: Error[] = [];
  deposed = 0;
  /** Entries committed when it was told that it leads, and pieces in which they came, each with the turn it came in. */
  committedBefore = 0;
  readonly pieces: { readonly entries: number; readonly turn: number }[] = [];
  flushes = 0;
  /** Has something against commands with this text. */
  against: string | null = null;
  verify = () => Promise.resolve();
  readonly journal;
  readonly quorumLog: QuorumLog;

  constructor(
    directory: string,
    id: number,
    ids: readonly number[],
    entries: readonly Entry[] = [],
  ) {
    this.id = id;
    const path = join(directory, `${id}.db`);
    createJournalFile(
      path,
      { cluster: "test", members: ids, replica: id, incarnation: 1 },
      { promise: { epoch: 0, nominee: id }, voter: true },
      entries,
    );
    this.journal = openJournal(path, { replica: id });
    this.quorumLog = new QuorumLog({
      journal: this.journal,
      applied: 0,
      tables: { pendingCommands: 0, flush: () => this.flushes++ },
      judge: {
        rewind: () => 0,
        take: (entries) => this.#judge(entries),
        summary: () => "",
        damage: ({ reason }) => new Error(reason),
      },
      verify: () => this.verify(),
      replicas: ids.map((each) => ({ id: each, host: "127.0.0.1", port: each })),
      identity: { role: "order", name: `order-${id}`, cluster: TEST_CLUSTER },
      secret: SECRET,
      log,
      failed: (reason) => this.failures.push(reason),
    });
  }

  start(): void {
    this.quorumLog.start({
      committed: (entries) => {
        this.committed.push(...entries);
        this.pieces.push({ entries: entries.length, turn });
      },
      leading: (epoch) => {
        this.committedBefore = this.committed.length;
        this.epochs.push(epoch);
      },
      deposed: () => this.deposed++,
      leadEnded: (result) => {
        for (const settle of this.#attempts.splice(0)) settle(result);
      },
      changed: () => {},
    });
  }

  lead(): Promise<LeadResult> {
    return new Promise((settle) => {
      this.#attempts.push(settle);
      this.quorumLog.lead();
    });
  }

  confirm(): Promise<boolean> {
    return new Promise((settle) => this.quorumLog.confirm(settle));
  }

  #judge(entries: readonly Entry[]) {
    const wrong = entries.find(
      ({ body }) =>
        body.kind === "command" && new TextDecoder().decode(body.bytes) === this.against,
    );
    return wrong ? { position: wrong.position, reason: "it can't be" } : null;
  }

  get commands(): string[] {
    return this.committed.flatMap(({ command }) =>
      command === null ? [] : new TextDecoder().decode(command),
    );
  }
}

async function three(entries: readonly Entry[] = []): Promise<[Member, Member, Member]> {
  const directory = mkdtempSync(join(tmpdir(), "quorum-log-"));
  const ids = await freePorts(3);
  const members = ids.map((id) => new Member(directory, id, ids, entries));
  for (const member of members) {
    const listener = await listen({
      host: "127.0.0.1",
      port: member.id,
      secret: SECRET,
      identity: { role: "order", name: `order-${member.id}`, cluster: TEST_CLUSTER },
      contract: replicationContract,
      handlers: { message: (envelope) => member.quorumLog.receive(envelope) },
      log,
    });
    onTestFinished(() => listener.close());
    member.start();
  }
  onTestFinished(() => {
    for (const member of members) {
      member.quorumLog.close();
      member.journal.close();
    }
    rmSync(directory, { recursive: true });
  });
  return members as [Member, Member, Member];
}

/** Asks until it leads: the others may not be connected at first, or rest after a promise. */
async function lead(member: Member): Promise<void> {
  let outcome: LeadResult | null = null;
  await expect
    .poll(async () => {
      outcome = await member.lead();
      return outcome.kind;
    }, WAIT)
    .toBe("leading");
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test("what is appended is committed on all replicas, in order, and is on their disks", async () => {
  const [first, second, third] = await three();
  await lead(third);
  expect(third.quorumLog.append([bytes("a"), bytes("b")])).toBe(3);
  expect(third.quorumLog.append([bytes("c")])).toBe(4);
  await expect.poll(() => third.commands, WAIT).toEqual(["a", "b", "c"]);
  for (const follower of [first, second]) {
    await expect.poll(() => follower.commands, WAIT).toEqual(["a", "b", "c"]);
    expect(follower.journal.lastPosition).toBe(4);
    expect(follower.journal.digestAt(4)).toBe(third.journal.digestAt(4));
  }
  expect(third.committed.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
  expect(third.quorumLog.read(2, 1_000).map(({ position }) => position)).toEqual([3, 4]);
});

test("a leader delivers a long history in pieces, each in a turn of its own, before it says that it leads", async () => {
  const history = Array.from(
    { length: 3_000 },
    (_, index): Entry => ({
      position: index + 1,
      epoch: 0,
      at: 0,
      body: { kind: "command", bytes: bytes("x".repeat(1_000)) },
    }),
  );
  const [, second, third] = await three(history);
  const timer = setInterval(() => {}, 1);
  const counted = setImmediate(function count() {
    turn += 1;
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

test("a leader can confirm that it leads, beside an append too, and a follower can't", async () => {
  const [first, , third] = await three();
  await lead(third);
  third.quorumLog.append([bytes("a")]);
  expect(await third.confirm()).toBe(true);
  expect(await first.confirm()).toBe(false);
});

test("a leader that falls silent is replaced by another with all that was committed", async () => {
  const [first, second, third] = await three();
  await lead(third);
  third.quorumLog.append([bytes("a")]);
  await expect.poll(() => second.commands, WAIT).toEqual(["a"]);
  third.quorumLog.close();
  await lead(second);
  expect(second.commands).toEqual(["a"]);
  second.quorumLog.append([bytes("b")]);
  await expect.poll(() => first.commands, WAIT).toEqual(["a", "b"]);
});

test("a working leader goes on leading when another replica is nominated", async () => {
  const [first, second, third] = await three();
  await lead(second);
  await expect.poll(() => third.quorumLog.status().leader, WAIT).toBe(second.id);
  expect(await third.lead()).toMatchObject({ kind: "follows", leader: second.id });
  expect(await first.lead()).toMatchObject({ kind: "follows", leader: second.id });
  expect(second.deposed).toBe(0);
});

test("after a failed write a leader confirms and commits nothing more, and reports the failure once", async () => {
  const [, , third] = await three();
  await lead(third);
  third.journal.close(); // every write fails from here on
  third.quorumLog.append([bytes("lost?")]);
  const confirmed = third.confirm();
  await expect.poll(() => third.failures, WAIT).toHaveLength(1);
  expect(await confirmed).toBe(false);
  expect(third.commands).toEqual([]);
});

test("a follower whose write fails acknowledges nothing, so that nothing is committed through it", async () => {
  const [first, second, third] = await three();
  await lead(third);
  third.quorumLog.append([bytes("a")]);
  await expect
    .poll(() => [first, second].map(({ commands }) => commands), WAIT)
    .toEqual([["a"], ["a"]]);
  second.quorumLog.close(); // from here on the first one's acknowledgement would commit
  first.journal.close();
  third.quorumLog.append([bytes("lost?")]);
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
  third.quorumLog.append([bytes("bad")]);
  await expect.poll(() => third.deposed, WAIT).toBe(1);
  const lost = { kind: "lost", reason: "its entries were refused, and it checks its file" };
  expect(await third.lead()).toEqual(lost);
  await lead(second);
  second.quorumLog.append([bytes("good")]);
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
  third.quorumLog.append([bytes("good")]);
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
  third.quorumLog.append([bytes("good")]);
  await expect.poll(() => second.commands, WAIT).toEqual(["good"]);
  await expect.poll(() => compared, WAIT).toBe(1);
  third.quorumLog.append([bytes("more")]);
  await expect.poll(() => second.commands, WAIT).toEqual(["good", "more"]);
  expect(first.failures).toEqual([]);
  expect(third.deposed).toBe(0);
});

test("a leader that finds damage where a catalog reads gives the catalog nothing, and stops", async () => {
  const [, , third] = await three();
  await lead(third);
  // More than it keeps in memory, so that the first ones are read from the disk.
  const many = 2 * RECENT_ENTRIES_MAX + 1;
  third.quorumLog.append(Array.from({ length: many }, () => bytes("a")));
  await expect.poll(() => third.commands, WAIT).toHaveLength(many);
  third.journal.entries = () => {
    throw new Error("damaged");
  };
  expect(third.quorumLog.read(0, 1_000)).toEqual([]);
  expect(third.failures.map(({ message }) => message)).toEqual(["damaged"]);
});
