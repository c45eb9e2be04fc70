import { expect, test } from "vitest";
import { counted, longestGapMs, outcomes } from "./history.ts";
import { lookup, trade } from "./testing.ts";

const history = [
  trade("a", [0, 1e6], "buy", "FishCo", 1, 1),
  trade("a", [2e6, 9e6], "buy", "FishCo", 1, "unknown: 503"),
  trade("a", [2e6, 5e6], "buy", "FishCo", 1, "unknown: aborted"),
  trade("b", [2e6, 21e6], "buy", "FishCo", 1, "refused: insufficient volume"),
  lookup("b", [22e6, 99e6], "FishCo", 10),
];

test("the longest gap between answered trades counts, whatever lookups and unanswered calls lie in it", () => {
  expect(longestGapMs(history)).toBe(20);
  expect(longestGapMs([])).toBe(0);
});

test("calls of unknown fate are counted together, whatever the reason", () => {
  expect(counted(outcomes(history))).toBe(
    [
      "        1  lookup found",
      "        1  trade accepted",
      "        1  trade refused: insufficient volume",
      "        2  trade unknown",
    ].join("\n"),
  );
});
