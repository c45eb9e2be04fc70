// The client library in a page of another origin: it trades where --cors-origin
// names that, and nowhere else.

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "../../lab/process.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** The package as it is published, and what it depends on. */
const FOLDERS = {
  "/client/": join(ROOT, "dist/client"),
  "/eventsource-parser/": join(ROOT, "node_modules/eventsource-parser/dist"),
} as const;
const IMPORTS = { "eventsource-parser/stream": "/eventsource-parser/stream.js" };
const PAGE = `<!doctype html><title>A shop</title>
<link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;

/** A site with the library and an empty page. */
async function site(): Promise<string> {
  const server = createServer(({ url = "/" }, response) => {
    const folder = Object.entries(FOLDERS).find(([path]) => url.startsWith(path));
    if (!folder) {
      response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
      return;
    }
    const file = join(folder[1], normalize(url.slice(folder[0].length - 1)));
    response.writeHead(200, { "content-type": "text/javascript" }).end(readFileSync(file));
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const shopping = (url: string, timeoutMs: number) => `(async () => {
  const { BazaarClient } = await import("/client/index.js");
  const bazaar = new BazaarClient({ url: ${JSON.stringify(url)}, timeoutMs: ${timeoutMs} });
  const kindOf = (call) => call.then(() => "done", ({ kind }) => kind);
  const trade = { name: "FishCo", type: "buy", quantity: 1, key: "from the shop" };
  const traced = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
  const events = bazaar.events({ timeoutMs: ${timeoutMs} });
  return {
    lookup: await kindOf(bazaar.lookup("FishCo")),
    trade: await kindOf(bazaar.trade(trade, traced)),
    refused: await kindOf(bazaar.trade({ ...trade, name: "Ash", key: "another" })),
    event: await kindOf(events.next()),
  };
})()`;

test("a page of a named site can trade with the library, and a page of another site can't", async () => {
  const shop = await site();
  const cluster = await clusters.up({ logLevel: "info", options: [`--cors-origin=${shop}`] });
  const named = await pages.open(shop, { expected: /asked another host|status of 400/ });
  expect(await named.evaluate(shopping(cluster.url, 60_000))).toEqual({
    lookup: "done",
    trade: "done",
    refused: "refused",
    event: "done",
  });
  const other = await pages.open(await site(), { expected: /asked another host|CORS|ERR_FAILED/ });
  const shut = "unavailable";
  expect(await other.evaluate(shopping(cluster.url, 1_000))).toEqual({
    lookup: shut,
    trade: shut,
    refused: shut,
    event: shut,
  });
  const client = cluster.client();
  expect((await client.get("/orders/1")).status).toBe(200);
  expect((await client.get("/orders/2")).status).toBe(400);
});
