// Only what needs no cluster; test/system runs the whole.

import { hostname } from "node:os";
import { expect, test } from "vitest";
import { aboutNow, evaluate } from "./evaluate.ts";

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

test("the machine is told of, without its name", () => {
  const about = aboutNow(["npx bazaar evaluate"]);
  expect(about.node).toBe(process.version);
  expect(about.processors).toBeGreaterThan(0);
  expect(Date.parse(about.date)).toBeGreaterThan(0);
  expect(Object.values({ ...about, system: "" })).not.toContain(hostname());
});
