// What is a number and what isn't.

import { expect, test } from "vitest";
import { numberGiven, numberIn } from "./numbers.ts";
import { UserError } from "./user-error.ts";

test.each([
  ["10", 10],
  ["-5", -5],
  ["+5", 5],
  ["0.25", 0.25],
  [".5", 0.5],
  ["1e3", 1000],
])("%s is read as a number", (text, number) => expect(numberIn(text)).toBe(number));

test.each(["", " ", "10x", "0x10", "1e999", "NaN", "Infinity", "1,5", "--5", "."])(
  "%j is no number",
  (text) => expect(numberIn(text)).toBeNull(),
);

test("a number outside of its limits is refused with the limits", () => {
  const whole = { min: 1, max: 100, isWhole: true };
  expect(numberGiven("--clients", "100", whole)).toBe(100);
  for (const wrong of ["0", "101", "1.5", "many"]) {
    expect(() => numberGiven("--clients", wrong, whole)).toThrow(
      new UserError(`--clients must be a whole number from 1 to 100, not "${wrong}"`),
    );
  }
  const share = { min: 0, max: 1, isWhole: false };
  expect(numberGiven("--probability", "0.5", share)).toBe(0.5);
  expect(() => numberGiven("--probability", "1.5", share)).toThrow("a number from 0 to 1");
});
