// A made-up cluster: whom it is told to kill, and what is made of it.

import { expect, test } from "vitest";
import { countingFetch, failOver } from "./fail-over.ts";
import { replicaFile } from "./test-evaluation.ts";

/** Three replicas of which the highest that is up leads; random() draws `draws`, then 0.5. */
async function run(kills: number, drawn: number) {
  const told: string[] = [];
  const up = new Set([1, 2, 3]);
  const orders: { name: string; type: "buy" | "sell"; quantity: number }[] = [];
  const result = await failOver({
    cluster: {
      replicas: [1, 2, 3],
      level: async () => Math.max(...up),
      kill: async (replica) => {
        told.push(`kill ${replica}`);
        up.delete(replica);
      },
      restart: (replica) => {
        told.push(`restart ${replica}`);
        up.add(replica);
      },
      verify: async () => {
        told.push(`verify ${up.size}`);
        return { ok: false, position: 4, orders: 3, differences: ["order-2 has other orders"] };
      },
      stoppedFiles: async (position) => {
        told.push(`stop, read at ${position}`);
        up.clear();
        return [1, 2, 3].map((id) => replicaFile(id));
      },
    },
    bazaar: {
      lookup: async (name) => ({ name, price: 1, quantity: 1 }),
      trade: async (trade) => ({ number: orders.push(trade) }),
      order: async (number) => {
        const order = orders[number - 1];
        if (!order) throw new RangeError("no such order");
        return { number, ...order };
      },
    },
    repeated: () => 7,
    names: ["FishCo"],
    clients: 2,
    kills,
    random: () => drawn,
    now: () => performance.now(),
    onProgress: () => {},
  });
  return { told, result };
}

test("an evaluation whose dice spare the leader tells nothing of fail-over", async () => {
  const { told, result } = await run(2, 0);
  expect(told).toEqual([
    "kill 3",
    "restart 3",
    "kill 1",
    "restart 1",
    "verify 3",
    "stop, read at 4",
  ]);
  expect(result.kills.map(({ replica, led }) => [replica, led])).toEqual([
    [3, true],
    [1, false],
  ]);
  expect(result).toMatchObject({ clients: 2, failures: 0, repeated: 7 });
  expect(result.total).toBeGreaterThan(0);
  expect(result.matched).toBe(result.total);
  expect(result.verdict.differences).toEqual(["order-2 has other orders"]);
});

test("attempts that were repeated are told, answers are not", async () => {
  let repeated = 0;
  const statuses = [200, 404, 503, 429];
  const counting = countingFetch(
    async () => {
      const status = statuses.shift();
      if (status === undefined) throw new TypeError("refused");
      return new Response(null, { status });
    },
    () => {
      repeated += 1;
    },
  );
  for (const _ of [1, 2, 3, 4]) await counting("http://here");
  await expect(counting("http://here")).rejects.toThrow("refused");
  expect(repeated).toBe(3);
});
