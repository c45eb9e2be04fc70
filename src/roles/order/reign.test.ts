import { expect, test } from "vitest";
import { LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { decodeCommands } from "../../core/market/codec.ts";
import { UNCOMMITTED_ENTRIES_MAX } from "../../core/replication/limits.ts";
import type { AskResult, Question } from "../contract.ts";
import { QUESTIONS_IN_HAND_MAX, TURNS_IN_HAND_MAX } from "./limits.ts";
import { Reign } from "./reign.ts";
import { ReignTimes } from "./reign-times.ts";
import { FakeLog, FakePeer, market, noTables, silent, trade, turns } from "./test-support.ts";

/** A reign on a log that commits and confirms when the test says so. */
function reignOf({
  catalogs = [] as string[],
  times = null as ReignTimes | null,
  clock = { nowMs: 0 },
} = {}) {
  const log = new FakeLog(9094);
  log.beginReign();
  const broken: unknown[] = [];
  const reign = new Reign({
    replica: 9094,
    epoch: log.epoch,
    source: log,
    market: market(),
    position: log.commit,
    tables: noTables,
    catalogs,
    followers: [],
    log: silent,
    trace: null,
    times,
    nowMs: () => clock.nowMs,
    onBroken: (reason) => broken.push(reason),
  });
  log.listener = {
    committed: (entries) => reign.committed(entries),
    leading: () => {},
    deposed: () => reign.close(),
  };
  const results: AskResult[] = [];
  const ask = (...questions: Question[]): void => {
    reign.ask(questions).then((result) => results.push(result));
  };
  return { log, clock, reign, broken, ask, results };
}

const accepted = (number: number): AskResult => ({
  kind: "answers",
  answers: [{ kind: "outcome", outcome: { kind: "accepted", number } }],
});

test("a trade is not told before its entry is committed", async () => {
  const { log, ask, results } = reignOf();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  expect(log.entries).toHaveLength(2);
  expect(results).toEqual([]);
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([accepted(1)]);
});

test("asks of one turn share an entry and are decided in the order they came", async () => {
  const { log, ask, results } = reignOf();
  ask(trade("a", "FishCo", "buy", 600));
  ask(trade("b", "FishCo", "sell", 1));
  ask(trade("c", "FishCo", "buy", 1));
  await turns();
  expect(log.entries).toHaveLength(2);
  const commands = decodeCommands(log.entries[1]?.command ?? new Uint8Array());
  expect(commands.map((command) => command.requestId)).toEqual(["a", "b", "c"]);
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([accepted(1), accepted(2), accepted(3)]);
});

test("a leader that was cut off can't answer with the past: reads and refusals wait for a confirmation begun after them", async () => {
  const { log, ask, results } = reignOf();
  ask({ kind: "lookup", name: "FishCo" }, { kind: "order", number: 1 });
  ask(trade("a", "FishCo", "buy", 1_000));
  await turns();
  expect(results).toEqual([]);
  expect(log.confirmations).toHaveLength(1); // one for the whole turn
  log.confirmations[0]?.(true);
  await turns();
  expect(results).toHaveLength(2);
});

test("a read doesn't show a trade that may still be lost", async () => {
  const { log, ask, results } = reignOf();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  ask({ kind: "lookup", name: "FishCo" });
  await turns();
  log.confirmations[0]?.(true);
  await turns();
  expect(results).toEqual([]);
  log.commitThrough(2);
  await turns();
  expect(results[1]).toEqual({
    kind: "answers",
    answers: [
      { kind: "stock", stock: { name: "FishCo", price: 17.99, quantity: 599 }, position: 2 },
    ],
  });
});

test("a read that wasn't confirmed has no answer, but the trade beside it has", async () => {
  const { log, ask, results } = reignOf();
  ask({ kind: "lookup", name: "FishCo" });
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.confirmations[0]?.(false);
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([{ kind: "unknown" }, accepted(1)]);
});

test("a deposed leader leaves nobody waiting and tells nobody yes or no", async () => {
  const { log, ask, reign, results } = reignOf();
  ask(trade("a", "FishCo", "buy", 1));
  ask({ kind: "stocks", after: "", limit: 10 });
  await turns();
  ask(trade("b", "FishCo", "buy", 1));
  log.depose(9092);
  ask(trade("c", "FishCo", "buy", 1));
  reign.close();
  await turns();
  expect(results).toEqual(Array.from({ length: 4 }, () => ({ kind: "unknown" })));
});

test("a client isn't told of a trade that a leased catalog's front ends may not have dropped", async () => {
  const catalog = new FakePeer("catalog", "catalog");
  const { log, reign, ask, results } = reignOf();
  expect(reign.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 })).not.toBeNull();
  catalog.received.splice(0);
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([]);
  expect(catalog.take().argument).toEqual({
    leader: 9094,
    epoch: 1,
    exposed: 1,
    after: 1,
    entries: [log.entries[1]],
  });
  reign.held(catalog, { epoch: 1, received: 2, held: 1 });
  await turns();
  expect(results).toEqual([]);
  reign.held(catalog, { epoch: 1, received: 2, held: 2 });
  await turns();
  expect(results).toEqual([accepted(1)]);
  expect(catalog.take().argument).toMatchObject({ exposed: 2, entries: [] });
});

test("a dead catalog delays a trade once, by a lease and its margin, and that isn't measured", async () => {
  const catalog = new FakePeer("catalog", "catalog");
  const waits: number[] = [];
  const clock = { nowMs: 0 };
  const times = new ReignTimes({
    commit: { observe() {} },
    expose: { observe() {} },
    leaseWait: { observe: (seconds) => waits.push(seconds) },
    nowMs: () => clock.nowMs,
  });
  const { log, reign, ask, results } = reignOf({ times, clock });
  reign.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 });
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  clock.nowMs = LEASE_MS + LEASE_MARGIN_MS - 1;
  reign.tick();
  await turns();
  expect(results).toEqual([]);
  clock.nowMs = LEASE_MS + LEASE_MARGIN_MS;
  reign.tick();
  await turns();
  expect(results).toEqual([accepted(1)]);
  ask(trade("b", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(3);
  await turns();
  expect(results).toEqual([accepted(1), accepted(2)]);
  expect(waits).toEqual([(LEASE_MS + LEASE_MARGIN_MS) / 1_000]);
});

test("a new leader waits for the catalogs that its predecessor may have granted leases to", async () => {
  const { log, reign, clock, ask, results } = reignOf({ catalogs: ["catalog"] });
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([]);
  clock.nowMs = LEASE_MS + LEASE_MARGIN_MS;
  reign.tick();
  await turns();
  expect(results).toEqual([accepted(1)]);
});

test("questions that are all held make more entries than the log takes uncommitted", () => {
  expect(QUESTIONS_IN_HAND_MAX).toBeLessThan(UNCOMMITTED_ENTRIES_MAX);
});

test("more questions than can be held are refused before anything is done", async () => {
  const { log, ask, results } = reignOf();
  const asksUntilFull = QUESTIONS_IN_HAND_MAX / 1_024;
  for (let index = 0; index < asksUntilFull; index++) {
    ask(...Array.from({ length: 1_024 }, (_, each) => trade(`${index}-${each}`, "Ash", "buy", 1)));
  }
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  expect(results).toEqual([{ kind: "answers", answers: [{ kind: "busy" }] }]);
  expect(log.entries).toHaveLength(1);
  log.confirmations[0]?.(true);
  await turns();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  expect(log.entries).toHaveLength(2);
});

test("a slow disk doesn't grow the pipeline: what comes meanwhile is decided together later", async () => {
  const { log, ask, results } = reignOf();
  for (let turn = 0; turn < TURNS_IN_HAND_MAX; turn++) {
    ask(trade(`${turn}`, "FishCo", "sell", 1));
    await turns(1);
  }
  await turns();
  expect(log.entries).toHaveLength(1 + TURNS_IN_HAND_MAX);
  ask(trade("late", "FishCo", "sell", 1));
  await turns();
  ask(trade("later", "FishCo", "sell", 1));
  await turns();
  expect(log.entries).toHaveLength(1 + TURNS_IN_HAND_MAX);
  log.commitThrough(2);
  await turns();
  expect(log.entries).toHaveLength(2 + TURNS_IN_HAND_MAX);
  log.commitThrough(log.entries.length);
  await turns();
  expect(results).toHaveLength(TURNS_IN_HAND_MAX + 2);
});

test("the same request id asked twice in flight is one order", async () => {
  const { log, ask, results } = reignOf();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  log.confirmations[0]?.(true);
  await turns();
  expect(results).toEqual([accepted(1), accepted(1)]);
  expect(log.entries).toHaveLength(2);
});

test("a reign that ends while it appends leaves nobody waiting", async () => {
  const { log, reign, ask, results } = reignOf();
  log.append = () => {
    reign.close();
    return 0;
  };
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  expect(results).toEqual([{ kind: "unknown" }]);
});

test("an append that fails stops the process, not only the turn", async () => {
  const { log, ask, broken } = reignOf();
  log.append = () => {
    throw new Error("disk full");
  };
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  expect(broken).toEqual([new Error("disk full")]);
});
