import { expect, test } from "vitest";
import { unknownStockText } from "./words.ts";

test("the message about an unknown stock is the reference program's, word for word", () => {
  expect(unknownStockText("Ash")).toBe("Bad request. Ash stock not found in db");
});
