// What the processes say to each other, in slow motion; links that are cut from
// the page; and the scenarios with a question.

import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "../system/harness/lifetime.ts";
import { tradeInTurn } from "../system/harness/load.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("file");
const pages = usePages();
let cluster: Cluster;
/** The address that `up` printed for who plays. */
let played: string;

beforeAll(async () => {
  cluster = await clusters.prepare({ logLevel: "info" });
  const up = await cluster.up("--playground");
  played = await until("the address", () => /^ {2}(http\S+)$/m.exec(up.stdout)?.[1]);
});

const node = (page: Page, role: string) => page.locator(`[data-role="${role}"]`);
const motion = (page: Page) => page.getByTestId("motion");
const words = (page: Page) => page.getByTestId("replay-words");

/** With slow motion open, and every process heard. */
async function opened(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Slow motion" }).click();
  await expect
    .poll(() =>
      motion(page)
        .getByText(/^has \d+, committed \d+/)
        .count(),
    )
    .toBe(3);
}

test("one trade is stepped through by hand, from the question to the answer", async () => {
  const page = await pages.open(played);
  await opened(page);
  await tradeInTurn(cluster.client(), [{ name: "FishCo", type: "buy", quantity: 3 }]);
  await motion(page)
    .getByRole("button", { name: /^order \d+, buy 3 FishCo$/ })
    .first()
    .click();
  await words(page)
    .getByText(/^Front end to Replica \d+: please: buy 3 FishCo$/)
    .waitFor();
  await screenshot(page, "slow-motion-first-1440-light");
  expect(await violations(page)).toEqual([]);
  await motion(page).getByText("The steps, written out").click();
  const transcript = page.getByTestId("transcript");
  const all = (await transcript.getByRole("listitem").allTextContents()).join("\n");
  await transcript
    .getByRole("button", { name: /write entry/ })
    .nth(1)
    .click();
  await screenshot(page, "slow-motion-append-1440-light");
  expect(await violations(page)).toEqual([]);
  await motion(page).getByRole("button", { name: "Step", exact: true }).click();
  await motion(page).getByRole("button", { name: "Back", exact: true }).click();
  await words(page)
    .getByText(/write entry/)
    .first()
    .waitFor();
  const [low, middle, high] = cluster.replicas;
  // In this order: asked, written by two of three, held by the catalog, answered.
  expect(all).toMatch(
    new RegExp(
      [
        `please: buy 3 FishCo`,
        `Replica ${high} to Replica (?:${low}|${middle}): write entry \\d+`,
        `Replica ${high} hears from Replica (?:${low}|${middle}): on my disk through \\d+`,
        `Catalog hears from Replica ${high}: hold entry \\d+`,
        `done: order \\d+`,
      ].join("[^]*"),
    ),
  );
  await motion(page).getByRole("button", { name: "First" }).click();
  await motion(page).getByRole("button", { name: "Play" }).click();
  await expect.poll(() => page.locator(".flight").count()).toBeGreaterThan(0);
  await words(page)
    .getByText(/^Front end hears from Replica \d+: done: order \d+$/)
    .waitFor();
});

test("nobody records a message while slow motion isn't open", async () => {
  const page = await pages.open(played);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await node(page, "frontend").waitFor();
  await tradeInTurn(cluster.client(), [{ name: "FishCo", type: "sell", quantity: 1 }]);
  await opened(page);
  expect(asked.filter((path) => path === "/steps").length).toBeGreaterThan(0);
  await motion(page).getByRole("button", { name: "Close" }).click();
  expect(await page.evaluate("document.activeElement?.id")).toBe("cluster");
  const before = asked.filter((path) => path === "/steps").length;
  await node(page, "frontend").waitFor();
  await page.getByRole("button", { name: "Slow motion" }).waitFor();
  expect(asked.filter((path) => path === "/steps").length).toBe(before);
});

test("a link that is cut carries nothing until it is mended, and the trades go on", async () => {
  const page = await pages.open(played);
  const [low, , high] = cluster.replicas;
  await node(page, `order-${high}`).getByText("leads").waitFor();
  await node(page, `order-${low}`).getByRole("button", { name: "Links" }).click();
  await screenshot(page, "playground-links-1440-light");
  expect(await violations(page)).toEqual([]);
  await page
    .getByRole("button", { name: `Cut the link of Replica ${low} to Replica ${high}` })
    .click();
  const list = page.getByTestId("cut-list");
  await list.getByRole("button", { name: "Mend" }).waitFor();
  await page.keyboard.press("Escape");
  await tradeInTurn(cluster.client(), [{ name: "FishCo", type: "buy", quantity: 1 }]);
  const status = async () => (await cluster.status()).processes;
  const lastOf = async (id: number) =>
    (await status()).find(({ role }) => role === `order-${id}`)?.last ?? 0;
  const ahead = await lastOf(high);
  expect(await lastOf(low)).toBeLessThan(ahead);
  await node(page, `order-${low}`)
    .getByText(/behind/)
    .waitFor();
  await screenshot(page, "playground-cut-1440-light");
  expect(await violations(page)).toEqual([]);
  await list.getByRole("button", { name: "Mend" }).click();
  await until("the follower has it all", async () => (await lastOf(low)) >= ahead);
  await expect.poll(() => list.count()).toBe(0);
});

test.each([
  ["A stale cache that isn't", /please: (?:.*, )?buy 1/],
  ["A cut link", /please: (?:.*, )?buy 1/],
  ["A lost quorum", /please: (?:.*, )?buy 1/],
  ["A killed leader", /promise me epoch/],
] as const)("%s: asked first, then done, shown and explained", async (title, seen) => {
  const page = await pages.open(played, { expected: /status of 503/ });
  await opened(page);
  await motion(page).getByRole("button", { name: title }).click();
  const scenario = page.getByTestId("scenario");
  expect(await scenario.getByText("What happens:").count()).toBe(0);
  await scenario.getByRole("button", { name: "I have an answer: do it" }).click();
  await scenario.getByText("What happens:").waitFor();
  expect(await scenario.getByText("It was not answered").count()).toBe(0);
  await motion(page)
    .getByRole("heading", { name: new RegExp(title, "i") })
    .waitFor();
  await screenshot(page, `scenario-${title.toLowerCase().replaceAll(/\W+/g, "-")}-1440-light`);
  expect(await violations(page)).toEqual([]);
  // The steps around the present one are written out, and a quorum may be missed for many steps.
  await motion(page).getByRole("button", { name: "Last" }).click();
  await motion(page).getByText("The steps, written out").click();
  await page.getByTestId("transcript").getByRole("button", { name: seen }).first().click();
  await words(page).getByText(seen).first().waitFor();
  expect(await violations(page)).toEqual([]);
  // As it was before, for the next.
  for (const id of cluster.replicas) {
    await node(page, `order-${id}`)
      .getByText(/^(leads|follows)$/)
      .first()
      .waitFor();
  }
});

test("who only looks on sees the journals, and is explained what others may do", async () => {
  const page = await pages.open(cluster.url, { expected: /status of 403/ });
  await opened(page);
  await motion(page).getByRole("button", { name: "A killed leader" }).click();
  const scenario = page.getByTestId("scenario");
  await scenario.getByText("Who may play does it").waitFor();
  await scenario.getByRole("button", { name: "I have an answer: explain" }).click();
  await scenario.getByText("What happens:").waitFor();
});

test("where movement isn't wanted, playing goes from step to step and nothing moves", async () => {
  const page = await pages.open(played);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await opened(page);
  await motion(page)
    .getByRole("button", { name: /^order \d+/ })
    .first()
    .click();
  await motion(page).getByRole("button", { name: "Play" }).click();
  const seen = new Map<string, string | null>();
  await expect
    .poll(async () => {
      for (const dot of await page.locator(".flight circle").all()) {
        const [line, x] = [
          await dot.evaluate((circle) => circle.parentElement?.textContent ?? ""),
          await dot.getAttribute("cx"),
        ];
        expect(seen.get(line) ?? x).toBe(x);
        seen.set(line, x);
      }
      return motion(page).locator("output").textContent();
    })
    .toMatch(/step [4-9] of/);
});

test("slow motion has a place at every width, light and dark, at twice the size of letters too", async () => {
  for (const width of [320, 390, 768, 1440, 1920]) {
    for (const scheme of ["light", "dark"] as const) {
      const page = await pages.open(played, { width, scheme });
      await opened(page);
      await tradeInTurn(cluster.client(), [{ name: "MenhirCo", type: "buy", quantity: 1 }]);
      await motion(page)
        .getByRole("button", { name: /^order \d+, buy 1 MenhirCo$/ })
        .first()
        .click();
      for (let steps = 0; steps < 4; steps += 1) {
        await motion(page).getByRole("button", { name: "Step", exact: true }).click();
      }
      const over = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect({ width, over }).toEqual({ width, over: 0 });
      await screenshot(page, `slow-motion-${width}-${scheme}`);
      expect(await violations(page)).toEqual([]);
      await page.close();
    }
  }
  // Twice the size is half the width: https://www.w3.org/WAI/WCAG22/Understanding/reflow.html
  const page = await pages.open(played, { width: 640 });
  await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
  await opened(page);
  const over = await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  expect(over).toBe(0);
  await screenshot(page, "slow-motion-200-percent");
});
