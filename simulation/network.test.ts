import { expect, test } from "vitest";
import { Counters } from "./counters.ts";
import { drawFaults, withoutFaults } from "./faults.ts";
import type { SimulatedMessage } from "./messages.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

const hold: SimulatedMessage = { kind: "hold", after: 0, through: 1, names: [] };
const looked: SimulatedMessage = { kind: "looked", call: 1, answer: { kind: "unleased" } };

const MEMBERS = [9090, 9092, 9094];

function faultless() {
  const random = new Random(1);
  const scheduler = new Scheduler();
  const faults = {
    ...withoutFaults({
      ...drawFaults(random, false),
      resetPerSecond: 0,
      mutePerSecond: 0,
      astrayPerSecond: 0,
      liePerSecond: 0,
      misconfiguredPerSecond: 0,
    }),
    keepsThroughCuts: false,
  };
  const network = new Network(scheduler, random, faults, new Counters());
  const arrived: string[] = [];
  for (const name of ["catalog-0", "frontend-0"]) {
    network.add({
      name,
      isUp: true,
      isAwake: true,
      link: name,
      configured: MEMBERS,
      deliver: (from, { kind }) => arrived.push(`${kind} from ${from}`),
      connection: (peer, isOpen) => arrived.push(`${peer} ${isOpen ? "opened" : "closed"}`),
    });
  }
  const afterMs = (ms: number): readonly string[] => {
    scheduler.runUntil(scheduler.now + ms);
    return arrived.splice(0);
  };
  return { network, afterMs };
}

test("a spoilt direction loses what it should lose, and nothing else", () => {
  const { network, afterMs } = faultless();
  network.spoil("catalog-0", "frontend-0", new Map([["hold", { loss: 1, late: 0, lateMs: 0 }]]));
  network.send("catalog-0", "frontend-0", hold);
  network.send("catalog-0", "frontend-0", looked);
  network.send("frontend-0", "catalog-0", hold);
  expect([...afterMs(1_000)].sort()).toEqual(["hold from frontend-0", "looked from catalog-0"]);
});

test("a spoilt direction carries everything again when it was mended, or all is healed", () => {
  const { network, afterMs } = faultless();
  const lost = new Map([["hold", { loss: 1, late: 0, lateMs: 0 }]] as const);
  for (const mend of [() => network.spoil("catalog-0", "frontend-0", null), () => network.heal()]) {
    network.spoil("catalog-0", "frontend-0", lost);
    mend();
    network.send("catalog-0", "frontend-0", hold);
    expect(afterMs(1_000)).toEqual(["hold from catalog-0"]);
  }
});

test("what a spoilt direction delays is overtaken", () => {
  const { network, afterMs } = faultless();
  const late = { loss: 0, late: 1, lateMs: 100_000 };
  network.spoil("catalog-0", "frontend-0", new Map([["looked", late]]));
  network.send("catalog-0", "frontend-0", looked);
  network.send("catalog-0", "frontend-0", hold);
  expect(afterMs(100_000)).toEqual(["hold from catalog-0", "looked from catalog-0"]);
});

test("a connection that is reset loses what was on its way, and carries again once it is open again", () => {
  const { network, afterMs } = faultless();
  network.send("catalog-0", "frontend-0", hold);
  network.reset("frontend-0", "catalog-0");
  network.send("catalog-0", "frontend-0", looked);
  expect([...afterMs(1_000)].sort()).toEqual([
    "catalog-0 closed",
    "catalog-0 opened",
    "frontend-0 closed",
    "frontend-0 opened",
  ]);
  network.send("catalog-0", "frontend-0", looked);
  expect(afterMs(1_000)).toEqual(["looked from catalog-0"]);
});

test("a silent connection carries nothing and tells nobody, until it is replaced", () => {
  const { network, afterMs } = faultless();
  network.mute("catalog-0", "frontend-0");
  const heard = network.heard("catalog-0", "frontend-0");
  network.send("catalog-0", "frontend-0", hold);
  network.send("frontend-0", "catalog-0", looked);
  expect(afterMs(10_000)).toEqual([]);
  expect(network.heard("catalog-0", "frontend-0")).toBe(heard);
  network.replace("catalog-0", "frontend-0");
  const told = afterMs(10_000);
  expect(told.filter((line) => line.endsWith("closed"))).toHaveLength(2);
  network.send("catalog-0", "frontend-0", hold);
  expect(afterMs(10_000)).toEqual(["hold from catalog-0"]);
  expect(network.heard("catalog-0", "frontend-0")).toBeGreaterThan(heard);
});
