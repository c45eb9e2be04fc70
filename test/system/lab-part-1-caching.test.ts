// The document's "Part 1: Caching": the log of the front end while a stock is
// looked up twice, traded, and looked up twice again.

import { expect, test } from "vitest";
import { findInOrder } from "../../lab/logs.ts";
import { until } from "../../lab/wait.ts";
import { isLabLine, labLog } from "./harness/lab-document.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf, times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");

test("a lookup misses and fills, the next hits; a trade drops the stock before its answer", async () => {
  const cluster = await clusters.prepare({
    stocks: [
      ["FishCo", 17.99, 518],
      ["BoarCo", 28.59, 1102],
    ],
  });
  await cluster.startWithout(cluster.replicas[2]);
  const client = cluster.client();
  // Copies are kept from the first lease on, a moment after the start; seen by another stock.
  await until("a hit", async () => {
    await quantityOf(client, "BoarCo");
    return cluster.log("frontend").includes("Getting cache response");
  });

  expect(await quantityOf(client, "FishCo")).toBe(518);
  expect(await quantityOf(client, "FishCo")).toBe(518);
  findInOrder(labLog("part-1-miss-fill-hit", cluster), cluster.log("frontend"), isLabLine);

  // The document's trade is order 8.
  await tradeInTurn(client, times(7, { name: "BoarCo", type: "buy", quantity: 1 }));
  const before = cluster.log("frontend").length;
  const [number] = await tradeInTurn(client, [{ name: "FishCo", type: "sell", quantity: 10 }]);
  expect(number).toBe(8);
  expect(await quantityOf(client, "FishCo")).toBe(528);
  expect(await quantityOf(client, "FishCo")).toBe(528);
  const block = labLog("part-1-trade-miss-fill-hit", cluster);
  findInOrder(block, cluster.log("frontend").slice(before), isLabLine);
});
