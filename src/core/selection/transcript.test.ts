// The reference program's transcripts of a front end's choice, from the event sequences that
// they show. Thread names and lines of other parts are left out; "nameserver
// down" reads "unreachable" here.

import { expect, test } from "vitest";
import { ReplicaView } from "./replica-view.ts";
import { healthOf, SelectionDriver } from "./test-support.ts";
import { notifyLines } from "./transcript.ts";

const labPart2Case1 = `
Calling ping (health check) service for 9094 order
Order service leader found - 9094 order
Notifying 9090 replica of order leader
Notifying 9092 replica of order leader
Notifying 9094 replica of order leader`;

const labPart2Case2 = `
Calling ping (health check) service for 9094 order
Health check failed for 9094 order
Calling ping (health check) service for 9092 order
Order service leader found - 9092 order
Notifying 9090 replica of order leader
Notifying 9092 replica of order leader
Notifying 9094 replica of order leader
Cannot reach 9094 replica - unreachable`;

const labPart3Case1 = `
9094 leader of backend order service down
Calling ping (health check) service for 9094 order
Health check failed for 9094 order
Calling ping (health check) service for 9092 order
Order service leader found - 9092 order
Notifying 9090 replica of order leader
Notifying 9092 replica of order leader
Notifying 9094 replica of order leader
Cannot reach 9094 replica - service down`;

const linesOf = (transcript: string) => transcript.trim().split("\n");

function with9094Leading(): SelectionDriver {
  const driver = new SelectionDriver();
  driver.connect(9090, 9092, 9094);
  driver.answer(healthOf(9090), healthOf(9092), healthOf(9094));
  driver.nominated(9094, { kind: "leading", epoch: 1 });
  return driver;
}

test("part 2 case 1: with all replicas up, the log tells how 9094 was chosen", () => {
  const driver = with9094Leading();
  expect(driver.log).toEqual(linesOf(labPart2Case1));
  expect(driver.selection.leader).toBe(9094);
});

test("part 2 case 1: a front end that finds 9094 leading logs the same", () => {
  const driver = new SelectionDriver();
  driver.connect(9090, 9092, 9094);
  driver.answer(healthOf(9094, { leads: true, leader: 9094, epoch: 1 }));
  expect(driver.log).toEqual(linesOf(labPart2Case1));
});

test("part 2 case 2: with 9094 not running, the log tells how 9092 was chosen", () => {
  const driver = new SelectionDriver();
  driver.connect(9090, 9092);
  const up = [healthOf(9090), healthOf(9092)];
  while (driver.nominees.length === 0) {
    driver.answer(...up);
    driver.pass(10, () => up);
    expect(driver.nowMs).toBeLessThan(3_000);
  }
  driver.nominated(9092, { kind: "leading", epoch: 1 });
  expect(driver.log).toEqual(linesOf(labPart2Case2));
  expect(driver.selection.leader).toBe(9092);
});

test("part 3 case 1: the log tells of the crash of 9094 and of its successor", () => {
  const driver = with9094Leading();
  driver.effects.length = 0;
  driver.disconnect(9094);
  driver.answer(healthOf(9090, { epoch: 1 }), healthOf(9092, { epoch: 1 }));
  driver.nominated(9092, { kind: "leading", epoch: 2 });
  expect(driver.log).toEqual(linesOf(labPart3Case1));
  expect(driver.selection.leader).toBe(9092);
});

test("a replica above the leader that is up is reported as up, not as failed", () => {
  const driver = new SelectionDriver();
  driver.connect(9090, 9092, 9094);
  driver.answer(healthOf(9094, { leader: 9092, epoch: 4 }));
  driver.answer(healthOf(9092, { leads: true, leader: 9092, epoch: 4 }));
  expect(driver.log.slice(0, 4)).toEqual([
    "Calling ping (health check) service for 9094 order",
    "9094 order is up, but doesn't lead",
    "Calling ping (health check) service for 9092 order",
    "Order service leader found - 9092 order",
  ]);
});

test("a search without end says every five seconds how it stands", () => {
  const driver = new SelectionDriver();
  driver.connect(9092);
  driver.pass(60_000, () => [healthOf(9092)]);
  expect(driver.log.length).toBeGreaterThanOrEqual(11);
  expect(driver.log.length).toBeLessThanOrEqual(12);
  expect(driver.log[0]).toBe("No order service leader found yet - 9094 down, 9092 up, 9090 down");
});

test("a replica that was never reached is said to be unreachable, not down", () => {
  const view = new ReplicaView(9094);
  expect(notifyLines(view)[1]).toBe("Cannot reach 9094 replica - unreachable");
  view.connect(0);
  expect(notifyLines(view)).toHaveLength(1);
  view.disconnect();
  expect(notifyLines(view)[1]).toBe("Cannot reach 9094 replica - service down");
});
