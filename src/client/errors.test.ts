// What a failure tells its caller.

import { expect, test } from "vitest";
import { BazaarError } from "./errors.ts";

test("the error of a failed trade has its key", () => {
  const cause = new Error("socket hang up");
  const error = new BazaarError("unavailable", "no answer in time", {
    key: "k",
    attempts: 3,
    cause,
  });
  expect(error).toMatchObject({ kind: "unavailable", key: "k", attempts: 3, status: null, cause });
  expect(`${error}`).toBe("BazaarError: no answer in time");
});

test("what an error doesn't know is null", () => {
  expect(new BazaarError("aborted", "x")).toMatchObject({ key: null, status: null, attempts: 0 });
});
