import { expect, test } from "vitest";
import { LINK_TICK_LATE_MS, LINK_TICK_MS, SILENT_TICKS_MAX } from "./limits.ts";
import { Silence } from "./silence.ts";

/** What each tick says, `LINK_TICK_MS` apart. */
function ticks(silence: Silence, fromMs: number, heard: readonly number[]): boolean[] {
  return heard.map((count, index) => silence.tick(fromMs + (index + 1) * LINK_TICK_MS, count));
}

test("a connection on which nothing comes is given up at the third look", () => {
  expect(ticks(new Silence(7), 7, [0, 0, 0])).toEqual([false, false, true]);
});

test("one byte in time keeps a connection", () => {
  const heard = [1, 1, 1, 2, 2, 2, 3, 3, 3, 3];
  expect(ticks(new Silence(0), 0, heard)).toEqual([...Array(9).fill(false), true]);
});

test("a process that wakes doesn't end its connections for its own silence", () => {
  const silence = new Silence(0);
  expect(ticks(silence, 0, [1, 1, 1])).toEqual([false, false, false]);
  const wokenMs = 3 * LINK_TICK_MS + 60_000;
  expect(silence.tick(wokenMs, 1)).toBe(false);
  // What came while it was paused is read by now.
  expect(silence.tick(wokenMs + LINK_TICK_MS, 2)).toBe(false);
});

test("a connection that died while this process was paused is given up soon after it wakes", () => {
  const silence = new Silence(0);
  expect(silence.tick(60_000, 0)).toBe(false);
  expect(ticks(silence, 60_000, [0, 0, 0])).toEqual([false, false, true]);
});

test("a process that is always late still gives up a dead connection", () => {
  const silence = new Silence(0);
  const lateMs = LINK_TICK_LATE_MS + 1;
  const said = Array.from({ length: SILENT_TICKS_MAX + 1 }, (_, index) =>
    silence.tick((index + 1) * lateMs, 0),
  );
  expect(said).toEqual([false, false, false, true]);
});
