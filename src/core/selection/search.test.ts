import { describe, expect, test } from "vitest";
import { AwakeClock } from "./awake-clock.ts";
import {
  BACK_OFF_MAX_MS,
  ENTRIES_BEHIND_MAX,
  NOMINATE_MS,
  REPLICA_SILENCE_MS,
  START_WAIT_MS,
} from "./limits.ts";
import { ReplicaView } from "./replica-view.ts";
import { Search } from "./search.ts";
import { follows, healthOf, leads, SelectionDriver, settled } from "./test-support.ts";
import type { ReplicaHealth } from "./types.ts";

describe("at start", () => {
  test("9094 is nominated, though it comes up a little later than 9092", () => {
    const driver = new SelectionDriver();
    driver.connect(9090, 9092);
    const up: ReplicaHealth[] = [healthOf(9090), healthOf(9092)];
    driver.answer(...up);
    driver.pass(START_WAIT_MS - 100, () => up);
    expect(driver.nominees).toEqual([]);
    driver.connect(9094);
    driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
    expect(driver.nominees).toEqual([9094]);
  });

  test("the first nomination doesn't wait when all replicas have answered", () => {
    const driver = new SelectionDriver();
    driver.connect(9090, 9092, 9094);
    driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
    expect(driver.nominees).toEqual([9094]);
  });

  test("a replica that never comes up delays the first nomination by little more than the start wait", () => {
    const driver = new SelectionDriver({ startWaitMs: 300 });
    driver.connect(9090, 9092);
    while (driver.nominees.length === 0) {
      driver.answer(healthOf(9090), healthOf(9092));
      driver.pass(5);
      expect(driver.nowMs).toBeLessThan(700);
    }
    expect(driver.nominees).toEqual([9092]);
  });

  test("9094 is nominated again when it lost, and nobody else, while the start wait lasts", () => {
    const driver = new SelectionDriver();
    driver.connect(9090, 9092, 9094);
    for (let round = 0; round < 3; round += 1) {
      driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
      driver.nominated(9094, { kind: "lost", reason: "no quorum" });
      driver.pass(120, () => [healthOf(9090), healthOf(9092), healthOf(9094)]);
    }
    expect(new Set(driver.nominees)).toEqual(new Set([9094]));
  });

  test("an elected leader is adopted before the others have answered", () => {
    const driver = new SelectionDriver();
    driver.connect(9092);
    driver.answer(leads(9092, 3));
    expect(driver.selection.leader).toBe(9092);
  });

  test("a leader lost right after the start is replaced without waiting for the start to end", () => {
    const driver = settled();
    driver.disconnect(9094);
    driver.answer(healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 }));
    expect(driver.nominees).toEqual([9092]);
  });
});

describe("nominating", () => {
  const afterStart = () => new SelectionDriver({ startWaitMs: 0 });

  test("a failed nominee gives the next its turn", () => {
    const driver = afterStart();
    driver.connect(9090, 9092, 9094);
    driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
    driver.nominated(9094, { kind: "lost", reason: "no quorum" });
    driver.nominated(9092, null);
    expect(driver.nominees).toEqual([9094, 9092, 9090]);
    driver.nominated(9090, { kind: "leading", epoch: 1 });
    expect(driver.selection.leader).toBe(9090);
  });

  test("a nominee that crashes isn't waited for", () => {
    const driver = afterStart();
    driver.connect(9090, 9092, 9094);
    driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
    driver.disconnect(9094);
    expect(driver.nominees).toEqual([9094, 9092]);
  });

  test("a nominee that beats but never answers is passed over at its time limit", () => {
    const driver = afterStart();
    const beats = () => [healthOf(9090), healthOf(9092), healthOf(9094)];
    driver.connect(9090, 9092, 9094);
    driver.answer(...beats());
    driver.pass(NOMINATE_MS + 100, beats);
    expect(driver.nominees).toEqual([9094, 9092]);
  });

  test("a nominee that falls silent isn't waited for as long as one that beats", () => {
    const driver = afterStart();
    const beats = () => [healthOf(9090), healthOf(9092)];
    driver.connect(9090, 9092, 9094);
    driver.answer(healthOf(9094), ...beats());
    driver.pass(600, beats);
    expect(driver.nominees).toEqual([9094, 9092]);
  });

  test("a replica far behind the best isn't nominated", () => {
    const driver = afterStart();
    driver.connect(9090, 9092, 9094);
    const far = ENTRIES_BEHIND_MAX + 1;
    driver.answer(
      healthOf(9090, { lastPosition: far + 50 }),
      healthOf(9092, { lastPosition: 50 }),
      healthOf(9094, { lastPosition: 49 }),
    );
    expect(driver.nominees).toEqual([9090]);
  });

  test("a replica just not too far behind is nominated", () => {
    const driver = afterStart();
    driver.connect(9090, 9094);
    driver.answer(healthOf(9090, { lastPosition: ENTRIES_BEHIND_MAX + 1 }));
    driver.answer(healthOf(9094, { lastPosition: 1 }));
    expect(driver.nominees).toEqual([9094]);
  });

  test("a round doesn't wait for a replica that is paused", () => {
    const driver = settled();
    driver.pass(2 * REPLICA_SILENCE_MS, () => [leads(9094, 1), follows(9090, 9094, 1)]); // 9092 is silent
    driver.disconnect(9094);
    driver.answer(healthOf(9090, { epoch: 1 }));
    expect(driver.nominees).toEqual([9090]);
  });

  test("rounds without a winner follow each other after rests that grow up to a limit", () => {
    const driver = afterStart();
    const beats = () => [healthOf(9092)];
    driver.connect(9092);
    const nominatedAtMs: number[] = [];
    while (driver.nowMs < 20_000) {
      driver.pass(1, beats);
      if (driver.take("ask-health").length > 0) driver.answer(healthOf(9092));
      if (driver.take("nominate").length > 0) {
        nominatedAtMs.push(driver.nowMs);
        driver.nominated(9092, { kind: "lost", reason: "no quorum" });
      }
    }
    const gaps = nominatedAtMs.slice(1).map((at, i) => at - (nominatedAtMs[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(BACK_OFF_MAX_MS + 50);
    expect(Math.max(...gaps.slice(0, 2))).toBeLessThan(60);
    expect(Math.min(...gaps.slice(10))).toBeGreaterThan(BACK_OFF_MAX_MS / 2);
  });

  test("a replica that connects during a rest begins the next round at once", () => {
    const driver = afterStart();
    const beats = () => [healthOf(9092)];
    driver.connect(9092);
    for (let round = 0; round < 5; round += 1) {
      driver.answer(healthOf(9092));
      driver.nominated(9092, { kind: "lost", reason: "no quorum" });
      driver.pass(round < 4 ? BACK_OFF_MAX_MS : 1, beats);
    }
    driver.effects.length = 0;
    driver.connect(9090);
    expect(driver.take("ask-health").map((effect) => effect.replica)).toEqual([9092, 9090]);
  });

  test("an answer to a nomination of long ago doesn't depose the present leader", () => {
    const driver = settled();
    driver.beat(leads(9092, 5));
    driver.nominated(9094, { kind: "leading", epoch: 3 });
    expect(driver.selection.leader).toBe(9092);
  });
});

test("a search acts at the moment for which it asks to be woken, and not before", () => {
  const clock = new AwakeClock();
  const view = new ReplicaView(9092);
  const effects: string[] = [];
  const search = new Search({
    views: [view],
    clock,
    random: () => 0,
    emit: (effect) => effects.push(effect.kind),
    startUntilMs: 0,
  });
  clock.advance(0);
  search.beginRound(); // nobody is connected
  const restMs = search.wakeInMs;
  expect(restMs).toBeGreaterThan(0);
  view.connect(0);
  clock.advance(restMs - 1);
  search.tick();
  expect(effects).toEqual([]);
  clock.advance(restMs);
  search.tick();
  expect(effects).toEqual(["ask-health"]);
});
