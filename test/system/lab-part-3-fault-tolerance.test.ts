// The document's "Part 3: Fault Tolerance": the leader crashes, in the middle
// of a trade or between two; and comes back.

import { beforeEach, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type HttpClient, numberOf } from "../../lab/http.ts";
import { findInOrder } from "../../lab/logs.ts";
import { until } from "../../lab/wait.ts";
import { isLabLine, labLog } from "./harness/lab-document.ts";
import { useClusters } from "./harness/lifetime.ts";
import { allOrders, quantityOf, type Trade, times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");
let cluster: Cluster;
let client: HttpClient;

const SELL: Trade = { name: "FishCo", type: "sell", quantity: 10 };
const MENHIR: Trade = { name: "MenhirCo", type: "buy", quantity: 1 };
const BOAR: Trade = { name: "BoarCo", type: "buy", quantity: 1 };

beforeEach(async () => {
  cluster = await clusters.prepare();
  await cluster.up("--no-restart");
  client = cluster.client();
});

describe("case 1: the leader crashes", () => {
  test("with the trade in flight, the next replica takes it over", async () => {
    const [, middle, high] = cluster.replicas;
    await tradeInTurn(client, times(27, MENHIR));
    await quantityOf(client, "FishCo"); // a cache that nobody reads isn't told what changes
    const before = cluster.log("frontend").length;
    // Stopped, it holds the trade that arrives until the crash comes.
    await cluster.signal(`order-${high}`, "SIGSTOP");
    const answer = client.trade(SELL);
    await cluster.logged("frontend", "Calling trade service", before);
    await cluster.kill(`order-${high}`);

    expect((await answer).text).toBe('{"data":{"transaction_number":28}}');
    expect(await cluster.leader()).toBe(middle);
    expect(await quantityOf(client, "FishCo")).toBe(610);
    expect(await allOrders(client)).toHaveLength(28);
    const block = labLog("part-3-case-1-frontend", cluster);
    findInOrder(block, cluster.log("frontend").slice(before), isLabLine);
  });

  test("with no trade in flight, the same trade succeeds", async () => {
    const [, middle, high] = cluster.replicas;
    await tradeInTurn(client, times(27, MENHIR));
    await cluster.kill(`order-${high}`);
    expect(numberOf(await client.trade(SELL))).toBe(28);
    expect(await cluster.leader()).toBe(middle);
    expect(await quantityOf(client, "FishCo")).toBe(610);
  });
});

test("case 2: the crashed leader returns, syncs, has no order twice, and follows", async () => {
  const [, middle, high] = cluster.replicas;
  await tradeInTurn(client, times(14, MENHIR));
  await until("14 orders at 9094", () =>
    cluster.log(`order-${high}`).some((line) => line.includes('"transaction_number":14')),
  );
  await cluster.kill(`order-${high}`);
  await tradeInTurn(client, times(16, MENHIR));

  const before = cluster.log(`order-${high}`).length;
  cluster.start("order", String(high));
  await cluster.logged(`order-${high}`, "Order service ready", before);
  const numbers = await tradeInTurn(client, [MENHIR, MENHIR, BOAR, MENHIR, MENHIR]);
  expect(numbers).toEqual([31, 32, 33, 34, 35]);

  const expected = labLog("part-3-case-2-order-9094", cluster);
  await until("the returned replica's log", () => {
    findInOrder(expected, cluster.log(`order-${high}`).slice(before), isLabLine);
    return true;
  });
  expect(await cluster.leader()).toBe(middle);
  expect((await allOrders(client)).map(({ number }) => number)).toEqual(
    Array.from({ length: 35 }, (_, index) => index + 1),
  );
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: 35, differences: [] });
});
