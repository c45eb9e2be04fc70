import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const SCENARIOS = ["trades", "lookups", "overload"];
const parse = (...args: string[]) => parseOptions(args, SCENARIOS);

test("without options everything is measured, and nothing published", () => {
  expect(parse()).toMatchObject({
    kind: "options",
    options: { scenarios: SCENARIOS, rounds: 3, publish: false, from: null },
  });
});

test("a quick look", () => {
  expect(parse("--only", "trades,lookups", "--rounds", "1", "--seconds", "2")).toMatchObject({
    options: { scenarios: ["trades", "lookups"], rounds: 1, timing: { slotS: 2 } },
  });
});

test("a misspelt row, or a number that is none, doesn't measure something else", () => {
  expect(parse("--only", "trade")).toMatchObject({ kind: "wrong", message: /no row trade: / });
  for (const args of [
    ["--rounds", "0"],
    ["--rounds", "x"],
    ["--seconds", "0.5"],
    ["--fast"],
    ["x"],
  ]) {
    expect(parse(...args).kind).toBe("wrong");
  }
  expect(parse("--help").kind).toBe("help");
});
