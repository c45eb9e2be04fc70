// One replica of the log over two tables, against answers given by hand.

import { describe, expect, test } from "vitest";
import { LEADER_SILENCE_MS } from "../replication/limits.ts";
import type { Entry } from "../replication/types.ts";
import { ANSWER_MS, TableReplica } from "./table-replica.ts";
import type { Answer, ChainedEntry, Head, Statement, TableEffect, TableEvent } from "./types.ts";

/** A digest that tells entries apart by position, epoch and first byte. */
function chain(previous: Uint8Array, { position, epoch, body }: Entry): Uint8Array {
  const byte = body.kind === "command" ? (body.bytes[0] ?? 0) : 255;
  return new Uint8Array([...previous.slice(-3), position, epoch, byte]);
}

function command(position: number, epoch: number, byte: number): Entry {
  return { position, epoch, at: 0, body: { kind: "command", bytes: new Uint8Array([byte]) } };
}

function chained(entries: readonly Entry[]): ChainedEntry[] {
  let digest: Uint8Array = new Uint8Array();
  return entries.map((entry) => {
    digest = chain(digest, entry);
    return { entry, digest };
  });
}

const FIRST = [command(1, 0, 1), command(2, 0, 2)];
const DONE: Answer = { kind: "done", rows: 1, isWarned: false };

/** Replica 1 of three, which has FIRST stored. */
class Driven {
  readonly #replica: TableReplica;
  now = 0;
  /** All effects so far. */
  readonly effects: TableEffect[] = [];

  constructor() {
    const { entry, digest } = chained(FIRST)[1] as ChainedEntry;
    this.#replica = new TableReplica({
      id: 1,
      peers: [2, 3],
      end: { position: entry.position, digest },
      chain,
    });
  }

  get status() {
    return this.#replica.status();
  }

  step(event: TableEvent): readonly TableEffect[] {
    const effects = this.#replica.step({ now: this.now, wallMs: 0 }, event);
    this.effects.push(...effects);
    return effects;
  }

  /** The newest statement. */
  get running(): { readonly id: number; readonly statement: Statement } {
    const effect = this.effects.findLast(({ kind }) => kind === "run");
    if (effect?.kind !== "run") throw new Error("no statement was run");
    return effect;
  }

  answer(answer: Answer): readonly TableEffect[] {
    return this.step({ kind: "answered", id: this.running.id, answer });
  }

  /** Answers the look on its way from a table with these entries. */
  show(entries: readonly Entry[], head: Partial<Head> = {}): readonly TableEffect[] {
    const { statement } = this.running;
    if (statement.kind !== "look") throw new Error(`a ${statement.kind} is on its way`);
    const all = chained(entries);
    return this.answer({
      kind: "looked",
      head: { epoch: 0, leader: null, last: all.length, committed: FIRST.length, ...head },
      digest: all[statement.after - 1]?.digest ?? null,
      entries: all.slice(statement.after),
    });
  }

  lead(): void {
    this.step({ kind: "opened" });
    this.step({ kind: "lead" });
    this.show(FIRST);
    this.answer(DONE);
  }

  append(...bytes: number[]): readonly TableEffect[] {
    this.step({ kind: "append", commands: bytes.map((byte) => new Uint8Array([byte])) });
    return this.step({ kind: "round", confirm: null });
  }
}

function kinds(effects: readonly TableEffect[]): string[] {
  return effects.map(({ kind }) => kind);
}

function bytesOf(entries: readonly Entry[]): number[] {
  return entries.flatMap(({ body }) => (body.kind === "command" ? [...body.bytes] : []));
}

function committed(effects: readonly TableEffect[]): number[] {
  return effects.flatMap((effect) => (effect.kind === "committed" ? bytesOf(effect.entries) : []));
}

describe("a reign", () => {
  test("begins once its own entry is acknowledged, after all that was read before it is delivered", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    driven.step({ kind: "lead" });
    driven.show([...FIRST, command(3, 0, 3)], { epoch: 4, leader: 2 });
    const { statement } = driven.running;
    expect(statement).toMatchObject({ kind: "claim", seen: { epoch: 4, last: 3 }, committed: 2 });
    expect(driven.status).toMatchObject({ phase: "standing", commitPosition: 2 });
    const effects = driven.answer(DONE);
    expect(kinds(effects).slice(0, 3)).toEqual(["committed", "leading", "lead-outcome"]);
    expect(committed(effects)).toEqual([3]);
    expect(driven.status).toMatchObject({ phase: "leading", epoch: 5, commitPosition: 4 });
  });

  test("isn't won by a claim that found another head: it looks again, and claims by what it finds", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    driven.step({ kind: "lead" });
    driven.show(FIRST);
    driven.answer({ kind: "done", rows: 0, isWarned: false });
    driven.show([...FIRST, command(3, 1, 3)], { epoch: 1, leader: 2 });
    expect(driven.running.statement).toMatchObject({ seen: { epoch: 1, last: 3 } });
  });

  test.each<[string, Answer]>([
    ["with a warning", { ...DONE, isWarned: true }],
    ["as a failure", { kind: "failed", reason: "lock timeout" }],
  ])("isn't won by a claim that ended %s, and another connection is made", (_, answer) => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    driven.step({ kind: "lead" });
    driven.show(FIRST);
    expect(kinds(driven.answer(answer))).toEqual(["lead-outcome", "reconnect"]);
    expect(driven.status.phase).toBe("following");
  });

  test.each<[string, TableEvent]>([
    ["a warning", { kind: "answered", id: 3, answer: { ...DONE, isWarned: true } }],
    ["too few rows", { kind: "answered", id: 3, answer: { ...DONE, rows: 0 } }],
    ["a failure", { kind: "answered", id: 3, answer: { kind: "failed", reason: "no" } }],
    ["no answer, the connection closed", { kind: "closed" }],
  ])("ends with %s, and nothing of that statement counts", (_, event) => {
    const driven = new Driven();
    driven.lead();
    driven.append(7);
    driven.step({ kind: "round", confirm: 9 });
    expect(driven.running).toMatchObject({ id: 3, statement: { kind: "append" } });
    const effects = driven.step(event);
    expect(committed(effects)).toEqual([]);
    expect(effects).toContainEqual({ kind: "confirmed", token: 9, leads: false });
    expect(kinds(effects)).toContain("deposed");
    expect(driven.status).toMatchObject({ phase: "following", lastPosition: 3 });
  });

  test("ends when the database doesn't answer for long", () => {
    const driven = new Driven();
    driven.lead();
    driven.append(7);
    driven.now = ANSWER_MS;
    expect(kinds(driven.step({ kind: "tick" }))).toEqual(["deposed", "reconnect"]);
  });
});

describe("one statement is on its way, so that", () => {
  test("what is appended meanwhile goes together in the next, and isn't committed by the first", () => {
    const driven = new Driven();
    driven.lead();
    driven.append(7);
    expect(kinds(driven.append(8))).toEqual([]);
    driven.append(9);
    const effects = driven.answer(DONE);
    expect(committed(effects)).toEqual([7]);
    const { statement } = driven.running;
    if (statement.kind !== "append") throw new Error("nothing was appended");
    expect(bytesOf(statement.entries.map(({ entry }) => entry))).toEqual([8, 9]);
    expect(statement).toMatchObject({ last: 4, committed: 4 });
    expect(committed(driven.answer({ ...DONE, rows: 2 }))).toEqual([8, 9]);
  });

  test("a question asked meanwhile is confirmed by the next, which began after it", () => {
    const driven = new Driven();
    driven.lead();
    driven.append(7);
    driven.step({ kind: "round", confirm: 1 });
    const first = driven.answer(DONE);
    expect(kinds(first)).toEqual(["committed", "run"]);
    expect(driven.running.statement).toMatchObject({ kind: "append", entries: [] });
    expect(driven.answer(DONE)).toContainEqual({ kind: "confirmed", token: 1, leads: true });
  });
});

test("an idle leader writes once that followers may read all, and then seldom", () => {
  const driven = new Driven();
  driven.lead();
  driven.append(7);
  driven.answer(DONE);
  const idle = (ms: number): Statement[] => {
    const statements: Statement[] = [];
    for (const end = driven.now + ms; driven.now < end; driven.now += 25) {
      for (const effect of driven.step({ kind: "tick" })) {
        if (effect.kind !== "run") continue;
        statements.push(effect.statement);
        driven.answer(DONE);
      }
    }
    return statements;
  };
  expect(idle(200)).toEqual([expect.objectContaining({ committed: 4, entries: [] })]);
  expect(idle(10_000).length).toBeLessThanOrEqual(10);
  driven.step({ kind: "round", confirm: 1 });
  expect(driven.answer(DONE)).toContainEqual({ kind: "confirmed", token: 1, leads: true });
});

test("a reign is won when the answer came, and confirmed from when the round began", () => {
  const driven = new Driven();
  driven.step({ kind: "opened" });
  driven.step({ kind: "lead" });
  driven.now = 10;
  driven.show(FIRST);
  driven.now = 30;
  driven.answer(DONE);
  expect(driven.status.reign).toEqual({ wonAt: 30, confirmedAt: Number.NEGATIVE_INFINITY });
  driven.now = 40;
  driven.append(7);
  driven.now = 70;
  driven.answer(DONE);
  expect(driven.status.reign).toEqual({ wonAt: 30, confirmedAt: 40 });
});

test("a follower delivers what the table calls committed, and not what stands beyond", () => {
  const driven = new Driven();
  driven.step({ kind: "opened" });
  const table = [...FIRST, command(3, 1, 3), command(4, 1, 4)];
  expect(committed(driven.show(table, { epoch: 1, leader: 2, committed: 3 }))).toEqual([3]);
  expect(driven.status).toMatchObject({ commitPosition: 3, lastPosition: 3 });
});

test("a database that lacks what a leader said is there is left: an old primary answers for ever", () => {
  const driven = new Driven();
  driven.step({ kind: "connected", peer: 2 });
  driven.step({ kind: "heard", from: 2, beat: { leads: true, epoch: 3, committed: 5 } });
  driven.step({ kind: "opened" });
  const effects = driven.show(FIRST, { epoch: 2 });
  expect(effects).toContainEqual({ kind: "behind", position: 5, committed: 2 });
  expect(kinds(effects)).toContain("reconnect");
});

test("who hears a leader follows it when nominated, and stands once that falls silent", () => {
  const driven = new Driven();
  driven.step({ kind: "connected", peer: 2 });
  driven.step({ kind: "heard", from: 2, beat: { leads: true, epoch: 3, committed: 2 } });
  expect(driven.status).toMatchObject({ leader: 2, epoch: 3 });
  const follows = { kind: "lead-outcome", outcome: { kind: "follows", leader: 2, epoch: 3 } };
  expect(driven.step({ kind: "lead" })).toEqual([follows]);
  driven.now = LEADER_SILENCE_MS;
  driven.step({ kind: "lead" });
  expect(driven.status).toMatchObject({ phase: "standing", leader: null });
});

test("a leader that was deposed says so, and another stands at once", () => {
  const driven = new Driven();
  driven.step({ kind: "connected", peer: 2 });
  driven.step({ kind: "heard", from: 2, beat: { leads: true, epoch: 3, committed: 2 } });
  driven.step({ kind: "heard", from: 2, beat: { leads: false, epoch: 3, committed: 0 } });
  driven.step({ kind: "lead" });
  expect(driven.status.phase).toBe("standing");
});

describe("a history that isn't the one known here", () => {
  const other = [command(1, 0, 1), command(2, 0, 99), command(3, 0, 3)];

  test("is noticed and not followed: the database of another cluster, or a backup that went on", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    const effects = driven.show(other, { committed: 3 });
    expect(effects).toContainEqual({ kind: "foreign", reason: "the database has another entry 2" });
    expect(committed(effects)).toEqual([]);
  });

  test("is no proof of another cluster where it isn't committed: an old primary's", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    const effects = driven.show(other, { committed: 1 });
    expect(kinds(effects)).toEqual(["behind", "reconnect"]);
  });

  test("is not followed where it ends before what is known to be committed: a backup brought back", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    driven.step({ kind: "lead" });
    const effects = driven.show([command(1, 0, 1)], { committed: 1 });
    expect(effects).toContainEqual({ kind: "behind", position: 2, committed: 1 });
    expect(driven.status.phase).toBe("following");
  });

  test("is noticed where an entry was changed in the database", () => {
    const driven = new Driven();
    driven.step({ kind: "opened" });
    const [, , third] = chained([...FIRST, command(3, 1, 3)]);
    if (!third) throw new Error("three were chained");
    const effects = driven.answer({
      kind: "looked",
      head: { epoch: 1, leader: 2, last: 3, committed: 3 },
      digest: chained(FIRST)[1]?.digest ?? null,
      entries: [{ ...third, entry: command(3, 1, 4) }],
    });
    expect(kinds(effects)).toEqual(["foreign"]);
    expect(committed(effects)).toEqual([]);
  });
});
