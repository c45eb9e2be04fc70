// When a crashed role is started again, and when no more.

import { expect, test } from "vitest";
import { CRASH_WINDOW_MS, CRASHES_MAX, RestartPolicy } from "./restart-policy.ts";

test("a role that can't live is not started for ever", () => {
  const policy = new RestartPolicy();
  const restarted = Array.from({ length: CRASHES_MAX }, (_, n) => policy.crashed(n * 1_000));
  expect(restarted).toEqual([true, true, true, true, false]);
});

test("a role that is killed now and then is not given up", () => {
  const policy = new RestartPolicy();
  const every = CRASH_WINDOW_MS / (CRASHES_MAX - 1);
  for (let n = 0; n < 100; n++) expect(policy.crashed(n * every)).toBe(true);
});
