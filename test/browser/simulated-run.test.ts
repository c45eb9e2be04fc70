// A run of the simulation, opened as a page and stepped through to its violation.

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { bugNamed } from "../../simulation/bugs.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const pages = usePages();
const BUG = "ack-before-fsync";
let running: Running;
let url: string;

beforeAll(async () => {
  const seed = bugNamed(BUG).found?.first ?? 1;
  running = new Running(process.execPath, [
    "simulation/main.ts",
    ...["--seed", String(seed), "--bug", BUG, "--view"],
  ]);
  url = await until("the address", () => /^open (http\S+)$/m.exec(running.stdout)?.[1]);
});
afterAll(() => {
  running?.child.kill("SIGTERM");
});

const words = (page: Page) => page.getByTestId("replay-words");

test("the violation that the simulation found is told, and stepped to from before it", async () => {
  expect(running.stdout).toContain("Violation: R2: ");
  const page = await pages.open(url);
  await page.locator(".pill").getByText("Violation: R2: ").waitFor();
  await page.getByRole("button", { name: "Last" }).click();
  await words(page).getByText("Violation: R2: ").waitFor();
  await screenshot(page, "simulated-1440-light");
  await page.getByRole("button", { name: "Back", exact: true }).click();
  await expect.poll(() => words(page).textContent()).not.toContain("Violation");
  await page.getByRole("button", { name: "Step", exact: true }).click();
  await words(page).getByText("Violation: R2: ").waitFor();
  await page.getByText("The steps, written out").click();
  const transcript = page.getByTestId("transcript");
  await transcript
    .getByRole("button", { name: /would you follow me/ })
    .first()
    .click();
  await words(page).getByText("would you follow me").first().waitFor();
  expect(await violations(page)).toEqual([]);
});

test("the page of a run has a place at every width, light and dark", async () => {
  for (const width of [320, 390, 768, 1440, 1920]) {
    for (const scheme of ["light", "dark"] as const) {
      const page = await pages.open(url, { width, scheme });
      await page.getByRole("button", { name: "Last" }).click();
      await words(page).getByText("Violation").waitFor();
      const over = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect({ width, over }).toEqual({ width, over: 0 });
      await screenshot(page, `simulated-${width}-${scheme}`);
      expect(await violations(page)).toEqual([]);
      await page.close();
    }
  }
});

test("nothing but the page and the run is served", async () => {
  for (const path of ["../package.json", "assets/../../package.json", "package.json", "x.js"]) {
    expect((await fetch(new URL(path, url))).status).toBe(404);
  }
});
