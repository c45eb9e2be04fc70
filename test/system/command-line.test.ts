// The bazaar as its user has it in hand: it starts and stops as a whole, says in
// one line what is wrong, and its client checks every order.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { dataOf, type HttpClient } from "../../lab/http.ts";
import { type Finished, Running, runBazaar } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");

const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

async function nothingLeft(cluster: Cluster): Promise<void> {
  await until("nothing running", () => cluster.left().length === 0);
  expect(cluster.runFiles()).toEqual([]);
}

describe("a running bazaar", () => {
  const shared = useClusters("file");
  let cluster: Cluster;
  let up: Running;
  let client: HttpClient;

  beforeAll(async () => {
    cluster = await shared.prepare({ frontends: 2, catalogs: 2, logLevel: "info" });
    up = await cluster.up();
    client = cluster.client();
  });

  test("has its highest replica leading, and says what runs where", async () => {
    const [low, middle, high] = cluster.replicas;
    expect(await cluster.leader()).toBe(high);
    const ports = [...cluster.frontendPorts, ...cluster.catalogPorts, low, middle, high];
    for (const port of ports) expect(up.stdout).toContain(String(port));
    const roles = [
      "catalog",
      `catalog-${cluster.catalogPorts[1]}`,
      "frontend",
      `frontend-${cluster.frontendPorts[1]}`,
      `order-${low}`,
      `order-${middle}`,
      `order-${high}`,
    ];
    expect(cluster.runFiles()).toEqual(roles.map((role) => `${role}.pid`).sort());
    const status = await cluster.status();
    expect(status.leader).toBe(high);
    expect(status.processes.map(({ role }) => role).sort()).toEqual([...roles].sort());
    for (const one of status.processes) {
      expect(one).toMatchObject({ up: true, pid: cluster.pid(one.role) });
    }
  });

  test("isn't disturbed by a second up in its folder, which is refused in one line", async () => {
    const second = await cluster.run("up");
    expect(second.status).toBe(1);
    expect(lines(second.stderr)).toHaveLength(1);
    expect(await tradeInTurn(client, [BUY])).toEqual([1]);
  });

  test("lists its orders in the reference program's columns", async () => {
    await tradeInTurn(client, [{ name: "BoarCo", type: "sell", quantity: 7 }]);
    expect(lines((await cluster.run("orders", "--csv")).stdout)).toEqual([
      "transaction_number,stock_name,order_type,trade_quantity",
      "1,FishCo,buy,1",
      "2,BoarCo,sell,7",
    ]);
  });

  test("lists a stock once, and adjusts it", async () => {
    expect((await client.get("/stocks/Menhirs")).status).toBe(400);
    expect(await cluster.run("list", "Menhirs", "7.5", "20")).toMatchObject({ status: 0 });
    expect(dataOf(await client.get("/stocks/Menhirs"))).toEqual({
      name: "Menhirs",
      price: 7.5,
      quantity: 20,
    });
    expect(await cluster.run("list", "Menhirs", "8", "10")).toMatchObject({ status: 1 });
    expect(await cluster.run("adjust", "Menhirs", "--", "-5")).toMatchObject({ status: 0 });
    expect(await quantityOf(client, "Menhirs")).toBe(15);
    expect(await cluster.run("adjust", "Menhirs", "--", "-16")).toMatchObject({ status: 1 });
    expect(await quantityOf(client, "Menhirs")).toBe(15);
    expect(await cluster.run("adjust", "Menhir", "1")).toMatchObject({ status: 1 });
  });

  test("has every order of the client command, during which the leader was killed", async () => {
    const made = cluster.start(
      "client",
      "--clients=8",
      "--iterations=150",
      "--probability=0.8",
      `--url=${cluster.url}`,
    );
    await until("orders", async () => (await client.get("/orders/50")).status === 200);
    await cluster.kill(`order-${await cluster.leader()}`);
    const { status, stdout, stderr } = await made.end();
    expect(`${status} ${stderr}`).toMatch(/^0 /);
    // Two orders were there before, and the line of columns.
    const total = lines((await cluster.run("orders", "--csv")).stdout).length - 3;
    expect(stdout).toContain(`${total}/${total}`);
    expect(await cluster.verify()).toMatchObject({ ok: true, orders: total + 2 });
  });
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s stops everything, with exit status 0",
  async (signal) => {
    const cluster = await clusters.prepare();
    const up = await cluster.up();
    await tradeInTurn(cluster.client(), [BUY]);
    up.signal(signal);
    expect((await up.end()).status).toBe(0);
    await nothingLeft(cluster);
  },
);

test("npm start passes a signal on, and everything stops", async () => {
  const cluster = await clusters.prepare();
  const npm = new Running("npm", ["start", "--", ...cluster.options]);
  await cluster.open(npm);
  npm.signal("SIGTERM");
  expect((await npm.end()).status).toBe(0);
  await nothingLeft(cluster);
});

test("up killed with -9 leaves nothing running", async () => {
  const cluster = await clusters.prepare();
  const up = await cluster.up();
  up.signal("SIGKILL");
  await up.end();
  await until("nothing running", () => cluster.left().length === 0);
  // And what it left behind doesn't stop the next one.
  await cluster.up();
  expect(await tradeInTurn(cluster.client(), [BUY])).toEqual([1]);
});

test.each(["front end", "catalog", "replica"])(
  "up with a %s's port in use ends with one line that names it, and leaves nothing running",
  async (kind) => {
    const cluster = await clusters.prepare();
    const ports = {
      "front end": cluster.frontendPorts[0],
      catalog: cluster.catalogPorts[0],
      replica: cluster.replicas[0],
    } as Readonly<Record<string, number | undefined>>;
    const port = ports[kind] ?? 0;
    const server = await listening(port);
    try {
      const { status, stderr } = await cluster.run("up");
      expect(status).toBe(1);
      expect(lines(stderr)).toHaveLength(1);
      expect(stderr).toContain(String(port));
      await nothingLeft(cluster);
    } finally {
      server.close();
    }
  },
);

test("a wrong option ends with one line and exit status 1", async () => {
  const wrong = [["up", "--port=none"], ["up", "--colour"], ["open"], ["order", "no-id"]];
  const finished = await Promise.all(wrong.map((args) => runBazaar(args)));
  expect(finished.map(statusAndLines)).toEqual(wrong.map(() => "status 1, 1 line"));
});

function statusAndLines({ status, stderr }: Finished): string {
  return `status ${status}, ${lines(stderr).length} line`;
}

function lines(text: string): readonly string[] {
  return text.trimEnd().split("\n");
}

test("with --no-restart a killed role stays down, and can be started alone", async () => {
  const cluster = await clusters.prepare();
  const up = await cluster.up("--no-restart");
  const [low] = cluster.replicas;
  await cluster.kill(`order-${low}`);
  expect(await tradeInTurn(cluster.client(), [BUY])).toEqual([1]);
  expect(up.finished).toBeNull();
  expect(cluster.pid(`order-${low}`)).toBeNull();
  const alone = cluster.start("order", String(low));
  await cluster.running(`order-${low}`);
  alone.signal("SIGINT");
  expect((await alone.end()).status).toBe(0);
});

test("up that has lost every role for good says so in one line, with exit status 1", async () => {
  const cluster = await clusters.prepare();
  const up = await cluster.up("--no-restart");
  const roles = ["catalog", "frontend", ...cluster.replicas.map((id) => `order-${id}`)];
  for (const role of roles) {
    expect(up.finished).toBeNull();
    await cluster.kill(role);
  }
  const { status, stderr } = await up.end();
  const said = lines(stderr);
  expect(said.slice(0, -1).sort()).toEqual(
    roles
      .sort()
      .map((role) =>
        expect.stringContaining(`bazaar: ${role} was ended by SIGKILL; it stays down`),
      ),
  );
  expect(said.at(-1)).toBe(
    "bazaar: nothing runs any more, and nothing will be started again: stopping",
  );
  expect(status).toBe(1);
});

test("a role that can't start again isn't tried again, and the others go on", async () => {
  const cluster = await clusters.prepare();
  const up = await cluster.up();
  const [low] = cluster.replicas;
  const secret = join(cluster.data, "secret");
  chmodSync(secret, 0o644);
  await cluster.kill(`order-${low}`);
  await until("the reason", () => up.stderr.includes("chmod 600"));
  chmodSync(secret, 0o600);
  expect(lines(up.stderr)).toEqual([
    expect.stringContaining("was ended by SIGKILL; starting it again in 0.1 s"),
    expect.stringMatching(
      /order-\d+ can't start again: .*: chmod 600 .*; the others go on, start it/,
    ),
  ]);
  expect(await tradeInTurn(cluster.client(), [BUY])).toEqual([1]);
  expect(up.finished).toBeNull();
});

test("status tells by its exit status whether all is up, and names what isn't configured", async () => {
  const cluster = await clusters.prepare();
  expect(await cluster.run("status")).toMatchObject({ status: 1 }); // there is nothing to ask yet
  expect(await cluster.run("format")).toMatchObject({ status: 0 });
  expect(await cluster.run("status")).toMatchObject({ status: 3, stderr: "" });
  // Killed processes of another configuration: one whose number is somebody else's by now, this test's.
  mkdirSync(join(cluster.data, "run"), { mode: 0o700 });
  for (const [role, pid] of [
    ["order-1", process.pid],
    ["catalog-2", 4_194_305],
  ]) {
    writeFileSync(join(cluster.data, "run", `${role}.pid`), `${pid}\n`, { mode: 0o600 });
  }
  const before = await cluster.run("status");
  expect(before.status).toBe(3);
  expect(before.stdout).toMatch(/^catalog-2 +- +not configured$/m);
  expect(before.stdout).toMatch(/^order-1 +- +not configured$/m);

  await cluster.up("--no-restart");
  await until("all up", async () => (await cluster.run("status")).status === 0);
  expect(cluster.runFiles()).not.toContain("order-1.pid");
  expect(cluster.runFiles()).not.toContain("catalog-2.pid");
  const further = cluster.replicas[2] + 20;
  const alone = cluster.start("frontend", String(further));
  const pid = await cluster.running(`frontend-${further}`);
  const { stdout } = await cluster.run("status", "--json");
  expect(JSON.parse(stdout).notConfigured).toEqual([{ role: `frontend-${further}`, pid }]);
  alone.signal("SIGTERM");
  await alone.end();
  await cluster.kill(`order-${cluster.replicas[0]}`);
  expect(await cluster.run("status")).toMatchObject({ status: 3, stderr: "" });
});

test("up gives up on a role that crashes over and over, and says why", async () => {
  const cluster = await clusters.prepare();
  const up = await cluster.up();
  const [low] = cluster.replicas;
  let pid: number | null = null;
  for (let crash = 0; crash < 5; crash++) {
    await cluster.running(`order-${low}`, pid);
    pid = await cluster.kill(`order-${low}`);
  }
  const said = () => up.stdout + up.stderr;
  await until("up giving up", () =>
    new RegExp(`order-${low}.*(gives? up|given up)`, "i").test(said()),
  );
  expect(up.finished).toBeNull();
  expect(await tradeInTurn(cluster.client(), [BUY])).toEqual([1]);
});

test("roles start in any order, and say what they wait for", async () => {
  const cluster = await clusters.prepare();
  expect(await cluster.run("format")).toMatchObject({ status: 0 });
  cluster.start("frontend");
  await cluster.running("frontend");
  const client = cluster.client();
  await until("alive", async () => (await client.get("/healthz")).status === 200);
  expect((await client.get("/readyz")).status).toBe(503);
  expect(await client.get("/get_order_leader")).toMatchObject({ status: 503 });
  const [low, middle, high] = cluster.replicas;
  await cluster.logged("frontend", /^No order service leader found yet - /);
  cluster.start("order", String(low));
  cluster.start("catalog");
  const others = `${middle} down, ${high} down`;
  await cluster.logged("catalog", `Waiting for an order leader - ${low} up, ${others}`);
  await cluster.logged(`order-${low}`, `Waiting for an order leader - ${others}`);
  cluster.start("order", String(middle));
  await cluster.open();
  expect(await tradeInTurn(client, [BUY])).toEqual([1]);
});

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
