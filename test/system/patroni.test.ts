// A bazaar on a PostgreSQL that Patroni fails over, as docs/engines.md sets it up: on
// three hosts, the primary's is cut off from everybody, and the next primary's Patroni
// and PostgreSQL are killed. Clients are told 503 for a while, and then their trades
// are made under the same keys; nothing is lost or there twice.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { HttpClient } from "../../lab/http.ts";
import { pidsNaming, ROOT, Running, signalIfThere } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { installedPrograms } from "../../src/cli/postgres-server.ts";
import { Hosts, noHosts } from "./harness/hosts.ts";
import { useClusters } from "./harness/lifetime.ts";
import { type Asking, allOrders, Load, movements, promised, quantityOf } from "./harness/load.ts";

const HOSTS = [0, 1, 2] as const;
/** Shorter than anybody would have it: the least that Patroni can live with. */
const TIMES = { ttl: 6, loop_wait: 1, retry_timeout: 2 } as const;
/** Until a fail-over is over, on a busy machine. */
const LIMIT_MS = 90_000;
const TRADES_BETWEEN = 50;
const LISTED = 100_000;
/** A front end tells 503 after ten seconds; whoever asks again does so after: */
const AGAIN_MS = 200;

const clusters = useClusters("test");
let hosts: Hosts | null = null;
let folder = "";
const homeOf = (host: number) => join(folder, `db-${host + 1}`);
const CONFIGURATION = "patroni.yml";
const running: Running[] = [];

afterEach(async ({ task }) => {
  if (task.result?.state === "fail")
    for (const { stderr } of running) console.error(stderr.slice(-1_500));
  const rest = () => (folder === "" ? [] : pidsNaming(folder));
  for (const pid of rest()) signalIfThere(pid, "SIGKILL");
  await Promise.allSettled(running.splice(0).map((each) => each.end()));
  await until("all have ended", () => rest().length === 0);
  hosts?.close();
  hosts = null;
  if (folder !== "") rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

const missing = noHosts();
if (missing !== null) console.warn(`Not tested: fail-overs by Patroni. ${missing}.`);

test.runIf(process.env.CI)("in CI the machine can make the hosts of a Patroni", () => {
  expect(missing).toBeNull();
});

/** The documented configuration of one host. */
function configuration(net: Hosts, host: number): string {
  const [, text = ""] =
    /```yaml\n(scope: .*?)```/s.exec(readFileSync(join(ROOT, "docs/engines.md"), "utf8")) ?? [];
  const changes: readonly (readonly [from: RegExp, to: string])[] = [
    [/db-1/, `db-${host + 1}`],
    [/(listen|connect_address): 10\.0\.0\.1/g, `$1: ${net.address(host)}`],
    [/10\.0\.0\.(\d)(?=:2379)/g, `${net.address(0).replace(/\d+$/, "")}$1`],
    [/10\.0\.0\.0/g, net.address(0).replace(/\d+$/, "0")],
    [/data_dir: .*/, `data_dir: ${join(homeOf(host), "trades")}`],
    // Hosts of a test have files in common, and so the folder in which all would have their socket.
    [
      /bin_dir: .*/,
      `bin_dir: ${installedPrograms()}\n  parameters: { unix_socket_directories: "${homeOf(host)}" }`,
    ],
    [/mode: required/, "mode: off"],
    // The bazaar of a test is given no password.
    [/(host all all .*) scram-sha-256/, "$1 trust"],
    ...Object.entries(TIMES).map(
      ([name, seconds]) => [new RegExp(`${name}: .*`), `${name}: ${seconds}`] as const,
    ),
  ];
  return changes.reduce((changed, [from, to]) => {
    expect(changed).toMatch(from);
    return changed.replace(from, to);
  }, text);
}

interface Member {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly timeline: number;
}

/** As some Patroni that can be reached tells it. */
async function members(net: Hosts): Promise<readonly Member[]> {
  const asked = HOSTS.map(async (host) => {
    const answer = await fetch(`http://${net.address(host)}:8008/cluster`, {
      signal: AbortSignal.timeout(1_000),
    });
    return ((await answer.json()) as { members: Member[] }).members;
  });
  return await Promise.any(asked);
}

/** Which host has the primary, once there is one other than `not` that has a standby to wait for. */
function primary(net: Hosts, not: number | null): Promise<number> {
  return until(
    "a primary with a standby",
    async () => {
      const all = await members(net);
      const leader = all.find(({ role, state }) => role === "leader" && state === "running");
      const isWaiting = all.some(({ role }) => role === "sync_standby");
      const host = leader ? Number(leader.name.slice(-1)) - 1 : -1;
      return isWaiting && host >= 0 && host !== not ? { host } : null;
    },
    LIMIT_MS,
  ).then(({ host }) => host);
}

/** Waits until this host's server follows the primary. */
async function follows(net: Hosts, host: number): Promise<void> {
  await until(
    `db-${host + 1} is a standby`,
    async () => {
      const all = await members(net);
      const own = all.find(({ name }) => name === `db-${host + 1}`);
      const leader = all.find(({ role }) => role === "leader");
      const isStandby = own !== undefined && /replica|standby/.test(own.role);
      return isStandby && own.state === "running" && own.timeline === leader?.timeline;
    },
    LIMIT_MS,
  );
}

/** A client that is told 503 asks again under the same key, until it is told something else. */
class Patient implements Asking {
  readonly #client: HttpClient;
  readonly #name: string;
  #trades = 0;
  unavailable = 0;

  constructor(client: HttpClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  get(path: string) {
    return this.#client.get(path);
  }

  async trade(body: object) {
    this.#trades += 1;
    const headers = { "idempotency-key": `${this.#name}-${this.#trades}` };
    for (;;) {
      const call = await this.#client.trade(body, headers);
      if (call.status !== 503) return call;
      this.unavailable += 1;
      await pause(AGAIN_MS);
    }
  }
}

test.skipIf(missing !== null)(
  "a primary's host that is cut off, and a primary that is killed with its Patroni, cost clients 503s for a while, and no trade",
  async () => {
    const net = new Hosts(HOSTS.length);
    hosts = net;
    folder = mkdtempSync(join(tmpdir(), "bazaar-patroni-"));
    const id = (flag: string) =>
      Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
    chownSync(folder, id("-u"), id("-g"));
    chmodSync(folder, 0o700);
    const asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    for (const host of HOSTS) {
      mkdirSync(homeOf(host), { mode: 0o700 });
      chownSync(homeOf(host), id("-u"), id("-g"));
    }
    const start = (host: number, ...command: readonly string[]) => {
      const [program, ...args] = [...net.on(host), ...asPostgres, ...command] as const;
      running.push(new Running(program, args, { cwd: "/", environment: { HOME: homeOf(host) } }));
    };
    const patroni = (host: number) => {
      const file = join(homeOf(host), CONFIGURATION);
      writeFileSync(file, configuration(net, host));
      start(host, "patroni", file);
    };
    for (const host of HOSTS) {
      const at = (port: number) => `http://${net.address(host)}:${port}`;
      const all = HOSTS.map((each) => `db-${each + 1}=http://${net.address(each)}:2380`).join();
      start(
        host,
        ...["etcd", "--name", `db-${host + 1}`, "--data-dir", join(homeOf(host), "etcd")],
        ...["--listen-client-urls", at(2379), "--advertise-client-urls", at(2379)],
        ...["--listen-peer-urls", at(2380), "--initial-advertise-peer-urls", at(2380)],
        ...["--initial-cluster", all, "--logger", "zap"],
      );
      patroni(host);
    }
    const first = await primary(net, null);
    for (const host of HOSTS) if (host !== first) await follows(net, host);

    const addresses = HOSTS.map((host) => `${net.address(host)}:5432`).join();
    const cluster = await clusters.prepare({
      logLevel: "info",
      stocks: [["FishCo", 12.5, LISTED]],
      options: [`--engine=postgres://postgres@${addresses}/postgres`],
    });
    await cluster.up();
    const traders = Array.from({ length: 6 }, (_, nth) => new Patient(cluster.client(), `${nth}`));
    const load = new Load(traders, (_, nth) => ({
      name: "FishCo",
      type: nth % 3 === 0 ? "sell" : "buy",
      quantity: 1,
    }));
    const more = () => {
      const trades = load.accepted + TRADES_BETWEEN;
      return until(`${trades} trades`, () => load.accepted >= trades, LIMIT_MS);
    };
    await more();

    net.unplug(first);
    const cutAtMs = performance.now();
    const second = await primary(net, first);
    await more();
    console.log(`Trades ${Math.round(performance.now() - cutAtMs)} ms after the host was cut off`);
    net.plug(first);
    await follows(net, first);
    await more();

    for (const named of [CONFIGURATION, "trades"])
      for (const pid of pidsNaming(join(homeOf(second), named))) signalIfThere(pid, "SIGKILL");
    const killedAtMs = performance.now();
    await primary(net, second);
    await more();
    console.log(`Trades ${Math.round(performance.now() - killedAtMs)} ms after it was killed`);
    patroni(second);
    await follows(net, second);
    await more();

    const { traded } = await load.stop();
    const unavailable = traders.reduce((sum, each) => sum + each.unavailable, 0);
    console.log(`${traded.length} trades, told 503 before: ${unavailable} times`);
    expect(traded.filter(({ call }) => call.status !== 200)).toEqual([]);
    const orders = await allOrders(cluster.client());
    expect(orders.map(({ number }) => number)).toEqual(orders.map((_, index) => index + 1));
    expect(orders).toEqual(promised(traded)); // each once, and nothing else
    const quantity = LISTED + (movements(orders).get("FishCo") ?? 0);
    expect(await quantityOf(cluster.client(), "FishCo")).toBe(quantity);
    expect(await cluster.verify()).toMatchObject({ ok: true });
  },
  300_000,
);
