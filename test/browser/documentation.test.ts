// The documentation as a site, opened from its files in a real browser.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { ROOT, Running } from "../../lab/process.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const SITE = join(ROOT, "docs-site");
const pages = usePages();
/** The checker of accessibility would read the style sheet, which a page from a file may not. */
const CHECKER = /docs-site\/style\.css|preload assets|ERR_FAILED/;

beforeAll(async () => {
  const { status, stderr } = await new Running(process.execPath, ["scripts/build-docs.ts"]).end();
  if (status !== 0) throw new Error(stderr);
});

test("every link of the site leads to a page, and to a heading on it", () => {
  const files = readdirSync(SITE).filter((name) => name.endsWith(".html"));
  const texts = new Map(files.map((name) => [name, readFileSync(join(SITE, name), "utf8")]));
  const broken = [...texts].flatMap(([name, text]) =>
    [...text.matchAll(/ (?:href|src)="([^"]+)"/g)].flatMap(([, link = ""]) => {
      if (link.startsWith("http")) return [];
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? text : texts.get(file);
      const isThere = file === "" || existsSync(join(SITE, file));
      const hasAnchor = anchor === undefined || target?.includes(` id="${anchor}"`);
      return isThere && hasAnchor ? [] : [`${name}: ${link}`];
    }),
  );
  expect(files.length).toBeGreaterThan(10);
  expect(broken).toEqual([]);
});

test.each([390, 1440])(
  "at %d pixels the site is read and searched from its files",
  async (width) => {
    const page = await pages.open(pathToFileURL(join(SITE, "index.html")).href, {
      width,
      expected: CHECKER,
    });
    await page.getByRole("heading", { name: "Stock Bazaar", level: 1 }).waitFor();
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(overflow).toBe(0);
    await page.getByLabel("Search").fill("lost disk");
    await screenshot(page, `documentation-${width}`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("link", { name: "The protocol: A lost disk" }).click();
    await page.getByRole("heading", { name: "A lost disk" }).waitFor();
    await page.getByLabel("Search").fill("xyzzy nowhere");
    await page.getByText("Nothing found.").waitFor();
  },
);
