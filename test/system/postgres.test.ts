// A whole bazaar whose log is in PostgreSQL: order processes and the primary are
// killed under load, and clients notice a wait, nothing else.

import { expect, onTestFinished, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { LabPostgres } from "../../lab/postgres.ts";
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
  const builtin = unsafe.options.filter((option) => !option.startsWith("--engine"));
  const other = await clusters.prepare();
  const role = ["order", `${unsafe.replicas[0]}`] as const;
  const { runBazaar } = await import("../../lab/process.ts");
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
