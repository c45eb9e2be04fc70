// A client's trace through every process that its request reaches: found in
// their logs by its id, each span the child of the one that caused it.

import { beforeEach, expect, test } from "vitest";
import type { Cluster } from "./harness/cluster.ts";
import { useClusters } from "./harness/lifetime.ts";
import { type LogLine, readLog } from "./harness/logs.ts";
import { RpcClient } from "./harness/rpc.ts";
import { until } from "./harness/wait.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const TRACE = `00-${ID}-${PARENT}-01`;
const TRADE = { name: "FishCo", type: "buy", quantity: 2 } as const;

const clusters = useClusters("test");
let cluster: Cluster;

beforeEach(async () => {
  cluster = await clusters.up();
});

/** Lines of a role's log that are of the trace. */
function lines(role: string): readonly LogLine[] {
  return readLog(cluster.data, role).filter(({ traceId }) => traceId === ID);
}

/** Waits for the line of the trace that matches, and tells its span. */
async function span(role: string, message: RegExp): Promise<{ id: unknown; parent: unknown }> {
  const line = await until(`${role} logging ${message} in the trace`, () =>
    lines(role).find(({ msg }) => message.test(msg)),
  );
  return { id: line.spanId, parent: line.parentId };
}

function post(headers: Record<string, string>): Promise<Response> {
  const body = JSON.stringify(TRADE);
  return fetch(`${cluster.url}/orders`, { method: "POST", headers, body });
}

test("a process that a trade passes through has it in no trace, or under no parent", async () => {
  const leader = await cluster.leader();
  expect((await post({ traceparent: TRACE })).status).toBe(200);

  const frontend = await span("frontend", /^Received POST request/);
  expect(frontend.parent).toBe(PARENT);
  for (const message of [/^data - /, /^Received trade response - 200/, /^Finished POST/]) {
    expect((await span("frontend", message)).id).toBe(frontend.id);
  }
  const led = await span(`order-${leader}`, /^Asked$/);
  expect(led.parent).toBe(frontend.id);
  expect((await span(`order-${leader}`, /^Executing buy trade/)).id).toBe(led.id);
  for (const follower of cluster.replicas.filter((id) => id !== leader)) {
    expect((await span(`order-${follower}`, /^Writing trade data/)).parent).toBe(led.id);
  }
  expect((await span("catalog", /^Received entry/)).parent).toBe(led.id);
});

test("a replica that passes a trade on to the leader breaks the trace", async () => {
  const leader = await cluster.leader();
  const [relay = 0, other = 0] = cluster.replicas.filter((id) => id !== leader);
  using client = RpcClient.toReplica(cluster, relay);
  const { ask } = await client.calls();
  const content = { kind: "trade", ...TRADE } as const;
  const asked = { kind: "request", requestId: "relayed", content, recordRefusal: true } as const;
  const result = await ask({ relayed: false, questions: [{ ...asked, trace: TRACE }] });
  expect(result).toMatchObject({ kind: "answers" });

  const passed = await span(`order-${relay}`, /^Passing on to/);
  expect(passed.parent).toBe(PARENT);
  const led = await span(`order-${leader}`, /^Asked$/);
  expect(led.parent).toBe(passed.id);
  expect((await span(`order-${other}`, /^Writing trade data/)).parent).toBe(led.id);
  expect((await span(`order-${relay}`, /^Writing trade data/)).parent).toBe(led.id);
});

test("a lookup that the cache can't answer, or an update, leaves the trace at the catalog", async () => {
  await fetch(`${cluster.url}/stocks/BoarCo`, { headers: { traceparent: TRACE } });
  const lookup = await span("frontend", /^Received GET request/);
  expect((await span("catalog", /^Asked for a stock$/)).parent).toBe(lookup.id);

  using client = RpcClient.toCatalog(cluster);
  const { update } = await client.calls();
  await update({ name: "FishCo", by: 1, requestId: "u", trace: TRACE });
  const updated = await span("catalog", /^Asked for an update$/);
  expect(updated.parent).toBe(PARENT);
  expect((await span(`order-${await cluster.leader()}`, /^Asked$/)).parent).toBe(updated.id);
});

test("a trace that can't be read costs the trade, or is made up", async () => {
  for (const traceparent of ["", "00-1-2-3", `00-${"0".repeat(32)}-${PARENT}-01`, `${TRACE}-x`]) {
    expect((await post({ traceparent })).status).toBe(200);
  }
  await cluster.logged("frontend", /^Received trade response - 200.*":4}}$/);
  for (const { role } of (await cluster.status()).processes) {
    expect(readLog(cluster.data, role).filter((line) => "traceId" in line)).toEqual([]);
  }
});
