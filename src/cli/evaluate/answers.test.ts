// Numbers that say no must not be told as a yes.

import { expect, test } from "vitest";
import { answersTo, milliseconds } from "./answers.ts";
import { allHeld, type Evaluation } from "./results.ts";
import { cell, evaluation, replicaFile } from "./test-evaluation.ts";

const good = evaluation();

function answer(about: string, changes: Partial<Evaluation> = {}): string {
  const found = answersTo(evaluation(changes)).find(({ question }) => question.includes(about));
  return found?.text ?? "";
}

test("what held is said with its numbers", () => {
  expect(answer("notice")).toMatch(/^Not by an error: 3 replicas were killed, 2 times the leader/);
  expect(answer("notice")).toContain("150 ms to 210 ms when the leader was killed, 8.00 ms when a");
  expect(answer("notice")).toContain("their 300 orders, and found all");
  expect(answer("same data")).toMatch(/^Yes\. After 3 kills .* position 250 .* 300 orders/);
  expect(answer("full")).toContain("After each of 2 requests");
  expect(allHeld(good)).toBe(true);
});

test("a call without an answer is a failure that clients notice", () => {
  const failOver = { ...good.failOver, failures: 2, repeated: 1 };
  expect(answer("notice", { failOver })).toMatch(/^Yes: .* and 2 of 1000 calls had no answer\./);
  expect(answer("notice", { failOver })).toContain("repeated 1 attempt by itself");
  expect(allHeld(evaluation({ failOver }))).toBe(false);
});

test("an order that isn't found isn't passed over", () => {
  const failOver = { ...good.failOver, matched: 299 };
  expect(answer("notice", { failOver })).toContain("did not find 1 of them");
  expect(allHeld(evaluation({ failOver }))).toBe(false);
  const load = good.load.map((each, index) => (index === 3 ? { ...each, matched: 39 } : each));
  expect(allHeld(evaluation({ load }))).toBe(false);
});

test("replicas that differ are told with the first difference", () => {
  const differences = ["order-9090 has other orders than order-9092: a, not b", "more"];
  const verdict = { ok: false, position: 9, orders: 4, differences };
  const failOver = { ...good.failOver, verdict };
  expect(answer("same data", { failOver })).toMatch(
    /^No\. .* 2 differences; the first: order-9090/,
  );
  expect(allHeld(evaluation({ failOver }))).toBe(false);
});

test("files that differ in what they hold are told as different", () => {
  expect(answer("same data")).toContain("not the same byte for byte, and can't be");
  for (const changes of [
    { journalDigest: "x" },
    { ordersDigest: "x" },
    { stocksDigest: "x" },
    { requestsDigest: "x" },
    { problems: ["M3: 7 is missing"] },
  ]) {
    const files = good.failOver.files.with(1, replicaFile(9092, changes));
    const failOver = { ...good.failOver, files };
    expect(answer("same data", { failOver })).toMatch(/^No\. .* differ in what they hold/);
    expect(allHeld(evaluation({ failOver }))).toBe(false);
  }
});

test("a cache that brings nothing, or costs, isn't praised", () => {
  expect(answer("bring")).toMatch(/At p = 0 % the cache answered 75 % .* were 2\.0 times as fast/);
  expect(answer("bring")).toMatch(/At p = 80 % .* no faster and no slower/);
  const load = [cell(true, 0, 3), cell(false, 0, 1.5)];
  expect(answer("bring", { load })).toMatch(/2\.0 times as slow/);
  expect(answer("bring", { load: [cell(true, 0, 3)] })).toBe("Nothing was compared.");
});

test("a cache that held something else is told with the first request of it", () => {
  const replacement = { ...good.replacement, unexpected: [2] };
  expect(answer("full", { replacement })).toMatch(/after 1 of 2 requests .* after request 2/);
  expect(allHeld(evaluation({ replacement }))).toBe(false);
});

test("a millisecond more or less isn't told of a second", () => {
  expect([0.5, 42.25, 1_234.5, null].map(milliseconds)).toEqual([
    "0.50 ms",
    "42.3 ms",
    "1235 ms",
    "-",
  ]);
});
