// Disks that fail under load: the replica stops with one line that says why, no
// client notices, and the replica comes back when its disk does.
//
// A full disk (a small file system, or a library), a write that fails (a limit on
// files), an fsync that fails (a library); of a follower, and of the leader. What
// the machine has no means for is said, and fails where CI is set: see
// harness/failing-disk.ts. A disk that lies, and one that returns other bytes
// than were written, are tested in src/io/journal.

import { expect, test, vi } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { readLog } from "../../lab/logs.ts";
import { until } from "../../lab/wait.ts";
import {
  canCompile,
  canMount,
  type OnFailingDisk,
  startOnFailingFsync,
  startOnFailingWrites,
  startOnFullDisk,
  startOnNoSpace,
} from "./harness/failing-disk.ts";
import { useClusters } from "./harness/lifetime.ts";
import { failed, Load } from "./harness/load.ts";

// Several starts and a disk to fill, on a machine that may be busy besides.
vi.setConfig({ testTimeout: 240_000 });

const clusters = useClusters("test");

const CLIENTS = 8;
const STOCKS = [["FishCo", 12.5, 1_000_000]] as const;
/** Trades before the disk fails, where that can be chosen, and after. */
const TRADES_BETWEEN = 100;
/** Until enough was traded to fill what is left, on a busy machine. */
const FAIL_LIMIT_MS = 90_000;
/** Until a replica runs, and until it is back, on a busy machine. */
const START_LIMIT_MS = 60_000;

type Start = (cluster: Cluster, id: number) => OnFailingDisk;

/**
 * Runs a cluster under load with the replica of this place, ascending, on a
 * disk that fails; the highest is made to lead. Then the replica starts again
 * on a good one.
 */
async function diskFails(start: Start, place: 0 | 2, says: RegExp): Promise<void> {
  const cluster = await clusters.prepare({ stocks: STOCKS, logLevel: "info" });
  expect((await cluster.run("format")).stderr).toBe("");
  const id = cluster.replicas[place];
  cluster.start("catalog");
  const { running, fail } = start(cluster, id);
  for (const other of cluster.replicas) if (other !== id) cluster.start("order", String(other));
  for (const each of cluster.replicas) {
    const isReady = () => {
      if (running.finished) throw new Error(JSON.stringify(running.finished));
      return cluster.log(`order-${each}`).includes("Order service ready");
    };
    await until(`order-${each} ready`, isReady, START_LIMIT_MS);
  }
  await cluster.open(cluster.start("frontend"));
  if (place === 2) await lead(cluster, id);

  const clients = Array.from({ length: CLIENTS }, () => cluster.client());
  const load = new Load(clients, () => ({ name: "FishCo", type: "buy", quantity: 1 }));
  const more = (count: number) => {
    const goal = load.accepted + count;
    return until(`${goal} trades`, () => load.accepted >= goal, START_LIMIT_MS);
  };
  await more(TRADES_BETWEEN);
  fail();
  const { status, stderr } = await running.end(FAIL_LIMIT_MS);
  expect(status).toBe(1);
  expect(stderr.trim()).toMatch(says);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  const fatal = readLog(cluster.data, `order-${id}`).filter(({ level }) => level === "fatal");
  expect(fatal.map(({ msg }) => msg)).toEqual([expect.stringMatching(/^Stopping: /)]);
  await more(TRADES_BETWEEN);
  const seen = await load.stop();
  expect(failed(seen)).toEqual([]);

  const before = cluster.log(`order-${id}`).length;
  cluster.start("order", String(id));
  await until(
    "the replica back",
    () => cluster.log(`order-${id}`).slice(before).includes("Order service ready"),
    START_LIMIT_MS,
  );
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: seen.traded.length });
}

/** Kills whoever else leads until this replica does; mostly nobody does: it is the highest. */
async function lead(cluster: Cluster, id: number): Promise<void> {
  for (;;) {
    const leader = await cluster.leader();
    if (leader === id) return;
    const before = cluster.log(`order-${leader}`).length;
    await cluster.kill(`order-${leader}`);
    await until("another leader", async () => (await cluster.leader()) !== leader);
    cluster.start("order", String(leader));
    await cluster.logged(`order-${leader}`, "Order service ready", before);
  }
}

/** Whichever of a replica's files the disk refuses first. */
const FILE = String.raw`^bazaar: \S+/(order\.db\S*|journal/\d+\.segment(\.new)?)`;
const FULL = new RegExp(`${FILE}: the disk is full; free some space, then start again$`);
const BROKEN = new RegExp(
  `${FILE}: (disk I/O error .*|E[A-Z]+: .*); check the disk, then start again$`,
);

test("a follower whose writes fail stops with one line, and clients notice nothing", () =>
  diskFails(startOnFailingWrites, 0, BROKEN));

test("a leader whose writes fail stops with one line, and its clients wait for the next", () =>
  diskFails(startOnFailingWrites, 2, BROKEN));

// A full disk is made in either of two ways, one for each place where there are both.
const mounts = canMount();
const compiles = canCompile();
const followerOnFull = mounts ? startOnFullDisk : startOnNoSpace;
const leaderOnFull = compiles ? startOnNoSpace : startOnFullDisk;

const untested = [
  mounts || compiles ? [] : "a full disk (neither mounts of one's own nor a C compiler)",
  compiles ? [] : "an fsync that fails (no C compiler)",
].flat();
for (const what of untested) console.warn(`not tested on this machine: ${what}`);

test.runIf(process.env.CI)("in CI the machine can make disks fail in every way", () => {
  expect(untested).toEqual([]);
});

test.runIf(mounts || compiles)(
  "a follower whose disk is full stops with one line that says so",
  () => diskFails(followerOnFull, 0, FULL),
);

test.runIf(mounts || compiles)(
  "a leader whose disk is full stops, and its clients wait for the next",
  () => diskFails(leaderOnFull, 2, FULL),
);

test.runIf(compiles)("a follower whose fsync fails acknowledges nothing more, and stops", () =>
  diskFails(startOnFailingFsync, 0, BROKEN),
);

test.runIf(compiles)("a leader whose fsync fails answers nothing more, and stops", () =>
  diskFails(startOnFailingFsync, 2, BROKEN),
);
