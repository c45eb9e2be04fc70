// Where a role's log is, as its user is told.

import { expect, test } from "vitest";
import { logFilePath, shortPath } from "./role-command.ts";

test("a log's path is shown relative to the current folder if it lies inside", () => {
  const path = logFilePath("/srv/data", "order-9094");
  expect(path).toBe("/srv/data/logs/order-9094.log");
  expect(shortPath(path, "/srv")).toBe("data/logs/order-9094.log");
  expect(shortPath(path, "/srv/other")).toBe(path);
  expect(shortPath("/srv", "/srv")).toBe("/srv");
});
