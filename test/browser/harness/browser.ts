// A real browser for a test file, and pages that tell on themselves: what goes
// wrong in one, and what it asks of another host, fails the test that opened it.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { chromiumLaunch } from "../../../scripts/chromium.ts";

/** Limit for a thing to show on a page, on a busy machine, milliseconds. */
export const SHOWN_LIMIT_MS = 60_000;
const SCREENSHOTS = join(import.meta.dirname, "../screenshots");

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  /** Lines of the console that are no fault: a lost connection is told there by the browser itself. */
  readonly expected?: RegExp;
}

export interface Pages {
  open(url: string, options?: PageOptions): Promise<Page>;
}

/** Pages that are closed after each test; say it at the top of the file. */
export function usePages(): Pages {
  let browser: Browser;
  const opened: { readonly page: Page; readonly faults: string[] }[] = [];
  beforeAll(async () => {
    const launch = await chromiumLaunch();
    if (!launch) throw new Error("the browser doesn't start: run scripts/ensure-browser.ts");
    browser = await chromium.launch({
      executablePath: launch.executable,
      env: { ...process.env, ...launch.env },
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });
  afterEach(async () => {
    const faults: string[] = [];
    for (const { page, faults: found } of opened.splice(0)) {
      faults.push(...found);
      await page.close();
    }
    expect(faults).toEqual([]);
  });
  afterAll(() => browser.close());
  return {
    async open(url, { width = 1440, height = 900, scheme = "light", expected } = {}) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
      page.setDefaultTimeout(SHOWN_LIMIT_MS);
      const faults: string[] = [];
      opened.push({ page, faults });
      const note = (fault: string) => {
        if (!expected?.test(fault)) faults.push(fault);
      };
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") note(message.text());
      });
      page.on("pageerror", (error) => note(String(error.stack)));
      const { host } = new URL(url);
      page.on("request", (request) => {
        const asked = new URL(request.url());
        if (asked.host !== host) note(`asked another host: ${asked.href}`);
      });
      await page.goto(url);
      return page;
    },
  };
}

/** Keeps a picture of the whole page among the artefacts of the tests. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}
