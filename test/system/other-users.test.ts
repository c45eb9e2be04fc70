// What other users of the machine find of a bazaar that is in use: nothing that
// they may read, write or lock, whatever the umask of whoever started it.

import { spawn } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import { expect, test, vi } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { ROOT, Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { LOG_FILE_BYTES_MAX } from "../../src/io/logging/rolling-file.ts";
import { useClusters } from "./harness/lifetime.ts";
import { tradeInTurn } from "./harness/load.ts";

vi.setConfig({ testTimeout: 180_000 });

const clusters = useClusters("test");
const MAIN = resolve(ROOT, "bin/bazaar.js");
const isRoot = process.geteuid?.() === 0;
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

/** Starts `bazaar NAME` with a umask that takes nothing from anybody. */
function openHanded(cluster: Cluster, name: string, ...more: readonly string[]): Running {
  const command = [process.execPath, MAIN, name, ...cluster.options, ...more];
  return new Running("sh", ["-c", 'umask 0; exec "$@"', "sh", ...command]);
}

/** Everything in the data directory, and which of it others may use. */
function found(data: string) {
  const all = readdirSync(data, { recursive: true, encoding: "utf8" }).map((name) =>
    join(data, name),
  );
  const open = [data, ...all].filter((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false }); // a pid file may be gone by now
    return stat !== undefined && (stat.mode & 0o077) !== 0;
  });
  return { names: all.map((path) => relative(data, path)), open };
}

test("under umask 0 no file of a bazaar that traded, crashed, rolled its logs and lost a disk is open to others", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  const [low] = cluster.replicas;
  const replica = `order-${low}`;
  mkdirSync(join(cluster.data, "logs"), { recursive: true });
  for (const path of [cluster.data, join(cluster.data, "logs")]) chmodSync(path, 0o700);
  // So full that the first line rolls it.
  const log = join(cluster.data, "logs", `${replica}.log`);
  writeFileSync(log, "x".repeat(LOG_FILE_BYTES_MAX - 1), { mode: 0o600 });

  const up = openHanded(cluster, "up");
  await cluster.open(up);
  await tradeInTurn(cluster.client(), [BUY, BUY]);
  await cluster.running(replica, await cluster.kill(replica));
  const running = found(cluster.data);
  expect(running.open).toEqual([]);
  expect(running.names).toEqual(
    expect.arrayContaining([
      "secret",
      "run",
      `run/${replica}.pid`,
      "run/frontend.pid",
      `logs/${replica}.log`,
      `logs/${replica}.log.1`,
      `${replica}/lock.db`,
      `${replica}/journal`,
      `${replica}/journal/00000001.segment`,
      `${replica}/order.db`,
      `${replica}/order.db-wal`,
      `${replica}/order.db-shm`,
      "catalog/catalog.db",
      "catalog/catalog.db-wal",
    ]),
  );
  for (const command of ["status", "verify", "orders"]) {
    expect((await openHanded(cluster, command).end()).status).toBe(0);
  }
  up.signal("SIGTERM");
  expect((await up.end()).status).toBe(0);
  rmSync(join(cluster.data, replica), { recursive: true });
  renameSync(join(cluster.data, "catalog"), `${cluster.data}.catalog`);
  for (const role of [replica, "catalog"]) {
    const replaced = await openHanded(cluster, "format", `--replace=${role}`).end();
    expect(replaced.status, replaced.stderr).toBe(0);
  }
  expect(found(cluster.data).open).toEqual([]);
  expect(found(cluster.data).names).toContain("catalog/catalog.db");
});

test("an empty folder that its owner made is closed to others when the cluster is made in it", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  mkdirSync(cluster.data);
  chmodSync(cluster.data, 0o755);
  expect((await cluster.run("format")).stderr).toBe("");
  expect(found(cluster.data).open).toEqual([]);
});

if (!isRoot) console.warn("not tested on this machine: what a second user can do (not root)");

test.runIf(isRoot)(
  "a second user can read nothing, and can't keep replicas from starting by a lock",
  async () => {
    const cluster = await clusters.prepare({ logLevel: "info" });
    await cluster.up();
    await tradeInTurn(cluster.client(), [BUY]);
    const { names } = found(cluster.data);
    // What a stranger tries, as long as it runs: to list, to read, and to hold read locks.
    const script = `
    import { readdirSync, readFileSync } from "node:fs";
    import { join } from "node:path";
    import { DatabaseSync } from "node:sqlite";
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const [data, ...names] = process.argv.slice(1);
    const got = [];
    globalThis.held = [];
    const attempt = (what, act) => { try { act(); got.push(what); } catch {} };
    attempt("list " + data, () => readdirSync(data));
    for (const name of names) {
      attempt("read " + name, () => readFileSync(join(data, name)));
      if (!name.includes(".db")) continue;
      attempt("lock " + name, () => {
        const database = new DatabaseSync(join(data, name), { readOnly: true });
        database.exec("BEGIN");
        database.prepare("SELECT * FROM sqlite_master").all();
        held.push(database);
      });
    }
    console.log(JSON.stringify(got));
    setInterval(() => {}, 1000);
  `;
    const stranger = spawn(
      process.execPath,
      ["--input-type=module", "-e", script, cluster.data, ...names],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      let said = "";
      stranger.stdout.on("data", (text) => {
        said += String(text);
      });
      await until("the stranger's report", () => said.endsWith("\n"));
      expect(JSON.parse(said)).toEqual([]);
      for (const id of cluster.replicas) {
        await cluster.running(`order-${id}`, await cluster.kill(`order-${id}`));
      }
      await cluster.open();
      expect(await tradeInTurn(cluster.client(), [BUY])).toEqual([2]);
    } finally {
      stranger.kill("SIGKILL");
    }
  },
);

test.runIf(process.env.CI)("in CI the tests run as root", () => {
  expect(isRoot).toBe(true);
});
