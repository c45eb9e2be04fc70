// Which failures end a start for good.

import { expect, test } from "vitest";
import { DirectoryLocked, JournalCorrupt } from "../io/journal/errors.ts";
import { isMisconfiguration } from "./misconfiguration.ts";
import { UserError } from "./user-error.ts";

test("a port in use is not tried again and again, a damaged file doesn't stop the others", () => {
  expect(isMisconfiguration(new UserError("choose another"))).toBe(true);
  expect(isMisconfiguration(Object.assign(new Error(), { code: "EADDRINUSE" }))).toBe(true);
  expect(isMisconfiguration(new DirectoryLocked("data/order-9094"))).toBe(true);
  expect(isMisconfiguration(new JournalCorrupt("order.db", 7, "a bad checksum"))).toBe(false);
  expect(isMisconfiguration(Object.assign(new Error(), { code: "ENOSPC" }))).toBe(false);
  expect(isMisconfiguration(new Error("a bad checksum"))).toBe(false);
  expect(isMisconfiguration("EADDRINUSE")).toBe(false);
});
