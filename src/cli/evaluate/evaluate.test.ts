// Only what needs no cluster; test/system runs the whole.

import { expect, test } from "vitest";
import { aboutNow } from "./about.ts";
import { evaluate } from "./evaluate.ts";

test("an evaluation that is interrupted before it began starts nothing", async () => {
  const told: string[] = [];
  const evaluating = evaluate({
    clients: 1,
    iterations: 1,
    kills: 1,
    about: aboutNow([]),
    onProgress: (_part, what) => told.push(what),
    signal: AbortSignal.abort(new Error("SIGINT")),
  });
  await expect(evaluating).rejects.toThrow("SIGINT");
  expect(told).toEqual([]);
});
