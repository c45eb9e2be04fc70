import { expect, test } from "vitest";
import { within } from "./within.ts";

test("a promise that settles in time gives its value or its error", async () => {
  expect(await within(Promise.resolve(7), 1_000)).toBe(7);
  await expect(within(Promise.reject(new Error("no")), 1_000)).rejects.toThrow("no");
});

test("a promise that never settles gives undefined at the time-out", async () => {
  expect(await within(new Promise(() => {}), 1)).toBeUndefined();
});
