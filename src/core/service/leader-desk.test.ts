// A reign by itself, over a log that commits and confirms when a test says so.
// Longer than 400 lines because every test asks the same reign.

import { describe, expect, test } from "vitest";
import {
  HEARD_MS,
  HOLD_AGAIN_MS,
  HOLD_WINDOW_MESSAGES_MAX,
  LEASE_ASK_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
} from "../coherence/limits.ts";
import { decodeCommands } from "../market/codec.ts";
import { UNCOMMITTED_ENTRIES_MAX } from "../replication/limits.ts";
import { type DeskLimits, LeaderDesk, type LeaderObserver } from "./leader-desk.ts";
import { DESK_LIMITS, QUESTIONS_PER_CALL_MAX } from "./limits.ts";
import { accepted, FakeLog, FakePeer, market, noTables, trade, turns } from "./test-support.ts";
import type { AskResult, Question } from "./types.ts";

const LEASE_END_MS = LEASE_MS + LEASE_MARGIN_MS;

interface Made {
  readonly catalogs?: readonly string[];
  readonly limits?: Partial<DeskLimits>;
  readonly observer?: LeaderObserver;
  /** Entries committed before the reign. */
  readonly before?: number;
  readonly nowMs?: number;
}

/** A reign on a log that commits and confirms when the test says so, won at 0. */
function reignOf({ catalogs = [], limits = {}, observer = {}, before = 0, nowMs = 0 }: Made = {}) {
  const log = new FakeLog(9094);
  log.append(Array.from({ length: before }, () => new Uint8Array()));
  log.beginReign();
  log.reign = { wonAt: 0, confirmedAt: nowMs };
  const clock = { nowMs };
  const { atTurnsEnd, pass, scheduled } = turns();
  const desk = new LeaderDesk<FakePeer>(
    {
      replica: 9094,
      epoch: log.epoch,
      log,
      market: market(),
      position: log.commit,
      tables: noTables,
      catalogs,
      limits: { ...DESK_LIMITS, ...limits },
      nowMs: () => clock.nowMs,
      atTurnsEnd,
      feed: (catalog, feed) => catalog.fed.push(feed),
      observer,
    },
    [],
  );
  log.listener = { committed: (entries) => desk.committed(entries) };
  const results: AskResult[] = [];
  const ask = (...questions: Question[]): void => {
    desk.ask(questions, (result) => results.push(result));
  };
  /** Asks, decides and appends. */
  const trades = (...ids: string[]): void => {
    for (const id of ids) ask(trade(id));
    pass();
  };
  const commit = (): void => {
    log.commitThrough(log.entries.length);
    pass();
  };
  return { log, clock, desk, ask, trades, commit, pass, scheduled, results };
}

const told = (...numbers: number[]): AskResult => ({
  kind: "answers",
  answers: numbers.map(accepted),
});
const UNKNOWN: AskResult = { kind: "unknown" };

describe("answers", () => {
  test("of a trade wait until its entry is committed", () => {
    const { log, trades, commit, results } = reignOf();
    trades("a");
    expect(log.entries).toHaveLength(2);
    expect(results).toEqual([]);
    commit();
    expect(results).toEqual([told(1)]);
  });

  test("that were just given leave before the next question is decided, in the turn in which it came", () => {
    const { log, ask, trades, desk, results, scheduled } = reignOf();
    trades("a");
    log.commitThrough(2); // to be sent out, and answered, at the end of this turn
    ask(trade("b"));
    const turn = scheduled.splice(0);
    const after = turn.map((run) => {
      run();
      return { told: results.length, entries: log.entries.length };
    });
    expect(after.findIndex(({ told }) => told === 1)).toBeLessThan(
      after.findIndex(({ entries }) => entries === 3),
    );
    expect(after.at(-1)).toEqual({ told: 1, entries: 3 });
    desk.close();
  });

  test("of one turn share an entry, decided in the order in which they were asked", () => {
    const { log, ask, pass, commit, results } = reignOf();
    ask(trade("a", "FishCo", "buy", 600));
    ask(trade("b", "FishCo", "sell", 1));
    ask(trade("c", "FishCo", "buy", 1));
    pass();
    expect(log.entries).toHaveLength(2);
    const commands = decodeCommands(log.entries[1]?.command ?? new Uint8Array());
    expect(commands.map((command) => command.requestId)).toEqual(["a", "b", "c"]);
    commit();
    expect(results).toEqual([told(1), told(2), told(3)]);
  });

  test("of reads and refusals wait for a confirmation that is begun after them, one for a turn", () => {
    const { log, ask, pass, results } = reignOf();
    ask({ kind: "lookup", name: "FishCo" }, { kind: "order", number: 1 });
    ask(trade("a", "FishCo", "buy", 1_000));
    pass();
    expect(results).toEqual([]);
    expect(log.confirmations).toHaveLength(1);
    log.confirmations[0]?.(true);
    expect(results).toHaveLength(2);
  });

  test("of reads show no trade that may still be lost", () => {
    const { log, ask, pass, trades, commit, results } = reignOf();
    trades("a");
    ask({ kind: "lookup", name: "FishCo" });
    pass();
    log.confirmations[0]?.(true);
    expect(results).toEqual([]);
    commit();
    const stock = { name: "FishCo", price: 17.99, quantity: 601 };
    expect(results[1]).toEqual({
      kind: "answers",
      answers: [{ kind: "stock", stock, position: 2 }],
    });
  });

  test("of a read that wasn't confirmed are unknown, those of the trade beside it aren't", () => {
    const { log, ask, trades, commit, results } = reignOf();
    ask({ kind: "lookup", name: "FishCo" });
    trades("a");
    log.confirmations[0]?.(false);
    commit();
    expect(results).toEqual([UNKNOWN, told(1)]);
  });

  test("of a deposed leader are neither yes nor no, and all come", () => {
    const { desk, ask, pass, trades, results } = reignOf();
    ask({ kind: "stocks", after: "", limit: 10 });
    trades("a");
    ask(trade("b"));
    desk.close();
    ask(trade("c"));
    pass();
    expect(results).toEqual([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]);
  });

  test("to one request id asked twice in flight are one order's", () => {
    const { log, trades, commit, results } = reignOf();
    trades("a");
    trades("a");
    log.confirmations[0]?.(true);
    commit();
    expect(results).toEqual([told(1), told(1)]);
    expect(log.entries).toHaveLength(2);
  });

  test("of a reign that ends while it appends are unknown", () => {
    const { log, desk, trades, results } = reignOf();
    log.append = () => {
      desk.close();
      return 0;
    };
    trades("a");
    expect(results).toEqual([UNKNOWN]);
  });

  test("wait for no leased catalog once they are refused for want of place, before anything is done", () => {
    const limits = { questionsInHandMax: 3 };
    const { log, ask, pass, trades, results } = reignOf({ limits });
    ask(trade("a"), trade("b"));
    ask(trade("c"), trade("d"));
    expect(results).toEqual([{ kind: "answers", answers: [{ kind: "busy" }, { kind: "busy" }] }]);
    pass();
    expect(log.entries).toHaveLength(2);
    trades("e");
    expect(log.entries).toHaveLength(3);
    trades("f");
    expect(results).toHaveLength(2);
  });
});

describe("the pipeline", () => {
  test("takes fewer questions than the log takes entries uncommitted", () => {
    expect(DESK_LIMITS.questionsInHandMax).toBeLessThan(UNCOMMITTED_ENTRIES_MAX);
    expect(DESK_LIMITS.questionsInHandMax).toBeGreaterThan(QUESTIONS_PER_CALL_MAX); // or some never fit
  });

  test("has so many turns and no more: what comes meanwhile is decided together later", () => {
    const { log, trades, pass, commit, results } = reignOf({ limits: { turnsInHandMax: 3 } });
    for (const id of ["a", "b", "c", "d", "e"]) trades(id);
    expect(log.entries).toHaveLength(4);
    log.commitThrough(2);
    pass();
    expect(log.entries).toHaveLength(5);
    commit();
    expect(results).toHaveLength(5);
  });
});

describe("a catalog", () => {
  const follow = (received: number, ask: number | null = 1, epoch = 1) => ({
    received,
    held: 0,
    epoch,
    ask,
    heardBefore: 0,
  });
  const held = (through: number, holds = through, epoch = 1) => ({
    epoch,
    received: through,
    held: holds,
  });
  /** A reign at whose beginning all older leases are over. */
  const later = (before: number, limits: Partial<DeskLimits> = {}) =>
    reignOf({ catalogs: ["catalog"], before, limits, nowMs: LEASE_END_MS });

  test("that is leased has dropped what changed before a client is told of it", () => {
    const catalog = new FakePeer("catalog", "catalog");
    const { log, desk, trades, commit, results } = reignOf();
    expect(desk.follow(catalog, follow(1)).grant).not.toBeNull();
    catalog.fed.splice(0);
    trades("a");
    commit();
    expect(results).toEqual([]);
    const entries = [log.entries[1]];
    expect(catalog.fed.shift()).toEqual({ leader: 9094, epoch: 1, exposed: 1, after: 1, entries });
    desk.held(catalog, held(2, 1));
    expect(results).toEqual([]);
    desk.held(catalog, held(2));
    expect(results).toEqual([told(1)]);
    expect(catalog.fed.shift()).toMatchObject({ exposed: 2, entries: [] });
  });

  test("that asks for a lease has a log confirmed that rests otherwise, once at a time", () => {
    const catalog = new FakePeer("catalog", "catalog");
    const { log, clock, desk } = reignOf();
    desk.follow(catalog, follow(1));
    clock.nowMs = LEASE_ASK_MS - 1;
    desk.follow(catalog, follow(1, 2));
    expect(log.confirmations).toHaveLength(0); // it was confirmed just now
    clock.nowMs = 10 * LEASE_ASK_MS;
    desk.follow(catalog, follow(1, null));
    expect(log.confirmations).toHaveLength(0); // nobody reads there
    desk.follow(catalog, follow(1, 3));
    desk.follow(catalog, follow(1, 4));
    expect(log.confirmations).toHaveLength(1);
    log.confirmations[0]?.(true);
    desk.follow(catalog, follow(1, 5));
    expect(log.confirmations).toHaveLength(2);
  });

  test("that is dead delays a trade once, by a lease and its margin, and the observer is told", () => {
    const exposures: [number, boolean][] = [];
    const catalog = new FakePeer("catalog", "catalog");
    const { desk, clock, trades, commit, results } = reignOf({
      observer: { exposed: (position, leaseEnded) => exposures.push([position, leaseEnded]) },
    });
    desk.follow(catalog, follow(1));
    trades("a");
    commit();
    clock.nowMs = LEASE_END_MS - 1;
    desk.tick();
    expect(results).toEqual([]);
    clock.nowMs = LEASE_END_MS;
    desk.tick();
    expect(results).toEqual([told(1)]);
    expect(exposures.filter(([, leaseEnded]) => leaseEnded)).toEqual([[2, true]]);
    trades("b");
    commit();
    expect(results).toEqual([told(1), told(2)]);
  });

  test("is waited for by a new leader whose predecessor may have granted it a lease", () => {
    const { desk, clock, trades, commit, results } = reignOf({ catalogs: ["catalog"] });
    trades("a");
    commit();
    expect(results).toEqual([]);
    clock.nowMs = LEASE_END_MS;
    desk.tick();
    expect(results).toEqual([told(1)]);
  });

  test("that was away reads on from where it stopped", () => {
    const { desk } = later(4);
    const catalog = new FakePeer("catalog", "catalog");
    expect(desk.follow(catalog, follow(2)).grant).not.toBeNull();
    expect(catalog.sent().flat()).toEqual([3, 4, 5]);
  });

  test("gets no lease when it asks in another epoch than the leader's", () => {
    const { desk } = later(4);
    expect(desk.follow(new FakePeer("catalog", "catalog"), follow(5, 1, 0))).toEqual({
      leads: true,
      epoch: 1,
      grant: null,
    });
  });

  test("gets no lease from a leader that no quorum confirms any more", () => {
    const { desk, log, clock } = later(4);
    const catalog = new FakePeer("catalog", "catalog");
    clock.nowMs += LEASE_MS;
    expect(desk.follow(catalog, follow(5)).grant).toBeNull();
    log.reign = { wonAt: 0, confirmedAt: clock.nowMs };
    expect(desk.follow(catalog, follow(5, 2)).grant?.ms).toBe(LEASE_MS);
  });

  test("has several messages on their way to it at once, but not without limit", () => {
    const { desk, trades, commit } = later(0, { turnsInHandMax: 1_000 });
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1));
    for (let index = 0; index < HOLD_WINDOW_MESSAGES_MAX + 3; index += 1) {
      trades(`${index}`);
      commit();
    }
    expect(catalog.sent()).toHaveLength(HOLD_WINDOW_MESSAGES_MAX);
    desk.held(catalog, held(2));
    expect(catalog.sent()).toEqual([[66, 67, 68]]);
  });

  test("is sent again what it doesn't answer, after a while", () => {
    const { desk, clock, trades, commit } = later(0);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1));
    for (const id of ["a", "b"]) {
      trades(id);
      commit();
    }
    catalog.sent();
    desk.tick();
    expect(catalog.sent()).toEqual([]);
    clock.nowMs += HOLD_AGAIN_MS;
    desk.tick();
    expect(catalog.sent().flat()).toEqual([2, 3]);
  });

  test("that restarted, and has less than it had, gets what it lacks once the name is its", () => {
    const { desk, clock } = later(4);
    const before = new FakePeer("catalog", "catalog");
    desk.follow(before, follow(5, null));
    const after = new FakePeer("catalog", "catalog");
    clock.nowMs += HEARD_MS + LEASE_END_MS - 1;
    expect(desk.follow(after, follow(3, null)).leads).toBe(false);
    expect(after.sent()).toEqual([]);
    clock.nowMs += 1;
    expect(desk.follow(after, follow(3, null)).leads).toBe(true);
    expect(after.sent().flat()).toEqual([4, 5]);
    desk.left(before); // closes late; the new connection stays
    clock.nowMs += HOLD_AGAIN_MS;
    desk.tick();
    expect(after.fed.length).toBeGreaterThan(0);
  });

  test("whose connection closed is waited for until its lease ends, once", () => {
    const { desk, clock, trades, commit } = later(0);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1));
    desk.left(catalog);
    trades("a");
    commit();
    clock.nowMs += LEASE_END_MS - 1;
    desk.tick();
    expect(desk.exposed).toBe(1);
    clock.nowMs += 1;
    desk.tick();
    expect(desk.exposed).toBe(2);
    trades("b");
    commit();
    expect(desk.exposed).toBe(3);
  });

  test("says nothing that counts about an earlier reign", () => {
    const { desk, trades, commit } = later(0);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1));
    trades("a");
    commit();
    desk.held(catalog, held(2, 2, 0));
    expect(desk.exposed).toBe(1);
    desk.held(catalog, held(2));
    expect(desk.exposed).toBe(2);
  });

  test("of a name of which another process is heard says nothing that counts", () => {
    const { desk, trades, commit } = later(4);
    const [heard, other] = [new FakePeer("catalog", "catalog"), new FakePeer("catalog", "catalog")];
    desk.follow(heard, follow(5));
    desk.follow(other, follow(5));
    trades("a");
    commit();
    desk.held(other, held(6));
    expect(desk.exposed).toBe(5);
    desk.held(heard, held(6));
    expect(desk.exposed).toBe(6);
  });

  test("that nobody reads is sent what there is with the next beat, and nobody waits for it", () => {
    const { desk, trades, commit } = later(0);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1, null));
    catalog.fed.splice(0);
    for (const id of ["a", "b"]) {
      trades(id);
      commit();
    }
    expect(desk.exposed).toBe(3);
    expect(catalog.fed).toEqual([]);
    desk.tick();
    expect(catalog.sent()).toEqual([[2, 3]]);
    trades("c");
    commit();
    desk.held(catalog, held(3));
    expect(catalog.fed).toEqual([]);
  });

  test("that is read again is sent what it lacks at once, and leased", () => {
    const { desk, trades, commit } = later(0);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, follow(1, null));
    trades("a");
    commit();
    expect(desk.follow(catalog, follow(1)).grant?.sent).toBe(2);
    expect(catalog.sent()).toEqual([[2]]);
  });
});
