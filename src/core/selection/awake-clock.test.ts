import { expect, test } from "vitest";
import { AwakeClock } from "./awake-clock.ts";
import { AWAKE_STEP_MAX_MS, TICK_GAP_MS, TICK_MS } from "./limits.ts";

test("time awake is the time that passes while the process runs", () => {
  const clock = new AwakeClock();
  for (let nowMs = 1_000; nowMs <= 1_500; nowMs += TICK_MS) clock.advance(nowMs);
  expect(clock.awakeMs).toBe(500);
});

test("a pause adds no more than one step to the time awake", () => {
  const clock = new AwakeClock();
  clock.advance(0);
  clock.advance(60_000);
  expect(clock.awakeMs).toBe(AWAKE_STEP_MAX_MS);
});

test("a clock that goes back makes no time count twice", () => {
  const clock = new AwakeClock();
  for (const nowMs of [0, 40, 10, 40, 50]) clock.advance(nowMs);
  expect(clock.awakeMs).toBe(50);
});

test("the first tick after a pause doesn't judge, the next one does", () => {
  const clock = new AwakeClock();
  expect(clock.tick(0)).toBe(true);
  expect(clock.tick(TICK_GAP_MS)).toBe(true);
  expect(clock.tick(2 * TICK_GAP_MS + 1)).toBe(false);
  expect(clock.tick(2 * TICK_GAP_MS + 1 + TICK_MS)).toBe(true);
});

test("a process whose every turn is slow judges all the same", () => {
  const clock = new AwakeClock();
  const judges = [0, 1, 2, 3, 4].map((turn) => clock.tick(turn * (TICK_GAP_MS + 1)));
  expect(judges).toEqual([true, false, true, true, true]);
});
