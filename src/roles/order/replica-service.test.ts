import { expect, test } from "vitest";
import { LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { MarketJudge } from "../../core/market/judge.ts";
import type { Command, Stock } from "../../core/market/types.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { AskResult } from "../contract.ts";
import { ReplicaService, type ServiceTables } from "./replica-service.ts";
import { BOAR, FakeLog, FakePeer, FISH, silent, trade, turns } from "./test-support.ts";

/** Tables in memory: flush() makes everything queued visible. */
class FakeTables implements ServiceTables {
  appliedPosition = 0;
  lastNumber = 0;
  readonly #stocks = new Map<string, Stock>([FISH, BOAR].map((stock) => [stock.name, stock]));
  readonly #orders: Extract<Command, { kind: "order" }>[] = [];
  #queue: { readonly position: number; readonly commands: readonly Command[] }[] = [];

  stocks(): readonly Stock[] {
    return [...this.#stocks.values()];
  }

  request(requestId: string) {
    const order = this.#orders.find((each) => each.requestId === requestId);
    if (order === undefined) return undefined;
    const { name, type, quantity, number } = order;
    return {
      content: { kind: "trade" as const, name, type, quantity },
      outcome: { kind: "accepted" as const, number },
    };
  }

  order(number: number) {
    return this.#orders[number - 1];
  }

  orders(after: number, limit: number) {
    return this.#orders.slice(after, after + limit);
  }

  readTogether<T>(read: () => T): T {
    return read();
  }

  queue(position: number, commands: readonly Command[]): void {
    this.#queue.push({ position, commands });
  }

  flush(): void {
    for (const { position, commands } of this.#queue) {
      for (const command of commands) this.#apply(command);
      this.appliedPosition = position;
    }
    this.#queue = [];
  }

  #apply(command: Command): void {
    if (command.kind !== "order") return;
    this.#orders.push(command);
    this.lastNumber = command.number;
    const stock = this.#stocks.get(command.name);
    if (stock === undefined) return;
    const by = command.type === "buy" ? -command.quantity : command.quantity;
    this.#stocks.set(stock.name, { ...stock, quantity: stock.quantity + by });
  }
}

function replica(id = 9092, catalogs: readonly string[] = []) {
  const log = new FakeLog(id);
  const tables = new FakeTables();
  const judge = new MarketJudge(tables, ({ reason }) => new Error(reason));
  const peers = new Map<number, FakePeer>();
  const broken: unknown[] = [];
  const clock = { nowMs: 0 };
  let changes = 0;
  const service = new ReplicaService({
    replica: id,
    others: [9090, 9092, 9094].filter((other) => other !== id),
    catalogs,
    source: log,
    tables,
    market: () => judge.market,
    peerOf: (other) => peers.get(other) ?? null,
    log: silent,
    nowMs: () => clock.nowMs,
    onChange: () => changes++,
    onBroken: (reason) => broken.push(reason),
  });
  log.listener = service;
  const results: AskResult[] = [];
  const ask = (...questions: Parameters<typeof service.ask>[1][number][]): void => {
    service.ask(false, questions).then((result) => results.push(result));
  };
  /** The journal ends after `position` now, since the next leader has no more of it. */
  const cut = (position: number): void => {
    log.entries.length = position;
    judge.rewind();
    judge.take(
      log.entries.slice(tables.appliedPosition).map(({ position, command }) => ({
        position,
        body: command ? { kind: "command", bytes: command } : { kind: "admit" },
      })),
    );
  };
  return { log, cut, tables, peers, service, broken, clock, ask, results, changes: () => changes };
}

const accepted = (number: number): AskResult => ({
  kind: "answers",
  answers: [{ kind: "outcome", outcome: { kind: "accepted", number } }],
});

test("nothing is decided before the reign has begun", async () => {
  const { log, service } = replica();
  log.leader = 9092; // it won, but its reign isn't committed
  expect(await service.ask(false, [trade("a", "FishCo", "buy", 1)])).toEqual({
    kind: "not-leader",
    leader: null,
  });
  expect(log.entries).toEqual([]);
});

test("a deposed leader's undecided tail is not sold: its next reign begins from what was committed", async () => {
  const { log, cut, ask, results, tables } = replica();
  log.beginReign();
  ask(trade("a", "FishCo", "buy", 500));
  await turns();
  log.commitThrough(2);
  await turns();
  ask(trade("lost", "FishCo", "buy", 100));
  await turns();
  expect(log.entries).toHaveLength(3);
  log.depose(9094);
  cut(2);
  await turns();
  expect(results).toEqual([accepted(1), { kind: "unknown" }]);

  log.beginReign();
  tables.flush();
  ask(trade("b", "FishCo", "buy", 100));
  ask(trade("a", "FishCo", "buy", 500)); // asked again: found in the tables
  await turns();
  log.commitThrough(log.entries.length);
  log.confirmations.at(-1)?.(true);
  await turns();
  expect(
    results
      .slice(2)
      .map((result) => JSON.stringify(result))
      .sort(),
  ).toEqual([accepted(1), accepted(2)].map((result) => JSON.stringify(result)));
});

test("a follower passes questions on to the leader, and what it answers back", async () => {
  const { log, peers, ask, results } = replica();
  const leader = new FakePeer("order", "order-9094");
  peers.set(9094, leader);
  log.leader = 9094;
  const question = trade("a", "FishCo", "buy", 1);
  ask(question);
  const call = leader.take();
  expect(call.name).toBe("ask");
  expect(call.argument).toEqual({ relayed: true, questions: [question] });
  call.answer(accepted(7));
  await turns();
  expect(results).toEqual([accepted(7)]);
});

test("what was passed on once is not passed on again, so that nothing goes in circles", async () => {
  const { log, peers, service } = replica();
  const leader = new FakePeer("order", "order-9094");
  peers.set(9094, leader);
  log.leader = 9094;
  expect(await service.ask(true, [trade("a", "FishCo", "buy", 1)])).toEqual({
    kind: "not-leader",
    leader: 9094,
  });
  expect(leader.received).toEqual([]);
});

test("a question whose leader was lost on the way has an unknown fate, not a refusal", async () => {
  const { log, peers, ask, results } = replica();
  const leader = new FakePeer("order", "order-9094");
  peers.set(9094, leader);
  log.leader = 9094;
  ask(trade("a", "FishCo", "buy", 1));
  leader.take().fail(new RpcError("closed", "killed"));
  await turns();
  ask(trade("b", "FishCo", "buy", 1));
  leader.take().fail(new RpcError("busy", "too many"));
  await turns();
  peers.clear();
  ask(trade("c", "FishCo", "buy", 1));
  await turns();
  expect(results).toEqual([
    { kind: "unknown" },
    { kind: "answers", answers: [{ kind: "busy" }] },
    { kind: "not-leader", leader: 9094 },
  ]);
});

test("a catalog that followed before the reign is fed from its first turn on, and waited for", async () => {
  const { log, service, ask, results } = replica(9092, ["catalog"]);
  const catalog = new FakePeer("catalog", "catalog");
  const question = { received: 0, held: 0, epoch: 0, ask: 1 };
  expect(service.follow(catalog, question)).toEqual({ leads: false, epoch: 0, grant: null });
  log.beginReign();
  expect(catalog.take().argument).toMatchObject({ after: 0, entries: [{ position: 1 }] });
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  expect(results).toEqual([]);
  service.held(catalog, { epoch: 1, received: 2, held: 2 });
  await turns();
  expect(results).toEqual([accepted(1)]);
});

test("a catalog whose connection closed is not fed by the next reign", async () => {
  const { log, service, clock, ask, results } = replica(9092, ["catalog"]);
  const catalog = new FakePeer("catalog", "catalog");
  service.follow(catalog, { received: 0, held: 0, epoch: 0, ask: 1 });
  service.unfollow(catalog);
  log.beginReign();
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  expect(catalog.received).toEqual([]);
  clock.nowMs = LEASE_MS + LEASE_MARGIN_MS; // what the last leader may have granted it is over
  service.tick();
  await turns();
  expect(results).toEqual([accepted(1)]);
});

test("a catalog that the configuration doesn't know gets no lease: a next leader wouldn't wait for it", () => {
  const { log, service } = replica(9092, ["catalog"]);
  log.beginReign();
  const question = { received: 0, held: 0, epoch: 1, ask: 1 };
  for (const stranger of [new FakePeer("catalog", "other"), new FakePeer("cli", "catalog")]) {
    expect(service.follow(stranger, question)).toEqual({ leads: false, epoch: 1, grant: null });
    expect(stranger.received).toEqual([]);
  }
});

test("a second process of a catalog's name is fed nothing and counts for nothing while the first lives", async () => {
  const { log, service, ask, results, clock } = replica(9092, ["catalog"]);
  const [first, second] = [new FakePeer("catalog", "catalog"), new FakePeer("catalog", "catalog")];
  const question = { received: 0, held: 0, epoch: 0, ask: 1 };
  service.follow(first, question);
  log.beginReign();
  expect(first.take().name).toBe("entries");
  expect(service.follow(second, { ...question, epoch: 1 })).toMatchObject({ leads: false });
  ask(trade("a", "FishCo", "buy", 1));
  await turns();
  log.commitThrough(2);
  await turns();
  service.held(second, { epoch: 1, received: 2, held: 2 });
  await turns();
  expect([results, second.received]).toEqual([[], []]);
  service.unfollow(second);
  service.held(first, { epoch: 1, received: 2, held: 2 });
  await turns();
  expect(results).toEqual([accepted(1)]);

  // A lost connection doesn't end the first one's lease.
  service.unfollow(first);
  clock.nowMs += LEASE_MS + LEASE_MARGIN_MS - 1;
  expect(service.follow(second, { ...question, epoch: 1 })).toMatchObject({ leads: false });
  clock.nowMs += 1;
  expect(service.follow(second, { ...question, epoch: 1 })).toMatchObject({ leads: true });
});

test("front ends learn of each beginning and end of a reign at once", () => {
  const { log, service, changes } = replica();
  expect(service.health()).toMatchObject({ replica: 9092, leads: false, leader: null });
  log.beginReign();
  expect(changes()).toBe(1);
  expect(service.health()).toMatchObject({ leads: true, leader: 9092, epoch: 1 });
  log.depose(9094);
  expect(changes()).toBe(2);
  expect(service.health()).toMatchObject({ leads: false, leader: 9094 });
});

test("an entry that was skipped stops the replica instead of losing its orders", () => {
  const { service } = replica();
  const command = null;
  service.committed([{ position: 1, epoch: 0, at: 0, command }]);
  expect(() => service.committed([{ position: 3, epoch: 0, at: 0, command }])).toThrow("R1");
});
