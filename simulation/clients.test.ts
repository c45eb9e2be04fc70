import { describe, expect, test } from "vitest";
import type { Outcome, Refusal } from "../src/core/market/types.ts";
import type { OrderView } from "../src/core/service/types.ts";
import type { Answer } from "./messages.ts";
import { SIMPLE } from "./setting.ts";
import { ALL, expectViolation, Lying, PRICES, stock, stocks } from "./test-client.ts";
import { Violation } from "./violation.ts";

const refused = (refusal: Refusal): Outcome => ({ kind: "refused", refusal });
const sold: Outcome = refused({ kind: "insufficient-volume", name: "FishCo" });

const outcome = (of: Outcome, position: number): Answer => ({
  kind: "outcome",
  outcome: of,
  position,
});

test("a client that went on to its next call notices a wrong answer to the first", () => {
  const impatient = new Lying({ ...SIMPLE, patienceMs: 5 });
  const first = impatient.next();
  const second = impatient.next();
  expect(second).not.toBe(first);
  const wrong: Answer = { kind: "order", order: null, position: 4 };
  expect(() => first.answer(wrong)).toThrow(Violation);
});

test("a patient client doesn't ask on before it is answered", () => {
  const patient = new Lying();
  patient.next();
  expect(() => patient.next()).toThrow("the client asks no more");
});

describe("a client", () => {
  test("notices that an answer is older than one it knew of when it asked (C1)", () => {
    const lying = new Lying();
    lying.world.oracle.answeredPosition = 3;
    const { answer } = lying.ask("order");
    expectViolation(
      () => answer({ kind: "order", order: null, position: 2 }),
      /^C1: .* is answered as of 2, after an answer as of 3$/,
    );
  });

  test("accepts an answer older than one that came while it waited (C1)", () => {
    const lying = new Lying();
    const { answer } = lying.ask("order");
    lying.world.oracle.answeredPosition = 3;
    answer({ kind: "order", order: null, position: 2 });
    expect(lying.world.oracle.answeredPosition).toBe(3);
  });

  test("notices that an answer rests on what isn't committed (M1)", () => {
    const { answer } = new Lying().ask("order");
    expectViolation(
      () => answer({ kind: "order", order: null, position: 4 }),
      /^M1: .* is answered from 4, committed is 3$/,
    );
  });

  test("notices that a stock never had that quantity (C1)", () => {
    const { answer } = new Lying().ask("lookup");
    expectViolation(
      () => answer({ kind: "stock", stock: stock("FishCo", 19), position: 3 }),
      /^C1: .* says 19 \(as of 3\), but since 0/,
    );
  });

  test("notices that a copy shows what a stock had before a trade that was answered (C1)", () => {
    const lying = new Lying();
    lying.commit({ kind: "adjust", requestId: "more", name: "FishCo", by: 5 });
    lying.world.oracle.answeredPosition = 4;
    let asked = lying.ask("lookup");
    while (asked.question.name !== "FishCo") {
      asked.answer(null);
      asked = lying.ask("lookup");
    }
    const say = (quantity: number) => () =>
      asked.answer({ kind: "stock", stock: stock("FishCo", quantity), position: null });
    expectViolation(say(20), /says 20 \(as of a copy\), but since 4, where it was 25/);
    say(25)();
  });

  test.each([
    ["shows a wrong quantity", [stock("FishCo", 21), ...ALL.slice(1)], "FishCo 21"],
    ["shows a wrong price", [stock("FishCo", 20, 11), ...ALL.slice(1)], "FishCo 20 at 11"],
    ["has a stock twice instead of another", [...ALL.slice(1), stock("BoarCo", 31)], "BoarCo 31"],
    ["leaves a stock out", ALL.slice(1), "too few or too many"],
    ["has a stock that isn't listed", [...ALL, stock("Ash", 1)], "Ash 1"],
  ])("notices that a list %s (C1)", (_what, listed, message) => {
    const lying = new Lying();
    lying.ask("list").answer(stocks(...ALL));
    const { answer } = lying.ask("list");
    expectViolation(() => answer(stocks(...listed)), message);
  });

  test("notices that a stock has another price (C1)", () => {
    const { answer, question } = new Lying({ ...SIMPLE, nonsense: 0 }).ask("lookup");
    const wrong = stock(question.name, { FishCo: 20, BoarCo: 30 }[question.name] ?? 40, 99);
    expectViolation(
      () => answer({ kind: "stock", stock: wrong, position: 3 }),
      `costs 99, not ${PRICES[question.name]}`,
    );
  });

  test("notices that an order that it was told of isn't there (M1)", () => {
    const { answer } = new Lying().ask("order");
    expectViolation(
      () =>
        answer({
          kind: "order",
          order: { number: 1, name: "FishCo", type: "buy", quantity: 2 },
          position: 3,
        }),
      /^M1: .* says 1 buy 2 FishCo, at 3 it was nothing$/,
    );
  });

  describe("notices that a page of orders", () => {
    const COUNT = 9;
    const view = (number: number) => ({
      number,
      name: "FishCo",
      type: "buy" as const,
      quantity: 1,
    });
    const page = () => {
      const lying = new Lying();
      for (let number = 1; number <= COUNT; number += 1) {
        const order = { ...view(number), requestId: `order-${number}`, price: 10 };
        lying.commit({ kind: "order", ...order });
      }
      const { question, answer } = lying.ask("orders");
      const { after, limit } = question;
      const last = Math.min(COUNT, after + limit);
      const orders = Array.from({ length: last - after }, (_, index) => view(after + 1 + index));
      const next = last < COUNT ? last : null;
      const say = (told: readonly OrderView[], of: number | null) =>
        answer({ kind: "orders", orders: [...told], next: of, position: 3 + COUNT });
      return { orders, next, say };
    };

    test("leaves one out (M1)", () => {
      const { orders, next, say } = page();
      say(orders, next);
      expectViolation(() => say(orders.slice(1), next), /^M1: .* it was [\d]/);
    });

    test("shows another order (M1)", () => {
      const { orders, next, say } = page();
      expectViolation(() => say([...orders.slice(1), view(1)], next), /^M1: /);
    });

    test("says that there are no more, or more than there are (M1)", () => {
      const { orders, next, say } = page();
      expectViolation(() => say(orders, next === null ? COUNT : null), /^M1: .*next/);
    });
  });

  test("notices that an answer answers something else", () => {
    const { answer } = new Lying().ask("list");
    expectViolation(() => answer(outcome(sold, 3)), "is answered with a outcome");
  });

  test("notices that it was told yes, and nothing is recorded (M1)", () => {
    const { answer } = new Lying().ask("request");
    expectViolation(
      () => answer(outcome({ kind: "accepted", number: 1 }, 3)),
      /^M1: .* was told {"kind":"accepted","number":1}, the journal says null$/,
    );
  });

  /** The next purchase that could be made, of this much. */
  const purchase = (lying: Lying) => {
    for (;;) {
      const { answer, question } = lying.ask("request");
      const { content, requestId, recordRefusal } = question.request;
      const isOne = content.kind === "trade" && content.type === "buy" && content.quantity > 0;
      if (isOne && content.name in PRICES) return { answer, content, requestId, recordRefusal };
      answer(null);
    }
  };
  const LOW = 12;
  /** Less of everything than anybody buys. */
  const sellOut = (lying: Lying, leaves: number) => {
    for (const { name, quantity } of ALL)
      lying.commit({ kind: "adjust", requestId: `out-${name}`, name, by: leaves - quantity });
  };

  test("notices that it was told no, and it happened all the same, later (M1)", () => {
    const lying = new Lying();
    sellOut(lying, 0);
    const { answer, content, requestId } = purchase(lying);
    const { name, quantity } = content;
    answer(outcome(refused({ kind: "insufficient-volume", name }), 6));
    lying.clients.checkAll();
    lying.commit({ kind: "adjust", requestId: "more", name, by: LOW });
    const price = PRICES[name] ?? 1;
    lying.commit({ kind: "order", number: 1, requestId, name, type: "buy", quantity, price });
    expectViolation(
      () => lying.clients.checkAll(),
      /was told {"kind":"refused".*says {"kind":"order"/,
    );
  });

  test("notices that it was told no, though there was enough all the time (M1)", () => {
    const lying = new Lying();
    const { answer, content } = purchase(lying);
    expectViolation(
      () => answer(outcome(refused({ kind: "insufficient-volume", name: content.name }), 3)),
      "which was so nowhere from 0 to 3",
    );
  });

  test("notices that it was told no for what had changed before it asked (M1)", () => {
    const lying = new Lying();
    sellOut(lying, 0);
    for (const { name } of ALL)
      lying.commit({ kind: "adjust", requestId: `in-${name}`, name, by: LOW });
    lying.world.oracle.answeredPosition = 9;
    const { answer, content } = purchase(lying);
    const no = refused({ kind: "insufficient-volume", name: content.name });
    expectViolation(() => answer(outcome(no, 9)), "which was so nowhere from 9 to 9");
  });

  test("accepts a no when there was too little for a moment only", () => {
    const lying = new Lying();
    const { answer, content } = purchase(lying);
    sellOut(lying, 0);
    for (const { name } of ALL)
      lying.commit({ kind: "adjust", requestId: `in-${name}`, name, by: LOW });
    answer(outcome(refused({ kind: "insufficient-volume", name: content.name }), 9));
  });

  test.each<[string, Refusal]>([
    ["a stock that isn't there", { kind: "unknown-stock", name: "FishCo" }],
    ["a quantity that makes no sense", { kind: "invalid-quantity", quantity: 3 }],
    ["a type that isn't one", { kind: "unknown-type", type: "buy" }],
    ["a stock that is there already", { kind: "stock-exists", name: "FishCo" }],
  ])("notices that it was told no for a reason that isn't so: %s (M1)", (_what, refusal) => {
    const { answer } = purchase(new Lying());
    expectViolation(() => answer(outcome(refused(refusal), 3)), "which was so nowhere");
  });

  test("notices that it was told another reason than is recorded (M1)", () => {
    const lying = new Lying();
    sellOut(lying, 0);
    const { answer, content, requestId } = purchase(lying);
    const { name } = content;
    const refusal: Refusal = { kind: "insufficient-volume", name };
    lying.commit({ kind: "refuse", requestId, content, refusal });
    expectViolation(
      () => answer(outcome(refused({ kind: "unknown-stock", name }), 7)),
      /told .*unknown-stock/,
    );
  });

  test("notices that it was told its outcome before that was recorded (M1)", () => {
    const lying = new Lying();
    sellOut(lying, 0);
    const { answer, content, requestId } = purchase(lying);
    const refusal: Refusal = { kind: "insufficient-volume", name: content.name };
    lying.commit({ kind: "refuse", requestId, content, refusal });
    expectViolation(() => answer(outcome(refused(refusal), 6)), "recorded is it at 7");
  });

  test("notices that it was told its key was used for something else, which it wasn't (M1)", () => {
    const lying = new Lying();
    const { answer, content, requestId } = purchase(lying);
    const { name, quantity } = content;
    const reused = () => answer(outcome({ kind: "reused" }, 4));
    const record = (bought: number) =>
      lying.commit({
        kind: "order",
        number: 1,
        requestId,
        name,
        type: "buy",
        quantity: bought,
        price: PRICES[name] ?? 1,
      });
    lying.commit({ kind: "adjust", requestId: "some", name: "FishCo", by: 1 });
    expectViolation(reused, /told {"kind":"reused"}, the journal says null/);
    record(quantity);
    lying.world.oracle.answeredPosition = 0;
    expectViolation(() => answer(outcome({ kind: "reused" }, 5)), /told {"kind":"reused"}/);
  });

  test("notices that an order is for another quantity than was asked for (M1)", () => {
    const lying = new Lying();
    const { answer, content, requestId } = purchase(lying);
    const { name, quantity } = content;
    const price = PRICES[name] ?? 1;
    const bought = quantity + 1;
    lying.commit({
      kind: "order",
      number: 1,
      requestId,
      name,
      type: "buy",
      quantity: bought,
      price,
    });
    expectViolation(() => answer(outcome({ kind: "accepted", number: 1 }, 4)), "was told");
    answer(outcome({ kind: "reused" }, 4));
  });

  test("notices that it was told two things under one request id (M3)", () => {
    const lying = new Lying();
    sellOut(lying, 0);
    const { answer, content, requestId } = purchase(lying);
    const refusal: Refusal = { kind: "insufficient-volume", name: content.name };
    answer(outcome(refused(refusal), 6));
    expectViolation(
      () => answer(outcome({ kind: "accepted", number: 1 }, 6)),
      `M3: ${requestId} was told`,
    );
  });
});

test("a client that is stopped asks no more, and its waiting call counts until it is answered", () => {
  const lying = new Lying();
  const { answer } = lying.next();
  expect(lying.clients.inFlight).toBe(1);
  lying.clients.stop();
  expect(lying.clients.areWorking).toBe(false);
  answer(null);
  expect(lying.clients.inFlight).toBe(0);
  expect(() => lying.next()).toThrow("the client asks no more");
});
