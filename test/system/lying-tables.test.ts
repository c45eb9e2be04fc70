// A replica whose tables are wrong though every checksum is right: written by the
// real code, from a journal that was read wrongly. Whether it would lead or
// follows, it stops with one line, the others go on, nothing that was answered is
// lost or given out again, and it comes back as a replacement.

import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { readLog } from "../../lab/logs.ts";
import type { Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { decodeCommands } from "../../src/core/market/codec.ts";
import type { Command } from "../../src/core/market/types.ts";
import type { Entry } from "../../src/core/replication/types.ts";
import { createJournalFile, journalFolder, openJournal } from "../../src/io/journal/journal.ts";
import { Ledger } from "../../src/io/journal/ledger.ts";
import { useClusters } from "./harness/lifetime.ts";
import { allOrders, failed, Load, type OrderRow, promised, quantityOf } from "./harness/load.ts";

// Several starts, on a machine that may be busy besides.
vi.setConfig({ testTimeout: 240_000 });

const clusters = useClusters("test");

const STOCKS = [["FishCo", 12.5, 1_000_000]] as const;
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;
/** So many that opening a file doesn't look for what is older: see journal/ledger.ts. */
const TRADES_BEFORE = 1_100;
const CLIENTS = 16;
const TRADES = 40;
const LIMIT_MS = 60_000;
const DAMAGED = /^bazaar: .*order\.db.*the file is damaged: .*format --replace.*$/;

/** What the tables are made to say of an entry. */
type Misreading = (command: Command) => Command;

const moreThanListed: Misreading = (command) =>
  command.kind === "list" ? { ...command, quantity: command.quantity + 500 } : command;

/** Writes the file of a stopped replica again, with the same journal and with tables that misread it. */
function forge(cluster: Cluster, id: number, misread: Misreading): void {
  const path = join(cluster.data, `order-${id}`, "order.db");
  const right = openJournal(path, { replica: id });
  const { identity, hardState, appliedPosition } = right;
  const entries: Entry[] = [];
  while (entries.length < right.lastPosition)
    entries.push(...right.entries(entries.length, Number.MAX_SAFE_INTEGER));
  right.close();
  renameSync(path, `${path}.right`);
  rmSync(journalFolder(path), { recursive: true });
  for (const end of ["-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
  createJournalFile(path, identity, hardState, entries);
  const wrong = openJournal(path, { replica: id });
  const ledger = new Ledger(wrong);
  for (const { position, body } of entries.slice(0, appliedPosition)) {
    ledger.queue(position, body.kind === "command" ? decodeCommands(body.bytes).map(misread) : []);
  }
  ledger.flush();
  wrong.close();
}

/** A cluster that has traded, its replicas stopped, and the orders that it answered. */
async function stopped(): Promise<{
  readonly cluster: Cluster;
  readonly frontend: Running;
  readonly before: readonly OrderRow[];
}> {
  const cluster = await clusters.prepare({ stocks: STOCKS, logLevel: "info" });
  expect((await cluster.run("format")).stderr).toBe("");
  cluster.start("catalog");
  const running = cluster.replicas.map((id) => cluster.start("order", String(id)));
  const frontend = cluster.start("frontend");
  await cluster.open(frontend);
  const clients = Array.from({ length: CLIENTS }, () => cluster.client());
  const load = new Load(clients, () => BUY);
  await more(load, TRADES_BEFORE);
  const { traded } = await load.stop();
  await until("all replicas level", async () => {
    const positions = (await cluster.status()).processes.map(({ applied }) => applied ?? 0);
    return new Set(positions.filter((applied) => applied > 0)).size === 1;
  });
  for (const each of running) each.signal("SIGTERM");
  for (const each of running) expect(await each.end(LIMIT_MS)).toMatchObject({ status: 0 });
  return { cluster, frontend, before: promised(traded) };
}

async function stopsAsDamaged(cluster: Cluster, id: number, running: Running): Promise<void> {
  const { status, stderr } = await running.end(LIMIT_MS);
  expect(status).toBe(1);
  expect(stderr.trim().split("\n")).toEqual([expect.stringMatching(DAMAGED)]);
  const fatal = readLog(cluster.data, `order-${id}`).filter(({ level }) => level === "fatal");
  expect(fatal).toHaveLength(1);
}

/** It starts again from nothing, gets its vote, and all agree on what `load` was answered. */
async function comesBack(
  { cluster, before }: Awaited<ReturnType<typeof stopped>>,
  id: number,
  load: Load,
): Promise<void> {
  for (const name of ["journal", "order.db", "order.db-wal", "order.db-shm"])
    rmSync(join(cluster.data, `order-${id}`, name), { recursive: true, force: true });
  expect(await cluster.run("format", "--replace", `order-${id}`)).toMatchObject({ status: 0 });
  cluster.start("order", String(id));
  await until(
    "the replacement level with the others",
    async () => (await cluster.verify()).ok,
    LIMIT_MS,
  );
  const seen = await load.stop();
  expect(failed(seen)).toEqual([]);
  const orders = await allOrders(cluster.client());
  expect(orders.map(({ number }) => number)).toEqual(orders.map((_, index) => index + 1));
  const answered = [...before, ...promised(seen.traded)];
  expect(orders.map((order) => JSON.stringify(order)).sort()).toEqual(
    answered.map((order) => JSON.stringify(order)).sort(),
  );
  expect(await quantityOf(cluster.client(), "FishCo")).toBe(1_000_000 - orders.length);
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: orders.length });
}

async function more(load: Load, trades = TRADES): Promise<void> {
  const goal = load.accepted + trades;
  await until(`${goal} trades`, () => load.accepted >= goal, LIMIT_MS);
}

function loadOn(cluster: Cluster): Load {
  return new Load([cluster.client()], () => BUY);
}

test("a would-be leader whose tables are wrong is refused before it answers anything, and stops alone", async () => {
  const start = await stopped();
  const { cluster, frontend } = start;
  const [low, middle, high] = cluster.replicas;
  forge(cluster, high, moreThanListed);
  // Front ends nominate whoever can win first; here it shall be the one that is wrong.
  frontend.signal("SIGTERM");
  await frontend.end(LIMIT_MS);
  const lines = cluster.log(`order-${low}`).length;
  const bad = cluster.start("order", String(high));
  cluster.start("order", String(low));
  {
    const calls = await cluster.replica(high, "frontend");
    await until(
      "its reign refused",
      async () => {
        await calls.nominate({}).catch(() => {}); // it may have stopped
        return cluster
          .log(`order-${low}`)
          .slice(lines)
          .some((line) => line.startsWith(`Refusing what ${high} sends`));
      },
      LIMIT_MS,
    );
  }
  await stopsAsDamaged(cluster, high, bad);
  const said = cluster.log(`order-${high}`);
  expect(said.some((line) => line.startsWith(`${low} refuses what is led with here`))).toBe(true);
  expect(said.slice(said.lastIndexOf("Order service ready"))).not.toContain("Leading");

  cluster.start("order", String(middle));
  await cluster.open(cluster.start("frontend"));
  const load = loadOn(cluster);
  await more(load);
  await comesBack(start, high, load);
});

test("a follower whose tables are wrong stops alone: neither leader nor clients notice", async () => {
  const start = await stopped();
  const { cluster } = start;
  const [low, middle, high] = cluster.replicas;
  forge(cluster, low, moreThanListed);
  for (const id of [middle, high]) cluster.start("order", String(id));
  await cluster.open();
  const load = loadOn(cluster);
  await more(load);
  const leader = await cluster.leader();
  const { epoch } = await cluster.status();
  await stopsAsDamaged(cluster, low, cluster.start("order", String(low)));
  await more(load);
  expect(await cluster.status()).toMatchObject({ leader, epoch });
  await comesBack(start, low, load);
});
