// A client's trace: in the log of the front end that took its request, and of
// whomever that asked, with the request id that every process logs of a change.

import { beforeEach, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type LogLine, readLog } from "../../lab/logs.ts";
import { until } from "../../lab/wait.ts";
import { requestIdOf } from "../../src/core/market/keys.ts";
import { useClusters } from "./harness/lifetime.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const KEY = "traced-1";
const TRADE = { name: "FishCo", type: "buy", quantity: 2 } as const;

const clusters = useClusters("test");
let cluster: Cluster;

beforeEach(async () => {
  cluster = await clusters.up();
});

/** Waits until a role has logged such a line. */
function logged(role: string, what: string, isIt: (line: LogLine) => boolean): Promise<LogLine> {
  return until(`${role} logging ${what}`, () => readLog(cluster.data, role).find(isIt));
}

/** Waits until a role has logged that this request is part of the trace. */
function traced(role: string, request: string): Promise<LogLine> {
  return logged(
    role,
    `${request} as part of the trace`,
    ({ traceparent, request: asked }) => traceparent === TRACE && asked === request,
  );
}

function post(headers: Record<string, string>): Promise<Response> {
  const body = JSON.stringify(TRADE);
  const sent = { ...cluster.authorization, ...headers };
  return fetch(`${cluster.url}/orders`, { method: "POST", headers: sent, body });
}

test("the front end and the leader log a trade's trace with its request id, and every process what belongs to that", async () => {
  const leader = await cluster.leader();
  // Under a key of the bazaar its name is part of it.
  const request = requestIdOf(cluster.isSecured ? "lab" : null, KEY);
  expect((await post({ traceparent: TRACE, "idempotency-key": KEY })).status).toBe(200);
  await traced("frontend", request);
  await traced(`order-${leader}`, request);
  const lines: readonly [role: string, message: RegExp][] = [
    ["frontend", /^data - /],
    ["frontend", /^Received trade response - 200/],
    [`order-${leader}`, /^Received trade request/],
    [`order-${leader}`, /^Executing buy trade/],
    ...cluster.replicas
      .filter((id) => id !== leader)
      .map((id): [string, RegExp] => [`order-${id}`, /^Writing trade data/]),
  ];
  for (const [role, message] of lines) {
    await logged(
      role,
      `${message} with ${request}`,
      ({ msg, requestId }) => message.test(msg) && requestId === request,
    );
  }
  await logged(
    "catalog",
    `the entry with ${request}`,
    ({ msg, requestIds }) =>
      msg === "Received entry" && Array.isArray(requestIds) && requestIds.includes(request),
  );
});

test("the catalog logs the trace of a lookup that the cache can't answer, and of a list", async () => {
  const headers = { traceparent: TRACE, ...cluster.authorization };
  for (const path of ["/stocks/BoarCo", "/stocks"]) {
    expect((await fetch(`${cluster.url}${path}`, { headers })).status).toBe(200);
    await traced("frontend", path);
    await traced("catalog", path);
  }
});

test("a trace that can't be read costs no trade, and none is made up", async () => {
  const [id, parent] = TRACE.split("-").slice(1);
  for (const traceparent of ["", "00-1-2-3", `00-${"0".repeat(32)}-${parent}-01`, `${TRACE}-x`]) {
    expect((await post({ traceparent })).status).toBe(200);
  }
  await cluster.logged("frontend", /^Received trade response - 200.*":4}}$/);
  for (const { role } of (await cluster.status()).processes) {
    const lines = readLog(cluster.data, role).map((line) => JSON.stringify(line));
    expect(lines.filter((line) => line.includes("traceparent") || line.includes(`${id}`))).toEqual(
      [],
    );
  }
});
