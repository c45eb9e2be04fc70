import { expect, test } from "vitest";
import type { Outcome } from "../../core/market/types.ts";
import { findResult, isWhole, notWholeResult, updateResult } from "./results.ts";

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };

test("a stock is found with its fields in order, or is unknown by its name", () => {
  const found = findResult("FishCo", { kind: "stock", stock: FISH, position: 3 });
  expect(JSON.stringify(found)).toBe(
    '{"status":200,"data":{"name":"FishCo","price":17.99,"quantity":600}}',
  );
  expect(findResult("Ash", { kind: "stock", stock: null, position: 3 })).toEqual({
    status: 400,
    message: "Bad request. Ash stock not found in db",
  });
});

test("a name that is too long isn't repeated", () => {
  expect(findResult("A".repeat(65_000), { kind: "stock", stock: null, position: 3 })).toEqual({
    status: 400,
    message: "Bad request. The name of a stock has at most 64 letters",
  });
});

test("what nobody could say in time doesn't pass for an unknown stock", () => {
  for (const answer of [
    { kind: "unanswered", why: "9094 doesn't lead" },
    { kind: "too-many" },
  ] as const) {
    expect(findResult("FishCo", answer).status).toBe(503);
    expect(updateResult("mine", answer).status).toBe(503);
  }
});

test("an update without an answer says under which request id to ask again", () => {
  const { message } = updateResult("mine", { kind: "unanswered", why: "" });
  expect(message).toBe("No order leader answered in time, ask again with request id mine");
});

test("outcomes are told by status code, in the reference program's words", () => {
  const told = (outcome: Outcome) => updateResult("mine", { kind: "outcome", outcome });
  expect(told({ kind: "adjusted" })).toEqual({ status: 200, message: "success" });
  const refusals = [
    [
      { kind: "unknown-stock", name: "Meh" },
      { status: 400, message: "Stock name not found" },
    ],
    [
      { kind: "insufficient-volume", name: "FishCo" },
      { status: 500, message: "Insufficient volume for FishCo stock" },
    ],
  ] as const;
  for (const [refusal, expected] of refusals) {
    expect(told({ kind: "refused", refusal })).toEqual(expected);
  }
  expect(told({ kind: "reused" })).toMatchObject({ status: 422 });
});

test("a `by` that is no whole number is refused with what it is", () => {
  for (const by of ["LOL", 1.5, 2 ** 53, Number.NaN, null, undefined, { a: 1n }]) {
    expect(isWhole(by)).toBe(false);
    expect(notWholeResult(by, true).status).toBe(500);
  }
  expect(notWholeResult("LOL", true).message).toContain('"LOL"');
  expect(notWholeResult("LOL", false)).toEqual({ status: 400, message: "Stock name not found" });
});
