// The document's "Frontend Service": its suite of five groups, against a bazaar
// in the state the document shows: 9092 leads, since 9094 doesn't run, and 26
// orders are there, the first a buy of 18 MenhirCo.

import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import type { HttpClient } from "../../lab/http.ts";
import { type LabCall, labCalls } from "./harness/lab-document.ts";
import { useClusters } from "./harness/lifetime.ts";
import { times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("file");
let cluster: Cluster;
let client: HttpClient;

beforeAll(async () => {
  cluster = await clusters.prepare();
  await cluster.startWithout(cluster.replicas[2]);
  client = cluster.client();
  await tradeInTurn(client, [
    { name: "MenhirCo", type: "buy", quantity: 18 },
    ...times(25, { name: "MenhirCo", type: "sell", quantity: 1 }),
  ]);
});

/** The document doesn't show what it posted, only the answers: here is what earns each, in its order. */
const POSTED: readonly { readonly path: string; readonly body: object }[] = [
  { path: "/orders", body: { name: "GameStart", quantity: 1, type: "buy" } },
  { path: "/orders", body: { name: "Hey", quantity: 1, type: "buy" } },
  { path: "/orders", body: { name: "GameStart", quantity: -10, type: "buy" } },
  { path: "/orders", body: { name: "GameStart", quantity: 1, type: "negotiate" } },
  { path: "/ordrs", body: { name: "GameStart", quantity: 1, type: "buy" } },
  { path: "/orders", body: { name: "GameStart", quantity: 1_000_000, type: "buy" } },
];

async function ask(call: LabCall, posted: number): Promise<string> {
  const { path, body } = POSTED[posted] ?? { path: "/", body: {} };
  const answer =
    call.path !== null
      ? await client.get(call.path)
      : await client.send({ method: "POST", path, body: JSON.stringify(body) });
  return `${call.method} - ${call.path ?? path} - ${answer.status} - ${answer.text}`;
}

function asShown(call: LabCall, posted: number): string {
  const path = call.path ?? POSTED[posted]?.path;
  return `${call.method} - ${path} - ${call.status} - ${call.body}`;
}

describe("the front end's suite", () => {
  const groups: readonly (readonly [string, RegExp, number])[] = [
    ["cache invalidation", /^\/cache_inval/, 2],
    ["stock lookup", /^\/st(?:o)?cks/, 3],
    ["order leader", /^\/get_order/, 2],
    ["order query", /^\/ord/, 3],
  ];

  test.each(groups)("GET requests for %s are answered as shown", async (_group, paths, count) => {
    const calls = labCalls(cluster).filter(({ path }) => path !== null && paths.test(path));
    expect(calls).toHaveLength(count);
    for (const call of calls) expect(await ask(call, 0)).toBe(asShown(call, 0));
  });

  test("POST requests are answered as shown", async () => {
    const calls = labCalls(cluster).filter(({ method }) => method === "POST");
    expect(calls).toHaveLength(POSTED.length);
    for (const [index, call] of calls.entries()) {
      expect(await ask(call, index)).toBe(asShown(call, index));
    }
  });
});
