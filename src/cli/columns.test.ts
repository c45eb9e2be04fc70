// Tables that a person can read.

import { expect, test } from "vitest";
import { columns } from "./columns.ts";

test("columns line up, however long a cell is", () => {
  expect(columns([["role", "pid"], ["order-9094", "1", "leads"], ["x"]])).toBe(
    "role        pid\norder-9094  1    leads\nx\n",
  );
});

test("no rows give no lines", () => {
  expect(columns([])).toBe("");
});
