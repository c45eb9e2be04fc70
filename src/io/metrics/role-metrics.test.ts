import { expect, test } from "vitest";
import { RoleMetrics } from "./role-metrics.ts";

async function lines(metrics: RoleMetrics, name: string): Promise<readonly string[]> {
  const { text } = await metrics.scrape();
  return text.split("\n").filter((line) => line.startsWith(name));
}

test("a value is read at each scrape", async () => {
  const metrics = new RoleMetrics("order-9094");
  let commit = 7;
  let changes = 2;
  metrics.gauge("bazaar_commit_position", "Help.", () => commit);
  metrics.total("bazaar_leader_changes_total", "Help.", () => changes);
  expect((await lines(metrics, "bazaar_")).filter((line) => !line.includes("event_loop"))).toEqual([
    'bazaar_commit_position{role="order-9094"} 7',
    'bazaar_leader_changes_total{role="order-9094"} 2',
  ]);
  commit = 9;
  changes = 3;
  expect((await lines(metrics, "bazaar_")).filter((line) => !line.includes("event_loop"))).toEqual([
    'bazaar_commit_position{role="order-9094"} 9',
    'bazaar_leader_changes_total{role="order-9094"} 3',
  ]);
});

test("a total that isn't known is left out", async () => {
  const metrics = new RoleMetrics("frontend");
  metrics.totals("bazaar_cache_lookups_total", "Help.", "result", () => ({ hit: 3, miss: null }));
  expect(await lines(metrics, "bazaar_cache_lookups_total")).toEqual([
    'bazaar_cache_lookups_total{result="hit",role="frontend"} 3',
  ]);
});

test("observations are counted under their labels", async () => {
  const metrics = new RoleMetrics("frontend");
  const by = metrics.histogramBy("bazaar_request_duration_seconds", "Help.", ["route"]);
  by({ route: "/orders" }).observe(0.003);
  by({ route: "/orders" }).observe(0.3);
  by({ route: "/stocks" }).observe(0.0001);
  const sums = (await lines(metrics, "bazaar_request_duration_seconds_count")).toSorted();
  expect(sums).toEqual([
    'bazaar_request_duration_seconds_count{route="/orders",role="frontend"} 2',
    'bazaar_request_duration_seconds_count{route="/stocks",role="frontend"} 1',
  ]);
});

test("a histogram tells how many were within each bound, itself included, their sum and their number", async () => {
  const metrics = new RoleMetrics("frontend");
  const histogram = metrics.histogram("bazaar_batch_size", 'How much "at" once.', [1, 2, 4]);
  for (const value of [0.5, 1, 1.5, 4, 4.5, 9]) histogram.observe(value);
  const { text } = await metrics.scrape();
  const told = text.split("\n").filter((line) => line.includes("bazaar_batch_size"));
  expect(told).toEqual([
    '# HELP bazaar_batch_size How much "at" once.',
    "# TYPE bazaar_batch_size histogram",
    'bazaar_batch_size_bucket{le="1",role="frontend"} 2',
    'bazaar_batch_size_bucket{le="2",role="frontend"} 3',
    'bazaar_batch_size_bucket{le="4",role="frontend"} 4',
    'bazaar_batch_size_bucket{le="+Inf",role="frontend"} 6',
    'bazaar_batch_size_sum{role="frontend"} 20.5',
    'bazaar_batch_size_count{role="frontend"} 6',
  ]);
});

test("a process that nobody asks anything isn't woken to sample its event loop", async () => {
  const metrics = new RoleMetrics("catalog");
  const { text } = await metrics.scrape();
  expect(text).not.toMatch(/eventloop_lag_(min|max|mean|stddev|p\d+)_seconds/);
  expect(
    Number((await lines(metrics, "bazaar_event_loop_active"))[0]?.split(" ")[1]),
  ).toBeGreaterThan(0);
});

test("what was sent is told where the process counts it", async () => {
  const metrics = new RoleMetrics("catalog", { messages: 7, frames: 3 });
  expect(await lines(metrics, "bazaar_messages_sent_total")).toEqual([
    'bazaar_messages_sent_total{role="catalog"} 7',
  ]);
  expect(await lines(metrics, "bazaar_frames_sent_total")).toEqual([
    'bazaar_frames_sent_total{role="catalog"} 3',
  ]);
});
