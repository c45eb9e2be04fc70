// The machine that runs the tests.

import { hostname } from "node:os";
import { expect, test } from "vitest";
import { aboutNow } from "./about.ts";

test("numbers are told with the machine they are from, and without its name", () => {
  const about = aboutNow(["npx bazaar evaluate"]);
  expect(about.node).toBe(process.version);
  expect(about.processors).toBeGreaterThan(0);
  expect(Date.parse(about.date)).toBeGreaterThan(0);
  expect(Object.values({ ...about, system: "" })).not.toContain(hostname());
});
