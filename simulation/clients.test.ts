import { describe, expect, test, vi } from "vitest";
import { encodeCommands } from "../src/core/market/codec.ts";
import type { Command, Outcome, Stock } from "../src/core/market/types.ts";
import { Clients } from "./clients.ts";
import type { Answer, Question } from "./messages.ts";
import { SIMPLE } from "./setting.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

type OfKind<K extends Question["kind"]> = Extract<Question, { kind: K }>;

interface Asked<Q extends Question = Question> {
  readonly question: Q;
  readonly answer: (answer: Answer | null) => void;
}

const refused: Outcome = { kind: "refused", refusal: { kind: "unknown-type", type: "negotiate" } };
const QUESTIONS_MAX = 5_000;

/** One client of a world where nothing moves; the test answers what it asks. FishCo, BoarCo, MenhirCo: 20, 30, 40 at 3. */
class Lying {
  readonly world: World;
  readonly clients: Clients;
  #asked: Asked[] = [];

  constructor(setting = SIMPLE) {
    this.world = new World(1, setting);
    for (const frontend of this.world.frontends) {
      frontend.isUp = true;
      vi.spyOn(frontend, "ask").mockImplementation((question, answer) => {
        this.#asked.push({ question, answer });
      });
    }
    this.clients = new Clients(this.world, 1);
  }

  /** The next question, whatever it is. */
  next(): Asked {
    const { scheduler } = this.world;
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
      const asked = this.#asked.pop();
      if (asked) return asked;
      scheduler.runUntil(scheduler.now + 10);
    }
    throw new Error("the client asks no more");
  }

  /** The next question of this kind; those before it are never answered. */
  ask<K extends Question["kind"]>(kind: K): Asked<OfKind<K>> {
    const isMeant = (asked: Asked): asked is Asked<OfKind<K>> => asked.question.kind === kind;
    for (let count = 0; count < QUESTIONS_MAX; count += 1) {
      const asked = this.next();
      if (isMeant(asked)) return asked;
      asked.answer(null);
    }
    throw new Error(`the client never asks for a ${kind}`);
  }

  commit(command: Command): void {
    const position = this.world.oracle.committed.length + 1;
    const bytes = encodeCommands([command]);
    this.world.oracle.commits(
      9094,
      [{ position, epoch: 1, at: 0, body: { kind: "command", bytes } }],
      null,
    );
  }
}

function expectViolation(run: () => void, message: string | RegExp): void {
  expect(run).toThrow(Violation);
  expect(run).toThrow(message);
}

const outcome = (of: Outcome, position: number): Answer => ({
  kind: "outcome",
  outcome: of,
  position,
});
const stock = (name: string, quantity: number): Stock => ({ name, price: 10, quantity });
const stocks = (...of: Stock[]): Answer => ({ kind: "stocks", stocks: of, position: 3 });
const ALL = [stock("FishCo", 20), stock("BoarCo", 30), stock("MenhirCo", 40)];

test("a client that went on to its next call doesn't notice what the first one is told at last", () => {
  const impatient = new Lying({ ...SIMPLE, patienceMs: 5 });
  const first = impatient.next();
  const second = impatient.next();
  expect(second).not.toBe(first);
  const wrong: Answer = { kind: "order", order: null, position: 4 };
  expect(() => first.answer(wrong)).toThrow(Violation);
});

test("a patient client asks on before it is answered", () => {
  const patient = new Lying();
  patient.next();
  expect(() => patient.next()).toThrow("the client asks no more");
});

describe("a client doesn't notice that", () => {
  test("an answer is older than one it knew of when it asked (C1)", () => {
    const lying = new Lying();
    lying.world.oracle.answeredPosition = 3;
    const { answer } = lying.ask("order");
    expectViolation(
      () => answer({ kind: "order", order: null, position: 2 }),
      /^C1: .* is answered as of 2, after an answer as of 3$/,
    );
  });

  test("an answer may be older than one that came while it waited (C1)", () => {
    const lying = new Lying();
    const { answer } = lying.ask("order");
    lying.world.oracle.answeredPosition = 3;
    answer({ kind: "order", order: null, position: 2 });
    expect(lying.world.oracle.answeredPosition).toBe(3);
  });

  test("an answer rests on what isn't committed (M1)", () => {
    const { answer } = new Lying().ask("order");
    expectViolation(
      () => answer({ kind: "order", order: null, position: 4 }),
      /^M1: .* is answered from 4, committed is 3$/,
    );
  });

  test("a stock never had that quantity (C1)", () => {
    const { answer } = new Lying().ask("lookup");
    expectViolation(
      () => answer({ kind: "stock", stock: stock("FishCo", 19), position: 3 }),
      /^C1: .* says 19 \(as of 3\), but since 0/,
    );
  });

  test("a copy shows what a stock had before a trade that was answered (C1)", () => {
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
    ["leaves a stock out", ALL.slice(1), "too few or too many"],
    ["has a stock that isn't listed", [...ALL, stock("Ash", 1)], "Ash 1"],
  ])("a list %s (C1)", (_what, listed, message) => {
    const lying = new Lying();
    lying.ask("list").answer(stocks(...ALL));
    const { answer } = lying.ask("list");
    expectViolation(() => answer(stocks(...listed)), message);
  });

  test("an order is another, or isn't there (M1)", () => {
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

  test("an answer answers something else", () => {
    const { answer } = new Lying().ask("list");
    expectViolation(() => answer(outcome(refused, 3)), "is answered with a outcome");
  });

  test("it was told yes, and nothing is recorded (M1)", () => {
    const { answer, question } = new Lying().ask("request");
    expectViolation(
      () => answer(outcome({ kind: "accepted", number: 1 }, 3)),
      `M1: ${question.request.requestId} was told accepted 1, the journal says null`,
    );
  });

  test("it was told no, and it happened all the same, later (M1)", () => {
    const lying = new Lying();
    const { answer, question } = lying.ask("request");
    const { requestId } = question.request;
    answer(outcome(refused, 3));
    lying.clients.checkAll();
    lying.commit({
      kind: "order",
      number: 1,
      requestId,
      name: "FishCo",
      type: "buy",
      quantity: 1,
      price: 10,
    });
    expectViolation(
      () => lying.clients.checkAll(),
      `M1: ${requestId} was told refuse, the journal says accepted 1`,
    );
  });

  test("it was told two things under one request id (M3)", () => {
    const lying = new Lying();
    const contents = new Map<string, string>();
    for (let count = 0; count < QUESTIONS_MAX; count += 1) {
      const { answer, question } = lying.ask("request");
      const { requestId } = question.request;
      const content = JSON.stringify(question.request.content);
      const before = contents.get(requestId);
      if (before === content) {
        expectViolation(
          () => answer(outcome({ kind: "accepted", number: 1 }, 3)),
          `M3: ${requestId} was told`,
        );
        return;
      }
      answer(outcome(before === undefined ? refused : { kind: "reused" }, 3));
      contents.set(requestId, before ?? content);
    }
    throw new Error("no client ever used its key again");
  });
});

test("a client that is stopped asks on, or a waiting call isn't counted", () => {
  const lying = new Lying();
  const { answer } = lying.next();
  expect(lying.clients.inFlight).toBe(1);
  lying.clients.stop();
  expect(lying.clients.areWorking).toBe(false);
  answer(null);
  expect(lying.clients.inFlight).toBe(0);
  expect(() => lying.next()).toThrow("the client asks no more");
});
