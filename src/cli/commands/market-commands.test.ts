// `list`, `adjust` and `orders` against a made-up leader on a real port.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Answer, orderContract, type Question } from "../../roles/contract.ts";
import { UserError } from "../user-error.ts";
import { adjustCommand } from "./adjust.ts";
import { listCommand } from "./list.ts";
import { ordersCommand } from "./orders.ts";
import { Bench } from "./testing.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let bench: Bench;
let asked: Question[];
beforeEach(() => {
  bench = new Bench();
  asked = [];
});
afterEach(() => bench.close());

/** A leader that answers with `answer`; the option that names it. */
async function leader(answer: (question: Question) => Answer): Promise<string> {
  const port = await bench.serve(
    { ask: orderContract.ask },
    {
      ask: ({ questions }) => {
        asked.push(...questions);
        return { kind: "answers" as const, answers: questions.map(answer) };
      },
    },
  );
  return `--replicas=${port}`;
}

test("list lists what was typed, and says that it is done", async () => {
  const replicas = await leader(() => ({ kind: "outcome", outcome: { kind: "listed" } }));
  const { stdout, status } = await bench.run(listCommand(), "Fish", "7.5", "20", replicas);
  expect(status).toBe(0);
  expect(stdout).toBe("Fish is listed: 20 at 7.5\n");
  expect(asked).toMatchObject([
    { content: { kind: "list", name: "Fish", price: 7.5, quantity: 20 } },
  ]);
});

test("adjust takes a negative number", async () => {
  const stock = { name: "Fish", price: 1, quantity: 15 };
  const replicas = await leader((question) =>
    question.kind === "lookup"
      ? { kind: "stock", stock, position: 9 }
      : { kind: "outcome", outcome: { kind: "adjusted" } },
  );
  const { stdout } = await bench.run(adjustCommand(), "Fish", "-5", replicas);
  expect(stdout).toBe("Fish is adjusted by -5: 15 now\n");
  expect(asked[0]).toMatchObject({ content: { kind: "adjust", name: "Fish", by: -5 } });
});

test("a refusal ends the command with an error that names it", async () => {
  const refusal = { kind: "stock-exists", name: "Fish" } as const;
  const replicas = await leader(() => ({ kind: "outcome", outcome: { kind: "refused", refusal } }));
  const run = bench.run(listCommand(), "Fish", "7.5", "20", replicas);
  await expect(run).rejects.toThrow(UserError);
  await expect(run).rejects.toThrow("Fish is listed already");
});

test("orders are printed to their end, page by page, each once", async () => {
  const order = (number: number) => ({ number, name: "Fish", type: "buy" as const, quantity: 2 });
  const replicas = await leader((question) => {
    const after = question.kind === "orders" ? question.after : -1;
    return after === 0
      ? { kind: "orders", orders: [order(1), order(2)], next: 2 }
      : { kind: "orders", orders: [order(3)], next: null };
  });
  const { stdout } = await bench.run(ordersCommand(), "--csv", replicas);
  expect(stdout).toBe(
    "transaction_number,stock_name,order_type,trade_quantity\n1,Fish,buy,2\n2,Fish,buy,2\n3,Fish,buy,2\n",
  );
  expect(asked).toEqual([
    { kind: "orders", after: 0, limit: 1_000, owned: false },
    { kind: "orders", after: 2, limit: 1_000, owned: false },
  ]);
  const table = await bench.run(ordersCommand(), replicas);
  expect(table.stdout.split("\n")[1]).toMatch(/^1 +Fish +buy +2$/);
});
