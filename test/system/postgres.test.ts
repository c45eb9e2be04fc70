// A whole bazaar whose log is in PostgreSQL: order processes and the primary are
// killed under load, and clients notice a wait, nothing else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { LabPostgres } from "../../lab/postgres.ts";
import { ROOT, runBazaar } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { allOrders, failed, Load, movements, promised, quantityOf } from "./harness/load.ts";

const clusters = useClusters("test");
const LISTED = 100_000;
const TRADES_BETWEEN = 100;
/** Until a primary was killed, another promoted by a script, found, and led on: on a busy machine. */
const LIMIT_MS = 60_000;

async function servers(standbys?: number): Promise<LabPostgres> {
  const postgres = await LabPostgres.start(standbys === undefined ? {} : { standbys });
  onTestFinished(() => postgres.stop());
  return postgres;
}

function loaded(cluster: Cluster): Load {
  const clients = Array.from({ length: 8 }, () => cluster.client());
  return new Load(
    clients.slice(0, 6),
    (_, nth) => ({ name: "FishCo", type: nth % 3 === 0 ? "sell" : "buy", quantity: 1 }),
    clients.slice(6),
  );
}

function more(load: Load): Promise<true> {
  const trades = load.accepted + TRADES_BETWEEN;
  return until(`${trades} trades`, () => load.accepted >= trades, LIMIT_MS);
}

test("order processes and the primary are killed under load, and no answered order is lost or there twice", async () => {
  const postgres = await servers();
  const cluster = await clusters.prepare({
    logLevel: "info",
    stocks: [["FishCo", 12.5, LISTED]],
    options: [`--engine=${postgres.url}`],
  });
  await cluster.up();
  const load = loaded(cluster);
  await more(load);
  const [, , high] = cluster.replicas;
  await cluster.kill(`order-${high}`);
  await more(load);
  await postgres.server(0).kill();
  await postgres.failOver();
  await more(load);
  const seen = await load.stop();
  expect(failed(seen)).toEqual([]);
  const orders = await allOrders(cluster.client());
  expect(orders.map(({ number }) => number)).toEqual(orders.map((_, index) => index + 1));
  const told = promised(seen.traded);
  expect(orders).toEqual(told); // nobody else traded, and no call was given up
  const quantity = LISTED + (movements(orders).get("FishCo") ?? 0);
  expect(await quantityOf(cluster.client(), "FishCo")).toBe(quantity);
  expect(await cluster.verify()).toMatchObject({ ok: true });
  // For SQL: the same orders, once each, through two leaders and two primaries.
  const primary = postgres.server(postgres.primary);
  const rows = "SELECT number::int, name, type, quantity::int FROM bazaar.orders ORDER BY number";
  await until("all orders are rows", async () => (await primary.ask(rows)).length >= orders.length);
  expect(await primary.ask(rows)).toEqual(orders);
  expect(await primary.ask("SELECT name, price, quantity::int FROM bazaar.stocks")).toEqual([
    { name: "FishCo", price: 12.5, quantity },
  ]);
  const position =
    "SELECT v.position = l.last AS all FROM bazaar.views v JOIN bazaar.logs l USING (log)";
  await until("the position of all", async () => (await primary.ask(position))[0]?.all);
});

test("with the rights that the documentation grants a bazaar runs, and can't delete from its log", async () => {
  const postgres = await servers(0);
  const engines = readFileSync(join(ROOT, "docs/engines.md"), "utf8");
  const [create = "", grant = "", query = "", reset = ""] = [
    ...engines.matchAll(/^```sql\n(.*?)^```/gms),
  ].map(([, sql = ""]) => sql);
  const admin = postgres.server(0);
  for (const line of create.trim().split("\n")) await admin.ask(line);
  const trades = postgres.url.replace(/[^/]*$/, "trades");
  const cluster = await clusters.prepare({
    stocks: [["FishCo", 12.5, LISTED]],
    options: [`--engine=${trades.replace("postgres@", "bazaar@")}`, "--accept-loss=yes"],
  });
  expect(await cluster.run("format", `--engine=${trades}`)).toMatchObject({ status: 0 });
  await admin.ask(grant, "trades");
  await cluster.up();
  const client = cluster.client();
  expect((await client.trade({ name: "FishCo", type: "buy", quantity: 3 })).status).toBe(200);
  const found = () => admin.ask(query, "trades");
  await until("the order in the documented query", async () => (await found()).length > 0);
  expect(await found()).toEqual([expect.objectContaining({ name: "FishCo" })]);
  for (const table of ["entries", "logs", "orders"]) {
    await expect(
      admin.ask(`SET ROLE bazaar; DELETE FROM bazaar.${table}`, "trades"),
    ).rejects.toThrow(/permission denied/);
  }
  const warned = () =>
    cluster.replicas.flatMap((id) =>
      cluster.log(`order-${id}`).filter((line) => /may DELETE/.test(line)),
    );
  expect(warned()).toEqual([]);
  await admin.ask(reset, "trades");
  expect((await client.trade({ name: "FishCo", type: "buy", quantity: 4 })).status).toBe(200);
  const again = async () => (await found()).some(({ bought }) => Number(bought) === 7);
  await until("both orders, made anew", again);
  expect(await found()).toEqual([expect.objectContaining({ quantity_left: `${LISTED - 7}` })]);
  // One order process suffices.
  const others = cluster.replicas.slice(1).map((id) => `order-${id}`);
  await cluster.signalAll(others, "SIGSTOP");
  expect((await client.trade({ name: "FishCo", type: "buy", quantity: 1 })).status).toBe(200);
  await cluster.signalAll(others, "SIGCONT");
  // With more rights than it needs, it says so.
  await admin.ask("GRANT DELETE ON bazaar.entries TO bazaar", "trades");
  await cluster.kill(`order-${cluster.replicas[0]}`);
  await until("a warning", () => warned().length > 0);
});

test("a database to try it with is started and stopped by up, also when up is killed, and keeps its orders", async () => {
  const cluster = await clusters.prepare({ options: ["--engine=postgres"] });
  const first = await cluster.up();
  expect(first.stdout).toContain("PostgreSQL to try it with");
  expect(first.stdout).not.toMatch(/production/i);
  const buy = { name: "FishCo", type: "buy", quantity: 1 } as const;
  expect((await cluster.client().trade(buy)).status).toBe(200);
  const server = Number.parseInt(
    readFileSync(join(cluster.data, "postgres/pg1/postmaster.pid"), "utf8"),
    10,
  );
  process.kill(server, "SIGKILL");
  await until("the primary started again", () =>
    /pg1 ended .*; starting it again/.test(first.stderr),
  );
  expect((await cluster.client().trade(buy)).status).toBe(200);
  first.signal("SIGKILL");
  await first.end();
  await until("everything ended", () => cluster.left().length === 0, LIMIT_MS);
  const second = await cluster.up();
  expect((await allOrders(cluster.client())).length).toBe(2);
  second.signal("SIGTERM");
  expect(await second.end()).toMatchObject({ status: 0, stderr: "" });
  expect(cluster.left()).toEqual([]);
  const elsewhere = await clusters.prepare();
  expect(await elsewhere.run("format")).toMatchObject({ status: 0 });
  const mixed = await elsewhere.run("up", "--engine=postgres");
  expect(mixed.stderr).toMatch(/holds a cluster of another engine/);
  expect(mixed.status).toBe(1);
});

test("what doesn't go together is refused in one line: an engine that loses trades, or of other files", async () => {
  const postgres = await servers(0);
  const unsafe = await clusters.prepare({ options: [`--engine=${postgres.url}`] });
  const refused = await unsafe.run("up");
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.stderr.trim().split("\n")).toEqual([
    expect.stringMatching(/synchronous_standby_names is empty: .* or give --accept-loss/),
  ]);
  const made = await unsafe.run("format", "--accept-loss=yes");
  expect(made).toMatchObject({ status: 0 });
  const fewer = unsafe.replicas.slice(1).join(",");
  const alone = await unsafe.run(
    "order",
    `${unsafe.replicas[1]}`,
    `--replicas=${fewer}`,
    "--accept-loss=yes",
  );
  expect(alone.stderr).toMatch(/belongs to a cluster of the replicas .*: give it --replicas/);
  expect(alone.status).toBe(1);
  const builtin = unsafe.options.filter((option) => !option.startsWith("--engine"));
  const other = await clusters.prepare();
  const role = ["order", `${unsafe.replicas[0]}`] as const;
  const mixed = await runBazaar([...role, ...builtin]);
  expect(mixed.status).not.toBe(0);
  expect(mixed.stdout + mixed.stderr).toMatch(/is of the engine postgres: give --engine postgres/);
  expect((await other.run("format")).status).toBe(0);
  const swapped = await runBazaar([
    "order",
    `${other.replicas[0]}`,
    ...other.options,
    `--engine=${postgres.url}`,
    "--accept-loss=yes",
  ]);
  expect(swapped.stdout + swapped.stderr).toMatch(/is of the engine builtin: leave --engine out/);
});
