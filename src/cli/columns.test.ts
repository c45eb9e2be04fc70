// Tables that a person can read.

import { expect, test } from "vitest";
import { columns } from "./columns.ts";

test("a long cell doesn't push the next column out of line", () => {
  expect(columns([["role", "pid"], ["order-9094", "1", "leads"], ["x"]])).toBe(
    "role        pid\norder-9094  1    leads\nx\n",
  );
});

test("no rows are no lines", () => {
  expect(columns([])).toBe("");
});
