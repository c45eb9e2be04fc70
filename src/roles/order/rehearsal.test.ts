import { expect, test } from "vitest";
import { rehearse } from "./rehearsal.ts";

test("a rehearsal stops before its trades, and so leaves what comes after them for a fail-over", async () => {
  expect(await rehearse()).toBe(30);
});
