import { expect, test } from "vitest";
import { within } from "./within.ts";

test("what comes in time isn't taken for late", async () => {
  expect(await within(Promise.resolve(7), 1_000)).toBe(7);
  await expect(within(Promise.reject(new Error("no")), 1_000)).rejects.toThrow("no");
});

test("what never comes isn't waited for", async () => {
  expect(await within(new Promise(() => {}), 1)).toBeUndefined();
});
