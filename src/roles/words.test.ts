import { expect, test } from "vitest";
import { unknownStockText } from "./words.ts";

test("clients that match on the seed's words find others", () => {
  expect(unknownStockText("Ash")).toBe("Bad request. Ash stock not found in db");
});
