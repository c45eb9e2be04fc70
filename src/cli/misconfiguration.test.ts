// Which failures end a start for good.

import { expect, test } from "vitest";
import { isMisconfiguration } from "./misconfiguration.ts";
import { UserError } from "./user-error.ts";

test("a port in use is not tried again and again, a damaged file doesn't stop the others", () => {
  expect(isMisconfiguration(new UserError("choose another"))).toBe(true);
  expect(isMisconfiguration(Object.assign(new Error(), { code: "EADDRINUSE" }))).toBe(true);
  expect(isMisconfiguration(Object.assign(new Error(), { code: "ENOSPC" }))).toBe(false);
  expect(isMisconfiguration(new Error("a bad checksum"))).toBe(false);
  expect(isMisconfiguration("EADDRINUSE")).toBe(false);
});
