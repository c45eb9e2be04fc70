// The playground: processes killed, paused and started from the page, and
// nobody else's page able to.

import { request } from "node:http";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../system/harness/cluster.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
const LOST =
  /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 503/;
let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusters.prepare({ logLevel: "info" });
  await cluster.up("--playground");
});

const node = (page: Page, role: string) => page.locator(`[data-role="${role}"]`);

test("a replica that is killed on the page doesn't die, or can't be started again", async () => {
  const page = await pages.open(cluster.url);
  const role = `order-${cluster.replicas[0]}`;
  const before = await cluster.running(role);
  await node(page, role).getByRole("button", { name: "Kill" }).click();
  await node(page, role).getByText("down").waitFor();
  expect(cluster.pid(role)).toBeNull();
  await screenshot(page, "playground-killed-1440-light");
  expect(await violations(page)).toEqual([]);
  await node(page, role).getByRole("button", { name: "Start" }).click();
  await node(page, role).getByText("follows").waitFor();
  expect(await cluster.running(role)).not.toBe(before);
});

test("a leader that is paused on the page goes on leading, or can't be resumed", async () => {
  const page = await pages.open(cluster.url);
  const leader = await cluster.leader();
  const role = `order-${leader}`;
  await node(page, role).getByText("leads").waitFor();
  await node(page, role).getByRole("button", { name: "Pause" }).click();
  await node(page, role).getByText("paused").waitFor();
  await page
    .locator(".node.leads")
    .filter({ hasNotText: String(leader) })
    .waitFor();
  await node(page, role).getByRole("button", { name: "Resume" }).click();
  await node(page, role).getByText("follows").waitFor();
});

test("a front end that is killed from its own page leaves the page dead", async () => {
  const page = await pages.open(cluster.url, { expected: LOST });
  await node(page, "frontend").getByRole("button", { name: "Kill" }).click();
  await page.getByTestId("banner").getByText("Connection lost.").waitFor();
  await page.getByText("Open", { exact: true }).waitFor();
  await node(page, "frontend").getByRole("button", { name: "Kill" }).waitFor();
});

test("the slider makes no load, or load that can't be ended", async () => {
  const page = await pages.open(cluster.url);
  const slider = page.getByRole("slider", { name: "Load" });
  await slider.fill("200");
  await page.getByText(/more just now/).waitFor();
  await slider.fill("0");
  const pace = page.locator("dt", { hasText: "Orders/s" }).locator("+ dd");
  await expect.poll(() => pace.textContent()).toBe("0");
});

describe("who isn't the page can't command:", () => {
  const command = JSON.stringify({ kind: "load", perSecond: 0 });

  /** Node's own fetch would set some of these headers itself. */
  function send(method: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(`${cluster.url}/playground`, { method, headers, agent: false });
      sent.once("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.once("error", reject);
      sent.end(method === "POST" ? command : undefined);
    });
  }

  async function token(): Promise<string> {
    const response = await fetch(`${cluster.url}/playground`);
    const { data } = (await response.json()) as { data: { token: string } };
    return data.token;
  }

  const json = { "content-type": "application/json" };

  test("the page itself can", async () => {
    const headers = { ...json, origin: cluster.url, "bazaar-playground": await token() };
    expect(await send("POST", headers)).toBe(200);
  });

  test("another site's page, though it had the token", async () => {
    const headers = { ...json, "bazaar-playground": await token() };
    expect(await send("POST", { ...headers, origin: "https://elsewhere.example" })).toBe(403);
    expect(await send("POST", { ...headers, origin: "null" })).toBe(403);
    expect(await send("POST", headers)).toBe(403);
  });

  test("a name that someone points at this machine", async () => {
    const port = cluster.frontendPorts[0];
    const host = `elsewhere.example:${port}`;
    expect(await send("GET", { host })).toBe(403);
    const headers = { ...json, "bazaar-playground": await token() };
    expect(await send("POST", { ...headers, host, origin: `http://${host}` })).toBe(403);
  });

  test("the token of another run, or none", async () => {
    const headers = { ...json, origin: cluster.url };
    expect(await send("POST", { ...headers, "bazaar-playground": "x" })).toBe(403);
    expect(await send("POST", headers)).toBe(403);
  });

  test("another site's page in the browser", async () => {
    const page = await pages.open(cluster.url, { expected: /.*/ });
    const given = await token();
    // Another origin of the same machine: a page at another name of it.
    await page.goto(cluster.url.replace("127.0.0.1", "localhost"));
    const answer = await page.evaluate(
      `fetch(${JSON.stringify(`${cluster.url}/playground`)}, {
        method: "POST", mode: "no-cors", body: ${JSON.stringify(command)},
        headers: { "bazaar-playground": ${JSON.stringify(given)} },
      }).then(() => "sent", () => "refused by the page's own policy")`,
    );
    expect(answer).toBe("refused by the page's own policy");
  });
});

test("a bazaar that wasn't started as a playground is one", async () => {
  const plain = await clusters.up({ logLevel: "info" });
  expect((await fetch(`${plain.url}/playground`)).status).toBe(404);
  const page = await pages.open(plain.url);
  await node(page, "frontend").waitFor();
  expect(await page.getByRole("button", { name: /^Kill/ }).count()).toBe(0);
});
