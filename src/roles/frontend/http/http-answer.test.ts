import { expect, test } from "vitest";
import type { Refusal } from "../../../core/market/types.ts";
import { OVERLOADED, refused, UNAVAILABLE, unanswered } from "./http-answer.ts";

const words: readonly (readonly [refusal: Refusal, status: number, message: string])[] = [
  [{ kind: "invalid-quantity", quantity: -10 }, 400, "Invalid quantity -10"],
  [{ kind: "invalid-quantity", quantity: 1e20 }, 400, "Invalid quantity 100000000000000000000"],
  [{ kind: "unknown-type", type: "negotiate" }, 400, "Unknow trade type - negotiate"],
  [{ kind: "unknown-stock", name: "Hey" }, 400, "Bad request. Hey stock not found in db"],
  [
    { kind: "insufficient-volume", name: "GameStart" },
    500,
    "Insufficient volume for GameStart stock",
  ],
  [{ kind: "stock-exists", name: "FishCo" }, 400, "Bad request. FishCo stock exists already"],
];
test.each(words)("%j keeps the words that clients match on", (refusal, status, message) => {
  const answer = refused(refusal);
  expect(answer.status).toBe(status);
  expect(answer.body).toBe(JSON.stringify({ error: { code: status, message } }));
});

test("what wasn't begun and what may have happened aren't told alike", () => {
  expect(unanswered("overloaded")).toBe(OVERLOADED);
  expect(unanswered("unavailable")).toBe(UNAVAILABLE);
  expect(OVERLOADED.body).not.toBe(UNAVAILABLE.body);
});
