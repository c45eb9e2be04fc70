// What axe-core finds wrong with a page for those who can't see it, or use no mouse.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The violations, a line each; none is what it should be. */
export async function violations(page: Page): Promise<readonly string[]> {
  // Evaluated over the debugger: the page's own policy lets no other script in.
  await page.evaluate(SOURCE);
  const results: AxeResults = await page.evaluate("axe.run()");
  return results.violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`,
  );
}
