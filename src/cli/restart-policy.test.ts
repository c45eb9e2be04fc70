// When a crashed role is started again, and when no more.

import { expect, test } from "vitest";
import {
  CRASH_WINDOW_MS,
  CRASHES_MAX,
  ELECTION_MS,
  RESTART_AFTER_MS,
  RestartPolicy,
} from "./restart-policy.ts";

test("a role that crashes again and again is started again after waits, and is given up in the end", () => {
  const policy = new RestartPolicy(0);
  const waits = Array.from({ length: CRASHES_MAX }, (_, n) => policy.crashed(n * 1_000));
  expect(waits).toEqual([0, RESTART_AFTER_MS, RESTART_AFTER_MS, RESTART_AFTER_MS, null]);
});

test("a role that is killed now and then is always started again", () => {
  const policy = new RestartPolicy(0);
  const every = CRASH_WINDOW_MS / (CRASHES_MAX - 1);
  for (let n = 0; n < 100; n++) expect(policy.crashed(n * every)).not.toBeNull();
});

test("a role whose last crash is long ago is started again at once", () => {
  const policy = new RestartPolicy(0);
  for (let n = 0; n < 10; n++) expect(policy.crashed(n * CRASH_WINDOW_MS)).toBe(0);
});

test("a replica's first start after a crash waits for the election of the next leader", () => {
  const policy = new RestartPolicy(ELECTION_MS);
  expect(policy.crashed(0)).toBe(ELECTION_MS);
  expect(policy.crashed(1_000)).toBe(RESTART_AFTER_MS);
});
