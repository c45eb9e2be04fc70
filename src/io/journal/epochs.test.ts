import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { RecentEpochs } from "./epochs.ts";

test("an epoch told wrong makes two different journals match", () => {
  const epochs = new RecentEpochs();
  expect(epochs.at(1)).toBeUndefined();
  [5, 5, 6, 6, 6, 9].forEach((epoch, index) => {
    epochs.push(100 + index, epoch);
  });
  expect([99, 100, 101, 102, 104, 105].map((position) => epochs.at(position))).toEqual([
    undefined,
    5,
    5,
    6,
    6,
    9,
  ]);
});

test("epochs of dropped entries must not stay", () => {
  const epochs = new RecentEpochs();
  for (const [position, epoch] of [
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 3],
  ] as const) {
    epochs.push(position, epoch);
  }
  epochs.truncateFrom(3);
  expect(epochs.at(2)).toBe(1);
  epochs.push(3, 4);
  expect(epochs.at(3)).toBe(4);
  epochs.truncateFrom(1);
  expect(epochs.at(1)).toBeUndefined();
});

test("leaders that change for ever must not fill the memory, and the newest stay known", () => {
  const epochs = new RecentEpochs();
  for (let position = 1; position <= 5_000; position++) epochs.push(position, position);
  expect(epochs.at(1)).toBeUndefined();
  expect(epochs.at(5_000)).toBe(5_000);
  expect(epochs.at(4_500)).toBe(4_500);
});

test("entries told out of order", () => {
  const epochs = new RecentEpochs();
  epochs.push(4, 1);
  expect(() => epochs.push(4, 2)).toThrow(InvariantViolation);
});
