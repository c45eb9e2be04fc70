// GET /events on a real cluster, as a program reads it.

import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { tradeInTurn } from "../system/harness/load.ts";
import { type EventReader, readEvents } from "./harness/events.ts";

const clusters = useClusters("file");
let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusters.up({ logLevel: "info" });
});

/** Numbers of the orders that were told, in order. */
function numbers(reader: EventReader, kind?: string): number[] {
  return reader.messages
    .filter(({ event }) => kind === undefined || event === kind)
    .flatMap(({ data }) => JSON.parse(data).orders?.rows ?? [])
    .map(({ number }: { number: number }) => number);
}

const buy = { name: "FishCo", type: "buy", quantity: 1 } as const;

test("a reader that resumes gets what happened meanwhile, once", async () => {
  const client = cluster.client();
  const first = await readEvents(cluster.url);
  const [one = 0] = await tradeInTurn(client, [buy]);
  await until("the first order told", () => numbers(first).includes(one));
  const lastId = first.messages.at(-1)?.id ?? "";
  first.close();
  const [two = 0] = await tradeInTurn(client, [buy]);
  const watcher = await readEvents(cluster.url);
  await until("the second order told", () => numbers(watcher).includes(two));

  const again = await readEvents(cluster.url, { "last-event-id": lastId });
  await until("the second order told on", () => numbers(again).includes(two));
  expect(again.messages[0]?.event).toBe("change");
  expect(numbers(again)).not.toContain(one);
  expect(numbers(again).filter((number) => number === two)).toEqual([two]);
  watcher.close();
  again.close();
});

test("a reader that resumes from a process that is gone gets a whole picture", async () => {
  const first = await readEvents(cluster.url);
  await until("a message", () => first.messages.length > 0);
  const lastId = first.messages.at(-1)?.id ?? "";
  const before = await cluster.kill("frontend");
  await until("the end", () => first.ended);
  await cluster.running("frontend", before);
  await cluster.open();
  const again = await readEvents(cluster.url, { "last-event-id": lastId });
  await until("a message", () => again.messages.length > 0);
  expect(again.messages[0]?.event).toBe("state");
  again.close();
});

test("readers keep a front end from stopping", async () => {
  const plain = await clusters.prepare({ logLevel: "info" });
  const up = await plain.up();
  const reader = await readEvents(plain.url);
  await until("a message", () => reader.messages.length > 0);
  const started = performance.now();
  up.signal("SIGTERM");
  await until("the end of the reader", () => reader.ended);
  await until("the end of everything", () => plain.left().length === 0);
  expect(performance.now() - started).toBeLessThan(4_000);
});
