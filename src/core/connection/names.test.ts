import { expect, test } from "vitest";
import { holderOf, nameOf } from "./names.ts";

test("two processes of one name are two holders", () => {
  expect(holderOf("frontend", "a")).not.toBe(holderOf("frontend", "b"));
  expect(nameOf(holderOf("frontend-8001", "a-b"))).toBe("frontend-8001");
});
