import { beforeEach, expect, test } from "vitest";
import { KeyCopy } from "./key-copy.ts";
import { KEYS_TRUSTED_MS, KEYS_WAIT_MS, KEYS_WAITING_MAX } from "./limits.ts";
import type { Answer, Question } from "./types.ts";

const KEY = { name: "shop", digest: "", may: "read", stocks: "", expiresAtMs: 0 };

let nowMs: number;
let asked: { question: Question; settled: (answer: Answer | null) => void }[];
let copy: KeyCopy;

beforeEach(() => {
  nowMs = 1_000;
  asked = [];
  copy = new KeyCopy({
    ask: (question, settled) => void asked.push({ question, settled }),
    nowMs: () => nowMs,
  });
});

/** What the question with this index is answered. */
function answer(index: number, version: number, keys: (typeof KEY)[] | null): void {
  asked[index]?.settled({ kind: "keys", version, keys });
}

test("a key is relied on for a while from before the leader was asked, however late the answer is", () => {
  copy.tick();
  nowMs += 500;
  answer(0, 1, [KEY]);
  expect(copy.current?.keys).toEqual([KEY]);
  nowMs = 1_000 + KEYS_TRUSTED_MS - 1;
  expect(copy.current).not.toBeNull();
  nowMs += 1;
  expect(copy.current).toBeNull();
  expect(copy.last?.keys).toEqual([KEY]);
});

test("an answer that says there is nothing new prolongs what is known, of that version alone", () => {
  copy.tick();
  answer(0, 1, [KEY]);
  nowMs += 800;
  copy.tick();
  copy.tick();
  expect(asked[1]?.question).toEqual({ kind: "keys", known: 1 });
  answer(1, 1, null);
  nowMs += 200;
  expect(copy.current?.keys).toEqual([KEY]);
  answer(2, 2, null);
  nowMs += 800;
  expect(copy.current).toBeNull();
});

test("of two answers the one that was asked for later counts, whichever comes first", () => {
  copy.tick();
  nowMs += 10;
  copy.tick();
  answer(1, 2, []);
  answer(0, 1, [KEY]);
  expect(copy.current).toEqual({ version: 2, keys: [] });
});

test("an answer that says there is nothing new can't prolong what another answer has replaced", () => {
  copy.tick();
  answer(0, 1, [KEY]);
  copy.tick(); // knows 1
  nowMs += 10;
  copy.tick();
  answer(2, 2, []);
  nowMs += 10;
  copy.tick(); // knows 2
  answer(1, 1, null);
  expect(copy.current).toEqual({ version: 2, keys: [] });
});

test("no answer, or one of another kind, changes nothing", () => {
  copy.tick();
  copy.tick();
  asked[0]?.settled(null);
  asked[1]?.settled({ kind: "busy" });
  expect(copy.current).toBeNull();
});

test("who waits for the keys is told when they are there, or in the end that they aren't", () => {
  const told: boolean[] = [];
  copy.whenCurrent((isCurrent) => told.push(isCurrent));
  copy.tick();
  expect(told).toEqual([]);
  answer(0, 0, []);
  expect(told).toEqual([true]);
  copy.whenCurrent((isCurrent) => told.push(isCurrent));
  expect(told).toEqual([true, true]);
  nowMs += KEYS_TRUSTED_MS;
  copy.whenCurrent((isCurrent) => told.push(isCurrent));
  nowMs += KEYS_WAIT_MS - 1;
  copy.tick();
  expect(told).toHaveLength(2);
  nowMs += 1;
  copy.tick();
  expect(told).toEqual([true, true, false]);
});

test("an answer that comes too late lets nobody in who waits", () => {
  const told: boolean[] = [];
  copy.tick();
  copy.whenCurrent((isCurrent) => told.push(isCurrent));
  nowMs += KEYS_TRUSTED_MS;
  answer(0, 1, [KEY]);
  expect(told).toEqual([]);
  copy.close();
  expect(told).toEqual([false]);
});

test("no more than so many wait", () => {
  let refused = 0;
  for (let index = 0; index <= KEYS_WAITING_MAX; index++) {
    copy.whenCurrent((isCurrent) => {
      if (!isCurrent) refused += 1;
    });
  }
  expect(refused).toBe(1);
});
