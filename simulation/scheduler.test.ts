import { expect, test } from "vitest";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

test("what is due earlier happens earlier", () => {
  const scheduler = new Scheduler();
  const random = new Random(3);
  const ran: number[] = [];
  for (let count = 0; count < 2_000; count += 1) {
    const delayMs = random.between(0, 100);
    scheduler.after(delayMs, () => {
      expect(scheduler.now).toBe(delayMs);
      ran.push(delayMs);
    });
  }
  scheduler.runUntil(100);
  expect(ran).toHaveLength(2_000);
  expect(ran).toEqual(ran.toSorted((a, b) => a - b));
  expect(scheduler.executed).toBe(2_000);
});

test("what is due at one moment happens in the order in which it was scheduled", () => {
  const scheduler = new Scheduler();
  const ran: number[] = [];
  for (let count = 0; count < 100; count += 1) scheduler.after(5, () => ran.push(count));
  scheduler.runUntil(5);
  expect(ran).toEqual(Array.from({ length: 100 }, (_, count) => count));
});

test("what lies beyond the end waits for the next run", () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  scheduler.after(10, () => ran.push("at the end"));
  scheduler.after(10.5, () => ran.push("after it"));
  scheduler.runUntil(10);
  expect(ran).toEqual(["at the end"]);
  expect(scheduler.now).toBe(10);
  scheduler.runUntil(20);
  expect(ran).toEqual(["at the end", "after it"]);
  expect(scheduler.now).toBe(20);
});

test("what is scheduled by something that happens is counted from then", () => {
  const scheduler = new Scheduler();
  const ran: number[] = [];
  const again = (): void => {
    ran.push(scheduler.now);
    scheduler.after(3, again);
  };
  scheduler.after(1, again);
  scheduler.runUntil(10);
  expect(ran).toEqual([1, 4, 7, 10]);
});

test("time never goes back", () => {
  const scheduler = new Scheduler();
  scheduler.runUntil(10);
  const ran: number[] = [];
  scheduler.after(-5, () => ran.push(scheduler.now));
  scheduler.runUntil(4);
  expect(scheduler.now).toBe(10);
  scheduler.runUntil(11);
  expect(ran).toEqual([10]);
});
