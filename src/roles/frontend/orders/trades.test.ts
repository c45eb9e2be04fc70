import pino from "pino";
import { expect, test } from "vitest";
import { TestMarket } from "../test-market.ts";
import { BodyCutOffError, BodyTooLargeError } from "./body-reader.ts";
import { bodyProblem, Trades } from "./trades.ts";

const market = new TestMarket();
const trades = new Trades(market, pino({ level: "silent" }));
const body = (text: string) => new TextEncoder().encode(text);

test("an answer to another question passes for a trade's", async () => {
  const odd = new Trades(
    {
      ask: async () => ({
        kind: "answer",
        answer: { kind: "outcome", outcome: { kind: "listed" } },
      }),
    },
    pino({ level: "silent" }),
  );
  const asked = odd.answer(body('{"name":"FishCo","quantity":1,"type":"buy"}'), "k", true);
  await expect(asked).rejects.toThrow("a trade ended as listed");
});

test("what is no trade reaches the leader", async () => {
  const answer = await trades.answer(body("{"), "k", false);
  expect(answer.status).toBe(400);
  expect(market.questions).toEqual([]);
});

test("an error that isn't the body's is told to the client", () => {
  expect(bodyProblem(new BodyTooLargeError(true))).toMatchObject({ status: 413 });
  expect(bodyProblem(new BodyTooLargeError(false))).toMatchObject({ status: 413, closes: true });
  expect(bodyProblem(new BodyCutOffError())?.status).toBe(400);
  expect(bodyProblem(new Error("other"))).toBeNull();
});
