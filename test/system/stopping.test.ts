// What clients notice when processes are told to stop: nothing. Front ends that
// are restarted one after the other behind a load balancer with its default
// settings, and all processes at once, as a machine that goes down tells them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type Call, HttpClient } from "../../lab/http.ts";
import { freePorts } from "../../lab/ports.ts";
import type { Finished, Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { type Asking, failed, Load, type Trade } from "./harness/load.ts";
import { startHaproxy, startNginx } from "./harness/proxies.ts";

const clusters = useClusters("test");
const BUY: Trade = { name: "FishCo", type: "buy", quantity: 1 };
const SELL: Trade = { ...BUY, type: "sell" };
const turns = (_client: number, nth: number): Trade => (nth % 2 === 0 ? BUY : SELL);
/** An end that waits for no load balancer. */
const QUICK_MS = 30_000;

/** Every role a process of its own, not under `up`. */
async function startRoles(cluster: Cluster): Promise<Map<string, Running>> {
  const { status, stderr } = await cluster.run("format");
  if (status !== 0) throw new Error(`format: ${stderr}`);
  const roles = new Map<string, Running>();
  const start = (kind: string, port: number) =>
    roles.set(`${kind}-${port}`, cluster.start(kind, String(port)));
  for (const id of cluster.replicas) start("order", id);
  for (const port of cluster.catalogPorts) start("catalog", port);
  for (const port of cluster.frontendPorts) start("frontend", port);
  await cluster.open();
  return roles;
}

async function ended(running: Running | undefined, limitMs?: number): Promise<Finished> {
  const finished = await running?.end(limitMs);
  expect(`${finished?.status} ${finished?.stderr}`).toBe("0 ");
  return finished as Finished;
}

describe("a rolling restart of two front ends behind a load balancer with its default settings", () => {
  let folder = "";
  const balancers: Running[] = [];
  const clients: HttpClient[] = [];
  afterEach(async ({ task }) => {
    for (const client of clients.splice(0)) client.close();
    for (const each of balancers.splice(0)) {
      if (task.result?.state === "fail") console.error(each.stdout, each.stderr);
      each.signal("SIGTERM");
      await each.end();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** As Debian's own file has it, but for where it logs to; with the two front ends. */
  const haproxy = (port: number, frontends: readonly number[]) => `
defaults
  mode http
  timeout connect 5000
  timeout client 50000
  timeout server 50000
frontend public
  bind 127.0.0.1:${port}
  default_backend bazaar
backend bazaar
  option httpchk GET /readyz
${frontends.map((each) => `  server at-${each} 127.0.0.1:${each} check`).join("\n")}
`;

  const nginx = (port: number, frontends: readonly number[]) => `
  upstream bazaar {
${frontends.map((each) => `    server 127.0.0.1:${each};`).join("\n")}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://bazaar;
      proxy_set_header Host $host;
    }
  }
`;

  /** A client with a name for the proxy that only --allowed-hosts lets in, which thinks between two calls. */
  function client(port: number, thinkMs: number): Asking {
    const http = new HttpClient(`http://127.0.0.1:${port}`);
    clients.push(http);
    const headers = { Host: "stall.example" };
    const thinking = async (call: Promise<Call>) => {
      const answered = await call;
      await delay(thinkMs);
      return answered;
    };
    return {
      get: (path) => thinking(http.send({ method: "GET", path, headers })),
      trade: (body) => thinking(http.trade(body, headers)),
    };
  }

  test("fails no request, neither behind haproxy nor behind nginx", async () => {
    folder = mkdtempSync(join(tmpdir(), "bazaar-balancers-"));
    const cluster = await clusters.prepare({
      frontends: 2,
      logLevel: "info",
      options: ["--allowed-hosts=stall.example", "--drain-ms=12000"],
    });
    const roles = await startRoles(cluster);
    const [haproxyPort = 0, nginxPort = 0] = await freePorts(2);
    const { frontendPorts } = cluster;
    balancers.push(
      startHaproxy(folder, haproxy(haproxyPort, frontendPorts)),
      startNginx(folder, nginx(nginxPort, frontendPorts)),
    );
    for (const port of [haproxyPort, nginxPort]) {
      const first = client(port, 0);
      await until("the load balancer", async () => (await first.get("/readyz")).status === 200);
    }
    // nginx sends connections until the port closes: one that the system takes in that very instant is
    // reset, which a client that thinks for longer practically never meets.
    const trading = [client(haproxyPort, 5), client(haproxyPort, 5), client(nginxPort, 100)];
    const load = new Load(trading, turns, [client(haproxyPort, 5), client(nginxPort, 100)]);
    for (const port of frontendPorts) {
      const before = roles.get(`frontend-${port}`);
      before?.signal("SIGTERM");
      await ended(before);
      cluster.start("frontend", String(port));
      await cluster.open();
    }
    const seen = await load.stop();
    expect(failed(seen)).toEqual([]);
    expect(seen.traded.length).toBeGreaterThan(100);
    expect(await cluster.verify()).toMatchObject({ ok: true, orders: load.accepted });
  });
});

describe("all processes told to stop in one moment", () => {
  /** Trades over one connection until an answer says that it was the last, and returns all answers. */
  async function untilClosed(client: HttpClient, index: number): Promise<readonly Call[]> {
    const calls: Call[] = [];
    for (let nth = 0; calls.at(-1)?.answered.connection !== "close"; nth++) {
      calls.push(await client.trade(turns(index, nth)));
      if (calls.at(-1)?.status !== 200) break;
    }
    return calls;
  }

  const CLIENTS = 12;
  const trading = (cluster: Cluster) => {
    const clients = Array.from({ length: CLIENTS }, () => cluster.client());
    const before = clients.map((client) => client.calls);
    const all = Promise.all(clients.map(untilClosed));
    const underWay = until("all of them trading", () => before.every((calls) => calls.length > 3));
    return { all, underWay };
  };
  const notAnswered = (calls: readonly (readonly Call[])[]) =>
    calls.flat().filter(({ status }) => status !== 200);

  test("answer what they hold, and what comes while the front end drains", async () => {
    const cluster = await clusters.prepare({ logLevel: "info", options: ["--drain-ms=8000"] });
    const roles = await startRoles(cluster);
    const { all, underWay } = trading(cluster);
    await underWay;
    for (const role of roles.values()) role.signal("SIGTERM");
    expect(notAnswered(await all)).toEqual([]);
    const late = cluster.client();
    const ready = await late.get("/readyz");
    expect(ready.status).toBe(503);
    expect(ready.text).toContain("stopping");
    const trade = await late.trade(BUY);
    expect(trade.status).toBe(200);
    expect(trade.answered.connection).toBe("close");
    for (const role of roles.values()) await ended(role);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "answer what they hold under up, and %s waits for no load balancer",
    async (signal) => {
      const cluster = await clusters.prepare({ logLevel: "info", options: ["--drain-ms=60000"] });
      const up = await cluster.up();
      const { all, underWay } = trading(cluster);
      await underWay;
      const ids = cluster.replicas.map((id) => `order-${id}`);
      const stopped = cluster.signalAll(["frontend", "catalog", ...ids], signal);
      up.signal(signal);
      await stopped;
      expect(notAnswered(await all)).toEqual([]);
      await ended(up, QUICK_MS);
      await until("nothing running", () => cluster.left().length === 0);
    },
  );
});

test("a front end that drains is ended at once by a second signal, and Ctrl-C begins no drain", async () => {
  const cluster = await clusters.prepare({ logLevel: "info", options: ["--drain-ms=60000"] });
  expect((await cluster.run("format")).status).toBe(0);
  const client = cluster.client();
  const isUp = async () => (await client.get("/healthz")).status === 200;
  const first = cluster.start("frontend");
  await until("it answers", isUp);
  first.signal("SIGTERM");
  await until("it drains", async () => {
    const { status, answered } = await client.get("/healthz");
    return status === 200 && answered.connection === "close";
  });
  // A signal that comes with the first is the same wish.
  await until("the end", () => {
    first.signal("SIGTERM");
    return first.finished;
  });
  expect(first.finished?.status).toBe(143);
  const second = cluster.start("frontend");
  await until("it answers", isUp);
  second.signal("SIGINT");
  await ended(second, QUICK_MS);
});
