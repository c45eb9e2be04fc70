import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const SCENARIOS = ["trades", "lookups", "overload"];
const parse = (...args: string[]) => parseOptions(args, SCENARIOS);

test("without options everything is measured, and nothing published", () => {
  expect(parse()).toMatchObject({ scenarios: SCENARIOS, rounds: 3, publish: false, from: null });
});

test("rows, rounds and seconds can be chosen", () => {
  expect(parse("--only", "trades,lookups", "--rounds", "1", "--seconds", "2")).toMatchObject({
    scenarios: ["trades", "lookups"],
    rounds: 1,
    timing: { slotS: 2 },
  });
});

test("a misspelt row, or a number that is none, is refused", () => {
  expect(() => parse("--only", "trade")).toThrow("no row trade: ");
  for (const args of [
    ["--rounds", "0"],
    ["--rounds", "x"],
    ["--seconds", "0.5"],
    ["--fast"],
    ["x"],
  ]) {
    expect(() => parse(...args), args.join(" ")).toThrow();
  }
});
