import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recurring } from "./recurring.ts";

const stops: (() => void)[] = [];
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "performance"] }));
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

/** When `run` was called, on the clock of the machine. */
function times(periodMs: () => number): number[] {
  const atMs: number[] = [];
  stops.push(recurring(periodMs, () => atMs.push(performance.timeOrigin + performance.now())));
  return atMs;
}

test("what began at different moments comes in the same ones", async () => {
  const first = times(() => 100);
  await vi.advanceTimersByTimeAsync(37);
  const second = times(() => 100);
  const seldom = times(() => 200);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(second.length).toBeGreaterThan(15);
  expect(first.slice(-10)).toEqual(second.slice(-10));
  for (const atMs of seldom) expect(first).toContain(atMs);
});

test("two calls are a period apart, and a new period holds from the next call on", async () => {
  let periodMs = 100;
  const atMs = times(() => periodMs);
  await vi.advanceTimersByTimeAsync(1_000);
  const gaps = () => atMs.slice(1).map((at, nth) => at - (atMs[nth] ?? 0));
  for (const gap of gaps()) expect(gap).toBeCloseTo(100, -1);
  periodMs = 500;
  await vi.advanceTimersByTimeAsync(3_000);
  for (const gap of gaps().slice(-4)) expect(gap).toBeCloseTo(500, -1);
});

test("nothing comes after the end, not even what was due", async () => {
  const atMs: number[] = [];
  const stop = recurring(
    () => 100,
    () => {
      atMs.push(performance.now());
      stop();
    },
  );
  await vi.advanceTimersByTimeAsync(1_000);
  expect(atMs).toHaveLength(1);
});
