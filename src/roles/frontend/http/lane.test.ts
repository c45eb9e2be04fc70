import { expect, test } from "vitest";
import { START_LIMIT_MS } from "../../../core/service/limits.ts";
import { Lane } from "./lane.ts";

let nowMs = 0;
const OVERLOADED = { kind: "overloaded" };

function work() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const one = {
    begun: false,
    end: () => resolve("done"),
    run: () => {
      one.begun = true;
      return promise;
    },
  };
  return one;
}

test("so much goes on at once, the rest in order as there is room", async () => {
  const lane = new Lane({ atOnceMax: 2, waitingMax: 10, nowMs: () => nowMs });
  const works = Array.from({ length: 4 }, work);
  const done = works.map(({ run }) => lane.run(run));
  await Promise.resolve();
  expect(works.map(({ begun }) => begun)).toEqual([true, true, false, false]);
  works[1]?.end();
  expect(await done[1]).toBe("done");
  await Promise.resolve();
  expect(works.map(({ begun }) => begun)).toEqual([true, true, true, false]);
  for (const { end } of works) end();
  expect(await Promise.all(done)).toEqual(Array(4).fill("done"));
});

test("what finds no room to wait, or waited for too long, isn't begun", async () => {
  const lane = new Lane({ atOnceMax: 1, waitingMax: 1, nowMs: () => nowMs });
  const [first, second, third] = [work(), work(), work()];
  const going = lane.run(first.run);
  const waiting = lane.run(second.run);
  expect(await lane.run(third.run)).toEqual(OVERLOADED);
  nowMs += START_LIMIT_MS;
  first.end();
  await going;
  expect(await waiting).toEqual(OVERLOADED);
  expect([second.begun, third.begun]).toEqual([false, false]);
  const after = lane.run(third.run);
  third.end();
  expect(await after).toBe("done");
});

test("work that fails gives its place back", async () => {
  const lane = new Lane({ atOnceMax: 1, waitingMax: 1, nowMs: () => nowMs });
  await expect(lane.run(() => Promise.reject(new Error("broke")))).rejects.toThrow("broke");
  expect(await lane.run(async () => "next")).toBe("next");
});
