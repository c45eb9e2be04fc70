import { expect, test } from "vitest";
import { counted, longestGapMs, outcomes } from "./report.ts";
import { lookup, trade } from "./testing.ts";

const history = [
  trade("a", [0, 1e6], "buy", "FishCo", 1, 1),
  trade("a", [2e6, 9e6], "buy", "FishCo", 1, "unknown: 503"),
  trade("a", [2e6, 5e6], "buy", "FishCo", 1, "unknown: aborted"),
  trade("b", [2e6, 21e6], "buy", "FishCo", 1, "refused: insufficient volume"),
  lookup("b", [22e6, 99e6], "FishCo", 10),
];

test("a gap that an unanswered call, or a lookup, would hide is told", () => {
  expect(longestGapMs(history)).toBe(20);
  expect(longestGapMs([])).toBe(0);
});

test("calls that failed for different reasons are counted together", () => {
  expect(counted(outcomes(history))).toBe(
    [
      "        1  lookup found",
      "        1  trade accepted",
      "        1  trade refused: insufficient volume",
      "        2  trade unknown",
    ].join("\n"),
  );
});
