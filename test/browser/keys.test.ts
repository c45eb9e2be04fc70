// The page of a bazaar with keys: what it shows to who has none, and to who has one
// that is good for something, for nothing, or not any more.

import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import type { Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { violations } from "./harness/axe.ts";
import { type PageOptions, screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
/** The browser tells of these by itself. */
const REFUSED = { expected: /status of 40[13]/ };
const STOCK = "FishCo";
let cluster: Cluster;
let up: Running;
/** The address of who plays. */
let played: string;
let shop: string;

beforeAll(async () => {
  cluster = await clusters.prepare({ logLevel: "info", secured: false });
  up = await cluster.up("--playground");
  played = await until("the address", () => /^ {2}(http\S+)$/m.exec(up.stdout)?.[1]);
  shop = await keyFor("shop", "read,trade");
});

/** Makes a key, and waits until the front end knows it. */
async function keyFor(name: string, may: string, ...more: readonly string[]): Promise<string> {
  const made = await cluster.run("key add", name, `--may=${may}`, ...more);
  expect(made.status, made.stderr).toBe(0);
  const key = made.stdout.trim();
  const headers = { authorization: `Bearer ${key}` };
  await until(`${name} known`, async () => {
    const { status } = await fetch(`${cluster.url}/stocks/${STOCK}`, { headers });
    return status !== 401;
  });
  return key;
}

const field = (page: Page) => page.getByLabel("Key", { exact: true });

async function give(page: Page, key: string): Promise<void> {
  await field(page).fill(key);
  await page.getByRole("button", { name: "Open the bazaar" }).click();
}

async function opened(key: string, url = cluster.url, options: PageOptions = {}): Promise<Page> {
  const page = await pages.open(url, { ...REFUSED, ...options });
  await give(page, key);
  await page.getByText("Open", { exact: true }).waitFor();
  return page;
}

const problem = (page: Page) => page.getByTestId("key-problem");
const UNKNOWN = "This key isn't known here, is revoked, or has expired.";

test.each([
  [390, "light"],
  [390, "dark"],
  [1440, "light"],
  [1440, "dark"],
] as const)(
  "who has no key is asked for one and shown nothing, at %d pixels, %s",
  async (width, scheme) => {
    const page = await pages.open(cluster.url, { ...REFUSED, width, scheme });
    await page.getByRole("heading", { name: "This bazaar asks for a key" }).waitFor();
    await page.getByText("Closed without a key").waitFor();
    expect(await page.content()).not.toContain(STOCK);
    await expect.poll(() => page.evaluate("document.activeElement?.name")).toBe("key");
    await screenshot(page, `key-asked-${width}-${scheme}`);
    expect(await violations(page)).toEqual([]);

    await give(page, "shop.not-its-secret");
    await problem(page).getByText(UNKNOWN).waitFor();
    await expect.poll(() => page.evaluate("document.activeElement?.name")).toBe("key");
    await screenshot(page, `key-wrong-${width}-${scheme}`);
    expect(await violations(page)).toEqual([]);

    await page.keyboard.type(shop);
    await page.keyboard.press("Enter");
    await page.getByTestId("key-in-use").getByText("Key shop, may read, trade").waitFor();
    await page.locator(".plot canvas").first().waitFor();
    const over = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(over).toBe(0);
    await screenshot(page, `key-in-use-${width}-${scheme}`);
    expect(await violations(page)).toEqual([]);
  },
);

test("a trade is made under the key, which is in memory alone, so that it is asked for again after a reload", async () => {
  const page = await opened(shop);
  await page.getByRole("button", { name: /^Buy 10/ }).click();
  await page
    .getByTestId("outcome")
    .getByText(/^Bought 10/)
    .waitFor();
  const { stdout } = await cluster.run("orders", "--keys");
  expect(stdout).toMatch(/\bshop\b/);
  const kept = await page.evaluate(
    "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href, JSON.stringify(history.state), document.documentElement.outerHTML].join()",
  );
  expect(kept).not.toContain(shop.split(".")[1]);
  await page.reload();
  await page.getByRole("heading", { name: "This bazaar asks for a key" }).waitFor();
  expect(await field(page).inputValue()).toBe("");
  expect(await page.content()).not.toContain(STOCK);
});

test("what can't be a key is told at once, and sent to nobody", async () => {
  const page = await pages.open(cluster.url, REFUSED);
  await field(page).waitFor();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await give(page, "not a key");
  await problem(page).getByText("No key has blanks or letters like these.").waitFor();
  expect(asked).toEqual([]);
});

test("with a key that may only read, the page looks on and says why", async () => {
  const page = await opened(await keyFor("reader", "read"));
  await page.getByText("Your key may look on: it lacks the right to trade.").waitFor();
  await page.getByRole("rowheader", { name: STOCK }).waitFor();
  expect(await page.getByRole("button", { name: /^Buy 10/ }).isDisabled()).toBe(true);
  expect(await page.getByRole("button", { name: "Verify" }).count()).toBe(0);
  await screenshot(page, "key-reader-1440-light");
  expect(await violations(page)).toEqual([]);
});

test("a key that may not read, or is for some stocks only, opens nothing, and the page says why", async () => {
  const page = await pages.open(cluster.url, REFUSED);
  await give(page, await keyFor("seller", "trade"));
  await problem(page).getByText("it lacks the right to read").waitFor();
  await give(page, await keyFor("fisher", "read,trade", `--stocks=${STOCK}`));
  await problem(page).getByText("This key is for some stocks only").waitFor();
  expect(await page.content()).not.toContain("BoarCo");
  await give(page, shop);
  await page.getByText("Open", { exact: true }).waitFor();
});

test("a key that is revoked while the page is open takes everything from it, and the page says why", async () => {
  const page = await opened(await keyFor("leaver", "read,trade"));
  await page.getByRole("rowheader", { name: STOCK }).waitFor();
  expect((await cluster.run("key revoke", "leaver")).status).toBe(0);
  await problem(page).getByText(UNKNOWN).waitFor();
  expect(await page.content()).not.toContain(STOCK);
  await screenshot(page, "key-revoked-1440-light");
  expect(await violations(page)).toEqual([]);
  await give(page, shop);
  await page.getByText("Open", { exact: true }).waitFor();
});

test("a key that has expired is refused like one that is revoked", async () => {
  const end = new Date(Date.now() + 3_000).toISOString();
  const key = await keyFor("guest", "read", `--expires=${end}`);
  const headers = { authorization: `Bearer ${key}` };
  const isOver = async () => (await fetch(`${cluster.url}/stocks`, { headers })).status === 401;
  await until("the key expired", isOver);
  const page = await pages.open(cluster.url, REFUSED);
  await give(page, key);
  await problem(page).getByText(UNKNOWN).waitFor();
});

test("who signs out leaves nothing on the page, and comes in again with the key", async () => {
  const page = await opened(shop);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  expect(await page.content()).not.toContain(STOCK);
  expect(await field(page).inputValue()).toBe("");
  await give(page, shop);
  await page.getByRole("rowheader", { name: STOCK }).waitFor();
});

test("a page whose front end was away for a moment goes on under its key, without asking again", async () => {
  const page = await opened(shop, cluster.url, {
    expected: /status of (40[13]|503)|ERR_(CONNECTION|INCOMPLETE|EMPTY)/,
  });
  up.signal("SIGSTOP"); // or it might be back before the page thinks it worth a word
  const before = await cluster.kill("frontend");
  await page.getByTestId("banner").getByText("Connection lost.").waitFor();
  up.signal("SIGCONT");
  await cluster.running("frontend", before);
  await page.getByText("Open", { exact: true }).waitFor();
  expect(await field(page).count()).toBe(0);
});

test("slow motion and the playground obey: its load is made under the key of who may play", async () => {
  const player = await keyFor("player", "read,trade,manage");
  const page = await opened(player, played);
  const slider = page.getByRole("slider", { name: "Load" });
  await slider.fill("200");
  await page.getByText(/In the last second: asked for 200, sent \d+, answered [1-9]\d*$/).waitFor();
  await slider.fill("0");
  await page.getByRole("button", { name: "Slow motion" }).click();
  // Every process is heard, so that the trade is seen as a whole.
  const heard = page.getByTestId("motion").getByText(/^has \d+, committed \d+/);
  await expect.poll(() => heard.count()).toBe(3);
  await page.getByRole("button", { name: /^Buy 10/ }).click();
  await page
    .getByRole("button", { name: /^order \d+, / })
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Verify" }).click();
  await page
    .getByTestId("verified")
    .getByText(/0 lost/)
    .waitFor();
  await slider.fill("100");
  await page.getByText(/asked for 100, sent \d+, answered [1-9]\d*$/).waitFor();
  expect((await cluster.run("key revoke", "player")).status).toBe(0);
  await problem(page).getByText(UNKNOWN).waitFor();

  const other = await keyFor("player-2", "read,manage");
  await give(page, other);
  await page.getByText(/Not let in: This key isn't known here/).waitFor();
  await slider.fill("100");
  await page.getByText(/Not let in: .* lacks the right to trade/).waitFor();
  await slider.fill("0");

  const onlooker = await opened(shop, played);
  await onlooker.getByTestId("onlooker").getByText("it lacks the right to manage").waitFor();
});

test("the page of a bazaar with --insecure says so, to who has no key too, and no other page does", async () => {
  const plain = await pages.open(cluster.url, REFUSED);
  await field(plain).waitFor();
  expect(await plain.getByTestId("insecure").count()).toBe(0);
  const insecure = await clusters.up({
    logLevel: "info",
    secured: false,
    options: ["--insecure=yes"],
  });
  for (const [width, scheme] of [
    [390, "light"],
    [1440, "dark"],
  ] as const) {
    const page = await pages.open(insecure.url, { ...REFUSED, width, scheme });
    await page.getByTestId("insecure").getByText("can be read and changed on the way").waitFor();
    await page.getByRole("rowheader", { name: STOCK }).waitFor();
    await screenshot(page, `insecure-${width}-${scheme}`);
    expect(await violations(page)).toEqual([]);
  }
  expect((await insecure.run("key add", "shop", "--may=read")).status).toBe(0);
  const closed = await pages.open(insecure.url, REFUSED);
  await field(closed).waitFor();
  expect(await closed.getByTestId("insecure").count()).toBe(1);
});
