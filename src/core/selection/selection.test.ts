import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Selection } from "./selection.ts";
import {
  follows,
  healthOf,
  leads,
  SelectionDriver,
  settled,
  settledBeats,
} from "./test-support.ts";
import type { SelectionEvent } from "./types.ts";

describe("losing the leader", () => {
  test("a crash is noticed when the connection closes, before beats are missed", () => {
    const driver = settled();
    driver.disconnect(9094);
    expect(driver.selection.leader).toBeNull();
    expect(driver.take("ask-health").map((effect) => effect.replica)).toEqual([9092, 9090]);
  });

  test("a paused leader with an open connection is given up for its silence", () => {
    const driver = settled();
    driver.pass(400, () => [follows(9092, 9094, 1), follows(9090, 9094, 1)]);
    expect(driver.selection.leader).toBe(9094);
    driver.pass(150, () => [healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 })]);
    expect(driver.selection.leader).toBeNull();
    driver.answer(healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 }));
    expect(driver.nominees).toEqual([9092]); // 9094, which doesn't answer, isn't waited for
  });

  test("a leader that says that it leads no more is given up at once", () => {
    const driver = settled();
    driver.beat(healthOf(9094, { epoch: 1 }));
    expect(driver.selection.leader).toBeNull();
    expect(driver.log).toEqual(["9094 order leads no more"]);
  });

  test("what a leader said before it led doesn't depose it", () => {
    const driver = settled();
    driver.beat(leads(9092, 3));
    driver.beat(healthOf(9092, { epoch: 2 }));
    expect(driver.selection.leader).toBe(9092);
  });

  test("a late beat of a crashed leader doesn't bring it back", () => {
    const driver = settled();
    driver.disconnect(9094);
    driver.beat(leads(9094, 1));
    driver.answer(leads(9094, 1));
    expect(driver.selection.leader).toBeNull();
  });

  test("a working leader isn't replaced because a higher id came back", () => {
    const driver = settled();
    driver.beat(leads(9092, 2));
    driver.disconnect(9094);
    driver.connect(9094);
    driver.effects.length = 0;
    driver.pass(5_000, () => [leads(9092, 2), follows(9094, 9092, 2), follows(9090, 9092, 2)]);
    expect(driver.selection.leader).toBe(9092);
    expect(driver.effects).toEqual([]);
  });

  test("followers that haven't noticed the crash yet are waited for before anybody is nominated", () => {
    const driver = settled();
    driver.disconnect(9094);
    driver.answer(healthOf(9092, { epoch: 1 }), follows(9090, 9094, 1));
    expect(driver.nominees).toEqual([]);
    driver.beat(healthOf(9090, { epoch: 1 }));
    expect(driver.nominees).toEqual([9092]);
  });

  test("followers that may have noticed meanwhile are asked again after 5 ms", () => {
    const driver = settled();
    driver.disconnect(9094);
    const answers = [healthOf(9092, { epoch: 1 }), follows(9090, 9094, 1)];
    driver.answer(...answers);
    driver.take("ask-health");
    driver.pass(4);
    expect(driver.take("ask-health")).toEqual([]);
    driver.pass(1);
    expect(driver.take("ask-health").map((effect) => effect.replica)).toEqual([9092, 9090]);
    driver.answer(healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 }));
    expect(driver.nominees).toEqual([9092]);
  });

  test("a follower that never notices delays the nomination by a limited time", () => {
    const driver = settled();
    driver.disconnect(9094);
    const answers = [healthOf(9092, { epoch: 1 }), follows(9090, 9094, 1)];
    while (driver.nominees.length === 0) {
      if (driver.take("ask-health").length > 0) driver.answer(...answers);
      driver.pass(1);
      expect(driver.nowMs).toBeLessThan(60);
    }
    expect(driver.nominees).toEqual([9092]);
  });

  test("a front end that wakes from a pause keeps the leader whose beats it hasn't read yet", () => {
    const driver = settled();
    driver.pass(200, settledBeats);
    driver.beat(leads(9094, 1));
    driver.pass(475); // one more tick would do
    driver.nowMs += 60_000;
    driver.step({ kind: "tick" });
    expect(driver.effects).toEqual([]);
    driver.pass(1_000, settledBeats);
    expect(driver.selection.leader).toBe(9094);
  });

  test("a front end that woke from a pause notices that the leader is gone", () => {
    const driver = settled();
    driver.nowMs += 60_000;
    driver.pass(700);
    expect(driver.selection.leader).toBeNull();
  });

  test("a front end whose loop is always late notices that the leader is gone", () => {
    const driver = settled();
    for (let i = 0; i < 12; i += 1) {
      driver.nowMs += 100;
      driver.step({ kind: "tick" });
    }
    expect(driver.selection.leader).toBeNull();
  });
});

describe("a leader that only this front end can't reach", () => {
  /** The link to 9094 is down, its followers hear it, and refuse every nominee. */
  function cutOff(driver: SelectionDriver, ms: number): void {
    const endMs = driver.nowMs + ms;
    const beats = () => [follows(9092, 9094, 1), follows(9090, 9094, 1)];
    while (driver.nowMs < endMs) {
      driver.pass(5, beats);
      if (driver.take("ask-health").length > 0) driver.answer(...beats());
      if (driver.take("nominate").length > 0) {
        driver.nominated(9092, { kind: "follows", leader: 9094, epoch: 1 });
      }
    }
  }

  test("is adopted through its followers, after a while", () => {
    const driver = settled();
    driver.disconnect(9094);
    cutOff(driver, 100);
    expect(driver.selection.leader).toBeNull(); // they may not have noticed its death yet
    cutOff(driver, 1_500);
    expect(driver.selection.leader).toBe(9094);
  });

  test("is given up when its last follower hears it no more", () => {
    const driver = settled();
    driver.disconnect(9094);
    cutOff(driver, 1_500);
    driver.beat(healthOf(9092, { epoch: 1 }));
    expect(driver.selection.leader).toBe(9094);
    driver.beat(healthOf(9090, { epoch: 1 }));
    expect(driver.selection.leader).toBeNull();
  });

  test("is judged by its own connection again once it can be reached", () => {
    const driver = settled();
    driver.disconnect(9094);
    cutOff(driver, 1_500);
    expect(driver.selection.leader).toBe(9094);
    driver.connect(9094);
    driver.beat(leads(9094, 1));
    driver.disconnect(9090);
    driver.disconnect(9092);
    expect(driver.selection.leader).toBe(9094);
    driver.disconnect(9094);
    expect(driver.selection.leader).toBeNull();
  });

  test("isn't adopted through its followers while it says itself that it doesn't lead yet", () => {
    const driver = settled();
    const beats = () => [
      healthOf(9094, { leader: 9094, epoch: 2 }),
      follows(9092, 9094, 2),
      follows(9090, 9094, 2),
    ];
    for (const health of beats()) driver.beat(health);
    expect(driver.selection.leader).toBeNull();
    for (let i = 0; i < 80; i += 1) {
      if (driver.take("ask-health").length > 0) driver.answer(...beats());
      driver.pass(5, beats);
    }
    expect(driver.nominees).toEqual([9094]);
    driver.nominated(9094, { kind: "follows", leader: 9094, epoch: 2 });
    expect(driver.selection.leader).toBeNull();
  });

  test("isn't adopted when no follower hears it", () => {
    const driver = settled();
    driver.disconnect(9094);
    driver.answer(healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 }));
    driver.pass(400, () => [healthOf(9092, { epoch: 1 }), healthOf(9090, { epoch: 1 })]);
    driver.nominated(9092, { kind: "follows", leader: 9094, epoch: 1 });
    expect(driver.selection.leader).toBeNull();
  });
});

describe("the adopted leader (S1)", () => {
  test("is replaced by one that another front end elected, and nobody is notified again", () => {
    const driver = settled();
    driver.beat(leads(9092, 2));
    expect(driver.selection.leader).toBe(9092);
    expect(driver.take("notify")).toEqual([]);
  });

  test("isn't followed on a new connection before it says there that it leads", () => {
    const driver = settled();
    driver.step({ kind: "connected", replica: 9094 });
    expect(driver.selection.leader).toBe(null);
    driver.pass(1_000, () => [healthOf(9094), healthOf(9092, { epoch: 1 })]);
    expect(driver.selection.leader).toBe(null);
    driver.answer(leads(9094, 1));
    expect(driver.selection.leader).toBe(9094);
  });

  test("is given up when it goes on saying, in an older epoch, that it doesn't lead", () => {
    const driver = settled();
    driver.answer(healthOf(9094));
    expect(driver.selection.leader).toBe(9094); // may be from before it led
    driver.pass(1_000, () => [healthOf(9094), healthOf(9092, { epoch: 1 })]);
    expect(driver.selection.leader).toBe(null);
  });

  test("is never one of a lower epoch that wakes up", () => {
    const driver = settled();
    driver.beat(leads(9092, 2));
    driver.beat(leads(9094, 1));
    expect(driver.selection.leader).toBe(9092);
    driver.disconnect(9092);
    driver.answer(leads(9094, 1));
    expect(driver.selection.leader).toBeNull();
  });

  test("stays when another replica claims its epoch, and the log says so once", () => {
    const driver = settled();
    for (let i = 0; i < 100; i += 1) driver.beat(leads(9092, 1));
    expect(driver.selection.leader).toBe(9094);
    expect(driver.log).toEqual([
      "Both 9094 and 9092 order claim to lead epoch 1 - staying with 9094",
    ]);
  });

  test("is one an epoch, of epochs that never go back, with limited effects, after any sequence of events", () => {
    const replica = fc.constantFrom(9090, 9092, 9094, 7);
    const epoch = fc.integer({ min: 0, max: 6 });
    const health = fc.record({
      replica,
      leads: fc.boolean(),
      leader: fc.option(replica, { nil: null }),
      epoch,
      lastPosition: fc.constantFrom(0, 10, 20_000),
      commitPosition: fc.constant(0),
    });
    const result = fc.oneof(
      fc.record({ kind: fc.constant("leading" as const), epoch }),
      fc.record({ kind: fc.constant("follows" as const), leader: replica, epoch }),
      fc.record({ kind: fc.constant("lost" as const), reason: fc.constant("") }),
    );
    const event: fc.Arbitrary<SelectionEvent> = fc.oneof(
      fc.record({ kind: fc.constant("connected" as const), replica }),
      fc.record({ kind: fc.constant("disconnected" as const), replica }),
      fc.record({ kind: fc.constant("beat" as const), health }),
      fc.record({
        kind: fc.constant("health-answer" as const),
        replica,
        health: fc.option(health, { nil: null }),
      }),
      fc.record({
        kind: fc.constant("nominate-answer" as const),
        replica,
        result: fc.option(result, { nil: null }),
      }),
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("tick" as const) }) },
    );
    const steps = fc.array(fc.tuple(fc.integer({ min: -5, max: 400 }), event), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (sequence) => {
        const selection = new Selection({ replicas: [9090, 9092, 9094], random: () => 0.5 });
        let nowMs = 0;
        let told: number | null = null;
        let epochTold = 0;
        for (const [ms, next] of sequence) {
          nowMs += ms;
          const effects = selection.step(nowMs, next);
          expect(effects.length).toBeLessThanOrEqual(24);
          for (const effect of effects) {
            if (effect.kind !== "leader-changed") continue;
            // The same again would be news to nobody.
            expect([effect.leader, effect.epoch]).not.toEqual([told, epochTold]);
            if (effect.epoch === epochTold && epochTold > 0) {
              expect(effect.leader === null || told === null).toBe(true);
            }
            expect(effect.epoch).toBeGreaterThanOrEqual(epochTold);
            told = effect.leader;
            epochTold = effect.epoch;
          }
          expect(selection.leader).toBe(told);
          expect(selection.wakeInMs).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("a flood of beats or answers makes a front end ask each replica once and nominate one", () => {
  const driver = new SelectionDriver({ startWaitMs: 0 });
  driver.connect(9090, 9092, 9094);
  for (let i = 0; i < 10_000; i += 1) {
    driver.beat(healthOf([9090, 9092, 9094][i % 3] ?? 0));
  }
  expect(driver.effects.length).toBe(3); // asked each for its health
  driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
  for (let i = 0; i < 10_000; i += 1) {
    driver.answer(healthOf([9090, 9092, 9094][i % 3] ?? 0));
  }
  expect(driver.effects.length).toBe(4); // and nominated one
});
