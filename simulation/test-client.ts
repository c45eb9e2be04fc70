// For tests of the checkers: one client, whose questions the test answers, with
// lies too.

import { expect, vi } from "vitest";
import { encodeCommands } from "../src/core/market/codec.ts";
import type { Command, Stock } from "../src/core/market/types.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { Clients } from "./clients.ts";
import { SimulatedDisk } from "./disk.ts";
import type { Answer, Question } from "./messages.ts";
import { SIMPLE } from "./setting.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

type OfKind<K extends Question["kind"]> = Extract<Question, { kind: K }>;

interface Asked<Q extends Question = Question> {
  readonly question: Q;
  readonly answer: (answer: Answer | null) => void;
}

const QUESTIONS_MAX = 5_000;

export const PRICES: Readonly<Record<string, number>> = { FishCo: 10, BoarCo: 11, MenhirCo: 12 };
export const stock = (name: string, quantity: number, price = PRICES[name] ?? 1): Stock => ({
  name,
  price,
  quantity,
});
export const stocks = (...of: Stock[]): Answer => ({ kind: "stocks", stocks: of, position: 3 });
export const ALL = [stock("FishCo", 20), stock("BoarCo", 30), stock("MenhirCo", 40)];

/** One client of a world where nothing moves; the test answers what it asks. FishCo, BoarCo, MenhirCo: 20, 30, 40 at 3. */
export class Lying {
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
    const entry: Entry = { position, epoch: 1, at: 0, body: { kind: "command", bytes } };
    const disk = new SimulatedDisk({ promise: { epoch: 1, nominee: 9094 }, voter: true }, [
      ...this.world.oracle.committed,
      entry,
    ]);
    this.world.oracle.commits(9094, [entry], [disk]);
  }
}

export function expectViolation(run: () => void, message: string | RegExp): void {
  expect(run).toThrow(Violation);
  expect(run).toThrow(message);
}
