import { expect, test } from "vitest";
import { BEAT_MS } from "../../core/service/limits.ts";
import { IdleWork } from "./idle-work.ts";
import { FLUSH_DELAY_MS, IDLE_AFTER_MS, SCRUB_EVERY_MS } from "./limits.ts";

function idleWork({ scrubSlices = 0 } = {}) {
  const state = { nowMs: 0, delivered: 10, hasLeader: true, flushes: 0, slices: 0 };
  const tables = {
    appliedPosition: 10,
    flush(): void {
      state.flushes++;
      tables.appliedPosition = state.delivered;
    },
  };
  const work = new IdleWork({
    tables,
    journal: { scrub: () => ({ done: ++state.slices >= scrubSlices }) },
    deliveredPosition: () => state.delivered,
    nowMs: () => state.nowMs,
  });
  const beats = (ms: number): void => {
    for (const end = state.nowMs + ms; state.nowMs < end; ) {
      state.nowMs += BEAT_MS;
      work.tick(state.hasLeader);
    }
  };
  return { state, tables, beats };
}

test("the newest orders of a quiet bazaar reach the tables", () => {
  const { state, beats } = idleWork();
  state.delivered = 12;
  beats(FLUSH_DELAY_MS);
  expect(state.flushes).toBe(0);
  beats(2 * BEAT_MS);
  expect(state.flushes).toBe(1);
  beats(10 * FLUSH_DELAY_MS);
  expect(state.flushes).toBe(1);
});

test("tables that appends keep up are not written a second time", () => {
  const { state, tables, beats } = idleWork();
  for (let round = 0; round < 50; round++) {
    state.delivered += 5;
    tables.appliedPosition = state.delivered - 5;
    beats(BEAT_MS);
  }
  expect(state.flushes).toBe(0);
});

test("old entries are verified in idle time, and a little of them under load", () => {
  const { state, beats } = idleWork({ scrubSlices: 20 });
  beats(IDLE_AFTER_MS + 5 * BEAT_MS);
  expect(state.slices).toBeGreaterThanOrEqual(4);
  const before = state.slices;
  for (let round = 0; round < SCRUB_EVERY_MS / BEAT_MS; round++) {
    state.delivered++;
    beats(BEAT_MS);
  }
  expect(state.slices - before).toBe(1);
  beats(100 * BEAT_MS);
  expect(state.slices).toBe(20);
});

test("an election doesn't wait for idle work, nor do the trades after it", () => {
  const { state, beats } = idleWork({ scrubSlices: 20 });
  beats(IDLE_AFTER_MS);
  const before = state.slices;
  state.delivered++;
  state.hasLeader = false;
  beats(2 * IDLE_AFTER_MS);
  expect([state.slices, state.flushes]).toEqual([before, 0]);
  state.hasLeader = true;
  beats(FLUSH_DELAY_MS);
  expect(state.slices - before).toBeLessThanOrEqual(1);
});
