// The playground: processes killed, paused and started from the page, and
// nobody else's page able to.

import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";
import { readEvents } from "./harness/events.ts";

const clusters = useClusters("file");
const pages = usePages();
const LOST =
  /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 503/;
const ELSEWHERE = readFileSync(join(import.meta.dirname, "harness/elsewhere.html"));
let cluster: Cluster;
/** The address that `up` printed for who plays. */
let played: string;
let token: string;

beforeAll(async () => {
  cluster = await clusters.prepare({ logLevel: "info" });
  const up = await cluster.up("--playground");
  played = await until("the address", () => /^ {2}(http\S+)$/m.exec(up.stdout)?.[1]);
  [, token = ""] = played.split("#playground=");
});

const node = (page: Page, role: string) => page.locator(`[data-role="${role}"]`);

test("a replica can be killed on the page, and started again", async () => {
  const page = await pages.open(played);
  const role = `order-${cluster.replicas[0]}`;
  const before = await cluster.running(role);
  await node(page, role).getByRole("button", { name: "Kill" }).click();
  await node(page, role).getByText("down").waitFor();
  expect(cluster.pid(role)).toBeNull();
  // The button that was pressed is gone; who uses the keyboard is still there.
  await expect.poll(() => page.evaluate("document.activeElement?.textContent")).toBe("Start");
  const told = page.locator(".cluster [role=status]");
  await expect.poll(() => told.textContent()).toContain("is down");
  await screenshot(page, "playground-killed-1440-light");
  expect(await violations(page)).toEqual([]);
  await node(page, role).getByRole("button", { name: "Start" }).click();
  await node(page, role).getByText("follows").waitFor();
  expect(await cluster.running(role)).not.toBe(before);
});

test("a leader that is paused on the page no longer leads, and follows once it is resumed", async () => {
  const page = await pages.open(played);
  const leader = await cluster.leader();
  const role = `order-${leader}`;
  await node(page, role).getByText("leads").waitFor();
  await node(page, role).getByRole("button", { name: "Pause" }).click();
  await node(page, role).getByText("paused").waitFor();
  await page.locator(`.node.leads:not([data-role="${role}"])`).waitFor();
  await node(page, role).getByRole("button", { name: "Resume" }).click();
  await node(page, role).getByText("follows").waitFor();
});

test("a page whose front end is killed from it comes back with the front end", async () => {
  const page = await pages.open(played, { expected: LOST });
  const before = await cluster.running("frontend");
  await node(page, "frontend").getByRole("button", { name: "Kill" }).click();
  // Paused, or it might be back before the page thinks it worth a word.
  await cluster.running("frontend", before);
  await cluster.signal("frontend", "SIGSTOP");
  await page.getByTestId("banner").getByText("Connection lost.").waitFor();
  await cluster.signal("frontend", "SIGCONT");
  await page.getByText("Open", { exact: true }).waitFor();
  await node(page, "frontend").getByRole("button", { name: "Kill" }).waitFor();
});

test("the slider makes load, and ends it", async () => {
  const page = await pages.open(played);
  const slider = page.getByRole("slider", { name: "Load" });
  await slider.fill("200");
  await page.getByText(/more just now/).waitFor();
  await page.getByText(/^In the last second: asked for 200, sent \d+, answered \d+/).waitFor();
  await slider.fill("0");
  const pace = page.locator("dt", { hasText: "Orders/s" }).locator("+ dd");
  await expect.poll(() => pace.textContent()).toBe("0");
});

test("the token leaves the address at once, stays with the tab, and is told to nobody", async () => {
  const page = await pages.open(played);
  await node(page, "catalog").getByRole("button", { name: "Kill" }).waitFor();
  await screenshot(page, "playground-plays-1440-light");
  expect(page.url()).toBe(`${cluster.url}/`);
  await page.reload();
  await node(page, "catalog").getByRole("button", { name: "Kill" }).waitFor();
  const told = [
    await page.content(),
    await (await fetch(cluster.url)).text(),
    await (await fetch(`${cluster.url}/playground`)).text(),
    readFileSync(join(cluster.data, "logs/frontend.log"), "utf8"),
    readFileSync(`/proc/${cluster.pid("frontend")}/environ`, "latin1"),
    readFileSync(`/proc/${cluster.pid("frontend")}/cmdline`, "latin1"),
  ];
  for (const text of told) expect(text).not.toContain(token);
});

test("who hasn't the token sees all, plays nothing, and is told why", async () => {
  const player = await pages.open(played);
  const page = await pages.open(cluster.url, { expected: /status of 403/ });
  const onlooker = page.getByTestId("onlooker");
  await onlooker.getByText("the address that bazaar up printed").waitFor();
  expect(await page.getByRole("slider", { name: "Load" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: /^(Kill|Pause)/ }).count()).toBe(0);
  await player.getByRole("slider", { name: "Load" }).fill("100");
  await onlooker.getByText("Load: 100/s").waitFor();
  await screenshot(page, "playground-onlooker-1440-light");
  expect(await violations(page)).toEqual([]);
  await player.getByRole("slider", { name: "Load" }).fill("0");
  await onlooker.getByText("Load: 0/s").waitFor();
  // Trading is for all.
  await page.getByRole("button", { name: /^Buy/ }).first().waitFor();

  const late = await pages.open(`${cluster.url}/#playground=of-an-earlier-run`, {
    expected: /status of 403/,
  });
  await late.getByTestId("onlooker").getByText("of an earlier run").waitFor();
  expect(late.url()).toBe(`${cluster.url}/`);
  // The right address, opened in the same tab.
  await late.goto(played);
  await node(late, "catalog").getByRole("button", { name: "Kill" }).waitFor();
});

test("others may look on from elsewhere, and what is behind the front end stays shut", async () => {
  const open = await clusters.prepare({
    logLevel: "info",
    options: ["--host=0.0.0.0", "--insecure"],
  });
  await open.up("--playground");
  const { address } = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === "IPv4" && !each.internal) ?? { address: "127.0.0.2" };
  const page = await pages.open(`http://${address}:${open.frontendPorts[0]}`, {
    expected: /status of 403|Cross-Origin-Opener-Policy/,
  });
  await page.getByTestId("onlooker").waitFor();
  for (const port of [...open.replicas, ...open.catalogPorts]) {
    await expect(fetch(`http://127.0.0.2:${port}/metrics`)).rejects.toThrow();
  }
});

/** A page of another origin, without any policy. */
async function bareSite(): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(ELSEWHERE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a command of", () => {
  const command = JSON.stringify({ kind: "load", perSecond: 0 });
  const LOAD = JSON.stringify({ kind: "load", perSecond: 50 });

  /** Node's own fetch would set some of these headers itself. */
  function send(
    method: string,
    headers: Record<string, string>,
    body: string = command,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(`${cluster.url}/playground`, { method, headers, agent: false });
      sent.once("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.once("error", reject);
      sent.end(method === "POST" ? body : undefined);
    });
  }

  /** Requests a second that the built-in client is to make, as the front end tells. */
  async function toldLoad(): Promise<number> {
    const reader = await readEvents(cluster.url);
    try {
      await until("a message", () => reader.messages.length > 0);
      return JSON.parse(reader.messages[0]?.data ?? "").cluster.playground.load;
    } finally {
      reader.close();
    }
  }

  const json = { "content-type": "application/json" };

  test("the page itself is obeyed", async () => {
    const headers = { ...json, origin: cluster.url, "bazaar-playground": token };
    expect(await send("POST", headers)).toBe(200);
  });

  test("another site's page is refused, though it has the token", async () => {
    const headers = { ...json, "bazaar-playground": token };
    expect(await send("POST", { ...headers, origin: "https://elsewhere.example" })).toBe(403);
    expect(await send("POST", { ...headers, origin: "null" })).toBe(403);
  });

  test("a page under a name that someone points at this machine is refused", async () => {
    const port = cluster.frontendPorts[0];
    const host = `elsewhere.example:${port}`;
    expect(await send("GET", { host })).toBe(421);
    const headers = { ...json, "bazaar-playground": token };
    expect(await send("POST", { ...headers, host, origin: `http://${host}` })).toBe(421);
  });

  test("a page with the token of another run, or none, is refused", async () => {
    const headers = { ...json, origin: cluster.url };
    expect(await send("POST", { ...headers, "bazaar-playground": "x" })).toBe(403);
    expect(await send("POST", headers)).toBe(403);
  });

  test("another site's page in the browser is refused, though it has the token", async () => {
    const role = `order-${cluster.replicas[0]}`;
    const before = await cluster.running(role);
    const loadBefore = await toldLoad();
    const other = await bareSite();
    try {
      // Nothing of its own keeps this page from asking: that is the front end's to do.
      const page = await pages.open(other.url, { expected: /.*/ });
      const answered: number[] = [];
      page.on("response", (response) => {
        if (response.url().endsWith("/playground")) answered.push(response.status());
      });
      const told = await page.evaluate(
        `attack(${JSON.stringify([`${cluster.url}/playground`, token, role])})`,
      );
      expect(told).toEqual({
        read: "refused",
        cors: "refused",
        plain: "opaque",
        headed: "opaque",
        beacon: "sent",
      });
      // What could be sent at all was answered, and with a no.
      await until("an answer to each", () => answered.length >= 6);
      expect(answered.filter((status) => status < 400)).toEqual([]);
    } finally {
      other.close();
    }
    expect(cluster.pid(role)).toBe(before);
    expect(await toldLoad()).toBe(loadBefore);
    // From the page's own origin each of these is a command.
    const headers = { ...json, origin: cluster.url, "bazaar-playground": token };
    expect(await send("POST", headers, LOAD)).toBe(200);
    await until("the load", async () => (await toldLoad()) === 50);
    expect(await send("POST", headers)).toBe(200);
  });
});

test("a bazaar that wasn't started as a playground has no commands", async () => {
  const plain = await clusters.up({ logLevel: "info" });
  expect((await fetch(`${plain.url}/playground`)).status).toBe(404);
  const page = await pages.open(plain.url);
  await node(page, "frontend").waitFor();
  expect(await page.getByRole("button", { name: /^Kill/ }).count()).toBe(0);
});
