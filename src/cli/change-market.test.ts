// Changes from the command line: what is asked for, once, and how a no is told.

import { expect, test } from "vitest";
import type { Refusal } from "../core/market/types.ts";
import type { Answer, Question } from "../roles/contract.ts";
import { adjustContent, changeMarket, listContent } from "./change-market.ts";
import { UserError } from "./user-error.ts";

const CONTENT = { kind: "adjust", name: "FishCo", by: -5 } as const;

async function answered(answer: Answer) {
  const asked: Question[] = [];
  const leader = {
    ask: async (question: Question) => {
      asked.push(question);
      return answer;
    },
  };
  const line = await changeMarket(leader, CONTENT).then(
    () => "done",
    (error) => (error instanceof UserError ? error.message : Promise.reject(error)),
  );
  return { asked, line };
}

test("each change has a request id of its own, and its refusal is recorded", async () => {
  const first = await answered({ kind: "outcome", outcome: { kind: "adjusted" } });
  const second = await answered({ kind: "outcome", outcome: { kind: "adjusted" } });
  expect(first.line).toBe("done");
  expect(first.asked).toMatchObject([{ kind: "request", content: CONTENT, recordRefusal: true }]);
  const ids = [...first.asked, ...second.asked].map(
    (each) => "requestId" in each && each.requestId,
  );
  expect(new Set(ids).size).toBe(2);
});

test.each<[Refusal, string]>([
  [{ kind: "stock-exists", name: "FishCo" }, "FishCo is listed already"],
  [{ kind: "unknown-stock", name: "Ash" }, 'Ash is not listed: "npx bazaar list" adds it'],
  [{ kind: "insufficient-volume", name: "FishCo" }, "Insufficient volume for FishCo stock"],
  [{ kind: "invalid-quantity", quantity: -1 }, "Invalid quantity -1"],
  [{ kind: "unknown-type", type: "x" }, "Unknow trade type - x"],
])("a refusal %j ends in an error that names it", async (refusal, line) => {
  const outcome = { kind: "refused", refusal } as const;
  expect((await answered({ kind: "outcome", outcome })).line).toContain(line);
});

test("a busy leader and a reused request id end in an error", async () => {
  expect((await answered({ kind: "busy" })).line).toContain("busy");
  expect((await answered({ kind: "outcome", outcome: { kind: "reused" } })).line).toContain(
    "again",
  );
});

test("a stock with a name, price or quantity that can't be traded is refused", () => {
  expect(listContent("Fish", "17.99", "600")).toEqual({
    kind: "list",
    name: "Fish",
    price: 17.99,
    quantity: 600,
  });
  for (const name of ["Fish Co", "", "F".repeat(5_000)]) {
    expect(() => listContent(name, "1", "1")).toThrow("a stock's name has 1 to 64 letters");
    expect(() => adjustContent(name, "1")).toThrow("a stock's name has 1 to 64 letters");
  }
  for (const price of ["0", "1e300", "1000000000.01"]) {
    expect(() => listContent("Fish", price, "1")).toThrow(
      `PRICE must be a number above 0, up to 1000000000, not "${price}"`,
    );
  }
  expect(() => listContent("Fish", "free", "1")).toThrow("PRICE must be");
  expect(() => listContent("Fish", "1", "-1")).toThrow("QUANTITY must be a whole number");
  expect(() => listContent("Fish", "1", "1e17")).toThrow("QUANTITY must be a whole number");
});

test("an adjustment by nothing, or by what is no number, is refused", () => {
  expect(adjustContent("FishCo", "-5")).toEqual(CONTENT);
  expect(adjustContent("FishCo", "+5")).toMatchObject({ by: 5 });
  for (const wrong of ["0", "1.5", "LOL", ""]) {
    expect(() => adjustContent("FishCo", wrong)).toThrow("BY must be a whole number other than 0");
  }
});
