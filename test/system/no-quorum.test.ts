// Two of three replicas gone: what only a quorum can answer is refused after the
// time that was promised, in a way that lets a client do the right thing next.

import { expect, test } from "vitest";
import { type Call, numberOf } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf } from "./harness/load.ts";

const clusters = useClusters("test");

/** The bazaar waits ten seconds for a leader; clocks of timers may differ a little. */
const WAITED_MIN_MS = 9_500;
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

test("without a quorum calls are refused after the promised wait, with a key under which a trade is made once", async () => {
  const cluster = await clusters.prepare({ logLevel: "info", stocks: [["FishCo", 12.5, 100]] });
  await cluster.up("--no-restart");
  const [low, , high] = cluster.replicas;
  const roles = [`order-${low}`, `order-${high}`];
  await cluster.signalAll(roles, "SIGKILL");
  // Until its lease has run out, the catalog may answer by itself.
  const catalog = await cluster.catalog();
  await until(
    "the catalog without a lease",
    async () => (await catalog.status({})).leased === false,
  );

  const key = { "Idempotency-Key": "one trade" };
  const calls = await Promise.all([
    cluster.client().trade(BUY),
    cluster.client().trade(BUY, key),
    cluster.client().get("/orders/1"),
    cluster.client().get("/stocks/FishCo"),
  ]);
  for (const call of calls) {
    expect(call).toMatchObject({ status: 503, answered: { "retry-after": "1" } });
    expect(call.text).toMatch(/^\{"error":\{"code":503,"message":"No order leader .*"\}\}$/);
    expect(call.endMs - call.startMs).toBeGreaterThan(WAITED_MIN_MS);
  }
  const keyOf = ({ answered }: Call) => answered["idempotency-key"];
  const [without, given] = calls;
  expect(keyOf(given)).toBe("one trade");

  // With the keys they were answered under, the trades are made once, whatever became of them.
  cluster.start("order", String(low));
  await cluster.open();
  const client = cluster.client();
  const again = [{ "Idempotency-Key": String(keyOf(without)) }, key, key];
  const numbers: number[] = [];
  for (const each of again) numbers.push(numberOf(await client.trade(BUY, each)));
  expect(new Set(numbers)).toEqual(new Set([1, 2]));
  expect(numbers[1]).toBe(numbers[2]);
  expect(await quantityOf(client, "FishCo")).toBe(98);
});
