// The page of a bazaar with more stocks than it is told of: every one is found,
// looked at and traded, and only those on the screen are rows.

import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { tradeInTurn } from "../system/harness/load.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
/** By name in the order of the alphabet, so `nth(1_199)` is far beyond the 500 that come with the events. */
const STOCKS = 1_200;
const nth = (number: number) =>
  `Seat${[676, 26, 1].map((unit) => String.fromCharCode(97 + (Math.floor(number / unit) % 26))).join("")}`;
const LONG = `Zebra${"Crossing".repeat(7)}Co`;
let cluster: Cluster;

beforeAll(async () => {
  const seats = Array.from({ length: STOCKS }, (_, number) => [nth(number), 12.5, 100] as const);
  cluster = await clusters.up({
    logLevel: "info",
    stocks: [...seats, [LONG, 1_234_567.891, Number.MAX_SAFE_INTEGER], ["ZooCo", 9, 40]],
  });
});

const filter = (page: Page) => page.getByRole("searchbox", { name: "Find a stock" });
const row = (page: Page, name: string) => page.getByRole("rowheader", { name, exact: true });
const focused = (page: Page) => page.evaluate("document.activeElement?.title");

test("a stock beyond those that the page is told of is found by any part of its name", async () => {
  const page = await pages.open(cluster.url);
  await page.getByText("1,202 stocks").waitFor();
  await filter(page).fill("zOO");
  await row(page, "ZooCo").waitFor();
  expect(await page.locator("tr[aria-rowindex]").count()).toBe(2);
  await screenshot(page, "search-1440-light");
  await filter(page).fill(nth(1_100).slice(4));
  await row(page, nth(1_100)).waitFor();
  await filter(page).fill("nosuch");
  await page.getByText("No stock has “nosuch” in its name.").waitFor();
  await screenshot(page, "search-none-1440-light");
  expect(await violations(page)).toEqual([]);
});

test("what is found is traded, and its row tells the new quantity by itself", async () => {
  const page = await pages.open(cluster.url);
  await filter(page).fill("ZooCo");
  await row(page, "ZooCo").getByRole("button").click();
  expect(await page.locator(`input[name="stock"]`).inputValue()).toBe("ZooCo");
  await page.getByLabel("Quantity", { exact: true }).fill("3");
  await page.getByRole("button", { name: "Buy 3 ZooCo" }).getByText("27.00").waitFor();
  await page.getByRole("button", { name: "Buy 3 ZooCo" }).click();
  await page.getByTestId("outcome").getByText("Bought 3 ZooCo").waitFor();
  const quantity = page.getByRole("row", { name: /ZooCo/ });
  await quantity.getByText("37", { exact: true }).waitFor();
  await tradeInTurn(cluster.client(), [{ name: "ZooCo", type: "sell", quantity: 5 }]);
  await quantity.getByText("42", { exact: true }).waitFor();
});

test("a name that is written on the ticket is suggested, and priced", async () => {
  const page = await pages.open(cluster.url);
  const name = page.locator(`input[name="stock"]`);
  await name.fill("crossing");
  await expect.poll(() => page.locator("#stock-names option").getAttribute("value")).toBe(LONG);
  await name.fill(nth(1_100));
  await page
    .getByRole("button", { name: `Buy 10 ${nth(1_100)}` })
    .getByText("125.00")
    .waitFor();
});

test("scrolled to its end, the list has had every stock, and never many rows at once", async () => {
  const page = await pages.open(cluster.url);
  await row(page, nth(0)).waitFor();
  const names = new Set<string>();
  await expect
    .poll(
      async () => {
        const shown = await page.locator(".stock-word").allTextContents();
        expect(shown.length).toBeLessThan(60);
        expect(new Set(shown).size).toBe(shown.length);
        for (const name of shown) names.add(name);
        // No further than to what has been seen, however late the next rows come.
        await page
          .locator(".stock-word")
          .last()
          .evaluate((element) => element.scrollIntoView({ block: "start" }));
        return names.size;
      },
      { timeout: 60_000, interval: 50 },
    )
    .toBe(STOCKS + 2);
  await row(page, "ZooCo").waitFor();
  await screenshot(page, "list-end-1440-light");
});

test("the list is one stop of the Tab key, and the arrow keys go through it", async () => {
  const page = await pages.open(cluster.url);
  await row(page, nth(0)).waitFor();
  await filter(page).focus();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe(nth(0));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect.poll(() => focused(page)).toBe(nth(2));
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => focused(page)).toBe(nth(1));
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press("PageDown");
  await expect.poll(() => focused(page)).toBe(nth(31));
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(`input[name="stock"]`).inputValue()).toBe(nth(31));
  // Out of the list with one press, and back where it was.
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement?.name")).toBe("side");
  await page.keyboard.press("Shift+Tab");
  expect(await focused(page)).toBe(nth(31));
  await page.keyboard.press("End");
  await expect.poll(() => focused(page)).not.toBe(nth(31));
  await page.keyboard.press("Home");
  await expect.poll(() => focused(page)).toBe(nth(0));
  // Scrolled away by the mouse, the focus stays where it was.
  await page.getByRole("region", { name: "Stocks" }).evaluate((list) => list.scrollTo(0, 6_000));
  await row(page, nth(150)).waitFor();
  expect(await focused(page)).toBe(nth(0));
  expect(await violations(page)).toEqual([]);
});

test("the first stop of the Tab key leads past what is in between", async () => {
  const page = await pages.open(cluster.url);
  await row(page, nth(0)).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await screenshot(page, "skip-links-1440-light");
  expect(await page.evaluate("document.activeElement?.textContent")).toBe("Trade");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement?.name")).toBe("side");
});

test("many stocks, long names and large numbers have a place at every width", async () => {
  for (const width of [320, 390, 768, 1440, 1920]) {
    for (const scheme of ["light", "dark"] as const) {
      const page = await pages.open(cluster.url, { width, scheme });
      await filter(page).fill("zebra");
      // Where it is narrow, the price is part of the row's name.
      await page.locator(`.stock-name[title="${LONG}"]`).click();
      const over = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect({ width, over }).toEqual({ width, over: 0 });
      await screenshot(page, `many-stocks-${width}-${scheme}`);
      expect(await violations(page)).toEqual([]);
      await page.close();
    }
  }
});
