// The trading floor in a real browser, on a real cluster: what a person sees and
// does when all is well.

import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { Load, tradeInTurn } from "../system/harness/load.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusters.up({ logLevel: "info" });
});

async function fill(page: Page, side: "Buy" | "Sell", stock: string, quantity: number) {
  await page.getByLabel(side, { exact: true }).check();
  await page.locator(`select[name="stock"]`).selectOption(stock);
  await page.getByLabel("Quantity", { exact: true }).fill(String(quantity));
  await page.getByRole("button", { name: new RegExp(`^${side} .*${stock}`) }).click();
}

test("an empty bazaar is shown open, with its stocks, and says that there is no order yet", async () => {
  const page = await pages.open(cluster.url);
  await page.getByText("No order yet.").waitFor();
  await page.getByRole("rowheader", { name: "FishCo" }).waitFor();
  await page.getByText("Open", { exact: true }).waitFor();
  await page.locator('[data-role="frontend"]').getByText("leased", { exact: true }).waitFor();
  await page.locator('[data-role="catalog"]').getByText("level", { exact: true }).waitFor();
  await page.locator('[data-role="catalog"]').getByText("leased", { exact: true }).waitFor();
  await screenshot(page, "empty-1440-light");
});

test("a trade made on the page is answered, and reaches the market and the tape", async () => {
  const page = await pages.open(cluster.url);
  await fill(page, "Buy", "FishCo", 43);
  const outcome = page.getByTestId("outcome");
  await outcome.getByText("Bought 43 FishCo").waitFor();
  await expect.poll(() => outcome.textContent()).toMatch(/Order 1,/);
  const row = page.getByRole("row", { name: /FishCo/ });
  await row.getByText("557", { exact: true }).waitFor();
  await page
    .getByRole("listitem")
    .filter({ hasText: /^1Buy43FishCo$/ })
    .waitFor();
  await fill(page, "Sell", "FishCo", 7);
  await outcome.getByText("Sold 7 FishCo").waitFor();
  await row.getByText("564", { exact: true }).waitFor();
  await row.getByText("50", { exact: true }).waitFor(); // traded: 43 + 7
});

test("a refusal is told in the bazaar's own words", async () => {
  const page = await pages.open(cluster.url, {
    // The lab's status for it is 500, which the browser notes.
    expected: /status of (400|500)/,
  });
  await fill(page, "Buy", "FishCo", 999_999);
  const outcome = page.getByTestId("outcome");
  await outcome.getByText("Refused").waitFor();
  await outcome.getByText("Insufficient volume for FishCo stock").waitFor();
  await screenshot(page, "refusal-1440-light");
  await fill(page, "Buy", "FishCo", -10);
  await outcome.getByText("Invalid quantity -10").waitFor();
  expect(await violations(page)).toEqual([]);
});

test("a trade whose answer was lost can be asked for again, and is made once", async () => {
  const page = await pages.open(cluster.url);
  const row = page.getByRole("row", { name: /BardCo/ });
  const quantity = row.getByRole("cell").nth(1);
  await quantity.waitFor();
  const before = Number((await quantity.textContent())?.replaceAll(",", ""));
  const sent: unknown[] = [];
  await page.route("**/orders", async (route) => {
    await route.fetch(); // it is made
    sent.push(route.request().headers()["idempotency-key"]);
    await route.fulfill({ status: 200, json: {} });
  });
  await fill(page, "Buy", "BardCo", 3);
  const outcome = page.getByTestId("outcome");
  await outcome.getByText("It isn't known whether the trade was made.").waitFor();
  await screenshot(page, "no-answer-1440-light");
  expect(await violations(page)).toEqual([]);
  await page.unroute("**/orders");
  const asked = page.waitForRequest("**/orders");
  await page.getByRole("button", { name: "Ask again" }).click();
  sent.push((await asked).headers()["idempotency-key"]);
  await outcome.getByText("Bought 3 BardCo").waitFor();
  expect(sent[0]).toBe(sent[1]);
  expect(await page.getByRole("button", { name: "Ask again" }).count()).toBe(0);
  await expect.poll(() => quantity.textContent()).toBe(String((before - 3).toLocaleString("en")));
});

test("all copies are compared when somebody asks for it, and none lacks an order", async () => {
  const page = await pages.open(cluster.url);
  await tradeInTurn(cluster.client(), [{ name: "BoarCo", type: "buy", quantity: 1 }]);
  await page.getByRole("button", { name: "Verify" }).click();
  const verified = page.getByTestId("verified");
  await verified.getByText(/^[\d,]+ orders?, 0 lost, 0 failed$/).waitFor();
  await verified.getByText(/All copies agree, /).waitFor();
  await screenshot(page, "verified-1440-light");
  expect(await violations(page)).toEqual([]);
});

test("a word of the cluster is explained where it stands, by keyboard too", async () => {
  const page = await pages.open(cluster.url);
  const node = page.locator(`[data-role="order-${cluster.replicas[0]}"]`);
  await node.getByRole("button", { name: "level", exact: true }).focus();
  const meaning = node.getByText("It has every entry of the leader's journal.");
  await page.keyboard.press("Enter");
  await expect.poll(() => meaning.isVisible()).toBe(true);
  await screenshot(page, "meaning-1440-light");
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await expect.poll(() => meaning.isVisible()).toBe(false);
});

test("a quantity that is none is asked for in words, and sent to nobody", async () => {
  const page = await pages.open(cluster.url);
  const quantity = page.getByLabel("Quantity", { exact: true });
  for (const wrong of ["", "1.5", "12345678901234567890"]) {
    await quantity.fill(wrong);
    await page.getByRole("button", { name: "Enter a whole number" }).click();
    expect(await page.getByTestId("outcome").count()).toBe(0);
  }
});

test("with forced colours the chosen side and the main button are told apart", async () => {
  const page = await pages.open(cluster.url);
  await page.emulateMedia({ forcedColors: "active" });
  await page.getByRole("rowheader", { name: "FishCo" }).waitFor();
  const styleOf = (selector: string, property: string) =>
    page.evaluate(
      `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`,
    );
  const chosen = await styleOf(".side.buy .side-word", "backgroundColor");
  expect(chosen).not.toBe(await styleOf(".side.sell .side-word", "backgroundColor"));
  expect(await styleOf(".go", "borderTopWidth")).toBe("3px");
  await screenshot(page, "forced-colours-1440");
});

test("an order that came through nobody's page is on the tape", async () => {
  const page = await pages.open(cluster.url);
  const client = cluster.client();
  const [number] = await tradeInTurn(client, [{ name: "BoarCo", type: "buy", quantity: 5 }]);
  await page
    .getByRole("listitem")
    .filter({ hasText: `${number}Buy5BoarCo` })
    .waitFor();
});

test("the page of the HTTP interface shows its routes, and is accessible", async () => {
  const page = await pages.open(`${cluster.url}/docs`);
  await page.getByRole("heading", { name: "Stock Bazaar" }).waitFor();
  await page.getByRole("heading", { name: "One stock" }).waitFor();
  await screenshot(page, "docs-1440-light");
  // Buttons without a name and faint colours are the package's to mend; these are ours.
  const found = await violations(page);
  expect(found.filter((violation) => /^(html|document|meta)-/.test(violation))).toEqual([]);
});

test("a trade can be made by keyboard alone", async () => {
  const page = await pages.open(cluster.url);
  await page.getByRole("button", { name: "MenhirCo" }).focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(`select[name="stock"]`).inputValue()).toBe("MenhirCo");
  await page.getByLabel("Buy", { exact: true }).focus();
  await page.keyboard.press("ArrowRight"); // to Sell
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("3");
  await page.keyboard.press("Enter");
  await page
    .getByTestId("outcome")
    .getByText(/^Sold \d+ MenhirCo$/)
    .waitFor();
});

test.each([
  [320, "light"],
  [320, "dark"],
  [768, "light"],
  [768, "dark"],
  [1440, "light"],
  [1440, "dark"],
  [1920, "light"],
] as const)(
  "at %d pixels, %s, nothing runs over, and the page is accessible",
  async (width, scheme) => {
    const clients = Array.from({ length: 4 }, () => cluster.client());
    const names = ["FishCo", "BoarCo", "MenhirCo", "GameStart"];
    const load = new Load(clients, (client, nth) => ({
      name: names[(client + nth) % names.length] ?? "FishCo",
      type: nth % 2 === 0 ? "sell" : "buy",
      quantity: 1 + (nth % 9),
    }));
    const page = await pages.open(cluster.url, { width, height: width < 500 ? 700 : 900, scheme });
    await page.getByText(/more just now/).waitFor();
    await expect.poll(() => page.locator(".plot canvas").count()).toBe(2);
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(overflow).toBe(0);
    await screenshot(page, `load-${width}-${scheme}`);
    await load.stop();
    expect(await violations(page)).toEqual([]);
  },
);

test("with letters twice as large nothing runs over, at 640 and 1,280 pixels", async () => {
  for (const width of [640, 1_280]) {
    const page = await pages.open(cluster.url, { width });
    await page.getByRole("rowheader", { name: "FishCo" }).waitFor();
    await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
    const over = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect({ width, over }).toEqual({ width, over: 0 });
    await screenshot(page, `twice-as-large-${width}`);
    expect(await violations(page)).toEqual([]);
  }
});

test("where movement isn't wanted, nothing moves by itself, not even at a trade", async () => {
  const page = await pages.open(cluster.url);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await fill(page, "Buy", "DruidCo", 1);
  await page.getByTestId("outcome").getByText("Bought 1 DruidCo").waitFor();
  await page
    .getByRole("row", { name: /DruidCo/ })
    .getByText("479", { exact: true })
    .waitFor();
  expect(await page.evaluate("document.getAnimations().length")).toBe(0);
});

test("the longest names and the greatest numbers have a place at every width", async () => {
  const longest = "Abcdefghijklmnopqrstuvwxyz".repeat(3).slice(0, 64);
  const plain = await clusters.up({
    logLevel: "info",
    stocks: [
      [longest, 12.5, Number.MAX_SAFE_INTEGER],
      ["InternationalConsolidatedHoldingsGroup", 1_234_567.891, 0],
      ["FishCo", 17.99, 600],
    ],
  });
  await tradeInTurn(plain.client(), [
    { name: longest, type: "buy", quantity: 9_007_199_254_740_000 },
    { name: "InternationalConsolidatedHoldingsGroup", type: "sell", quantity: 8_000_000_000 },
  ]);
  await plain.client().get(`/stocks/${longest}`);
  for (const width of [320, 390, 720, 1440, 1920]) {
    for (const scheme of ["light", "dark"] as const) {
      const page = await pages.open(plain.url, { width, scheme });
      await page.getByRole("rowheader", { name: longest }).waitFor();
      await page.locator(`select[name="stock"]`).selectOption(longest);
      await page.getByLabel("Quantity", { exact: true }).fill("9007199254740991");
      const sizes = await page.evaluate(`({
        over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        outside: [...document.querySelectorAll("main .panel *")].filter((node) => {
          const box = node.getBoundingClientRect();
          const panel = node.closest(".panel").getBoundingClientRect();
          return box.width > 0 && !node.closest(".hidden, .links, .plot, .scroll") &&
            box.right > panel.right + 1;
        }).map((node) => node.className),
      })`);
      expect({ width, ...(sizes as object) }).toEqual({ width, over: 0, outside: [] });
      await screenshot(page, `long-names-${width}-${scheme}`);
      expect(await violations(page)).toEqual([]);
      await page.close();
    }
  }
});
