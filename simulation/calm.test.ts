import { describe, test } from "vitest";
import type { Answer, Question } from "./messages.ts";
import { SIMPLE } from "./setting.ts";
import { ALL, expectViolation, Lying, stocks } from "./test-client.ts";

/** What is true of a market in which nothing was traded. */
function trueAnswer(question: Question): Answer {
  if (question.kind === "list") return stocks(...ALL);
  if (question.kind !== "page") return { kind: "orders", orders: [], next: null, position: 3 };
  const { after, limit } = question;
  const following = ALL.filter(({ name }) => name > after).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const rows = following.slice(0, limit);
  const next = following.length > limit ? (rows.at(-1)?.name ?? null) : null;
  return { kind: "page", stocks: rows, next, total: ALL.length, position: 3 };
}

describe("in calm, a client", () => {
  test("reports a call that has no answer (L1)", () => {
    const lying = new Lying();
    const { answer } = lying.next();
    answer(null);
    lying.clients.isCalm = true;
    const second = lying.next();
    expectViolation(() => second.answer(null), /^L1: .* has no answer in calm$/);
  });

  const habits = [{ thinkMs: 15, trades: 0, lookups: 0, asksOnly: true }];
  const ASKING = { ...SIMPLE, habits };
  const orderless: Answer = { kind: "order", order: null, position: 3 };
  const lateBy = (lying: Lying, ms: number) => {
    let asked = lying.next();
    for (; asked.question.kind !== "order"; asked = lying.next()) {
      asked.answer(trueAnswer(asked.question));
    }
    const { answer } = asked;
    const { scheduler } = lying.world;
    scheduler.runUntil(scheduler.now + ms);
    return () => answer(orderless);
  };

  test("reports an answer that took long (L1)", () => {
    const lying = new Lying(ASKING);
    lying.clients.isCalm = true;
    lateBy(lying, 300)();
    expectViolation(lateBy(lying, 500), /^L1: .* is answered after 5\d\d ms of calm$/);
  });

  test("reports a wait for a dead view that is too long, or comes a second time (L1)", () => {
    const lying = new Lying(ASKING);
    lying.clients.isCalm = true;
    lying.world.impaired = lying.world.frontends[0] ?? null;
    expectViolation(lateBy(lying, 1_500), /^L1: .* is answered after 15\d\d ms/);
    const again = new Lying(ASKING);
    again.clients.isCalm = true;
    again.world.impaired = again.world.frontends[0] ?? null;
    lateBy(again, 600)();
    expectViolation(lateBy(again, 600), /^L1: .* is answered after 6\d\d ms/);
  });

  test("accepts that a call from before has no answer", () => {
    const lying = new Lying();
    const { answer } = lying.next();
    lying.clients.isCalm = true;
    answer(null);
  });
});
