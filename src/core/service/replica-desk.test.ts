import { describe, expect, test } from "vitest";
import { HEARD_MS, LEASE_MARGIN_MS, LEASE_MS } from "../coherence/limits.ts";
import { decodeCommands } from "../market/codec.ts";
import { MarketJudge } from "../market/judge.ts";
import type { Order } from "../market/types.ts";
import type { LeadResult } from "../replication/events.ts";
import type { CommittedEntry } from "../replication/types.ts";
import { BEAT_MS, DESK_LIMITS } from "./limits.ts";
import type { CallResult } from "./questions.ts";
import { ReplicaDesk } from "./replica-desk.ts";
import { accepted, FakeLog, FakePeer, market, noTables, trade, turns } from "./test-support.ts";
import type { AskResult, Question } from "./types.ts";

interface Relayed {
  readonly to: FakePeer;
  readonly questions: readonly Question[];
  readonly settled: (result: CallResult) => void;
}

function replica(id = 9092, catalogs: readonly string[] = []) {
  const log = new FakeLog(id);
  const stocks = market().stocks();
  const orders: Order[] = [];
  const tables = {
    ...noTables,
    lastNumber: 0,
    stocks: () => stocks,
    order: (number: number) => orders[number - 1],
    request: () => undefined,
    keyCommands: () => [],
  };
  const judge = new MarketJudge(tables, ({ reason }) => new Error(reason));
  const peers = new Map<number, FakePeer>();
  const clock = { nowMs: 0 };
  const relayed: Relayed[] = [];
  const unheard: string[] = [];
  const { atTurnsEnd, pass } = turns();
  const desk = new ReplicaDesk<FakePeer>({
    replica: id,
    catalogs,
    log,
    tables,
    market: () => judge.market,
    deliver({ command }) {
      for (const each of command === null ? [] : decodeCommands(command))
        if (each.kind === "order") orders.push(each);
    },
    limits: DESK_LIMITS,
    nowMs: () => clock.nowMs,
    atTurnsEnd,
    peerOf: (other) => peers.get(other) ?? null,
    relay: (to, questions, settled) => relayed.push({ to, questions, settled }),
    feed: (catalog, feed) => catalog.fed.push(feed),
    beat: (frontend, health) => frontend.beats.push(health),
    observer: { unheard: (catalog) => unheard.push(catalog) },
  });
  log.listener = desk;
  const results: AskResult[] = [];
  const ask = (...questions: Question[]): void => {
    desk.ask(false, questions, (result) => results.push(result));
    pass();
  };
  const commit = (position = log.entries.length): void => {
    log.commitThrough(position);
    pass();
  };
  /** The journal ends after `position` now, since the next leader has no more of it. */
  const cut = (position: number): void => {
    log.entries.length = position;
    judge.rewind();
    judge.take(log.entries.map(bodied));
  };
  return { log, desk, peers, clock, relayed, unheard, ask, pass, commit, cut, results };
}

function bodied({ position, command }: CommittedEntry) {
  const body = command ? { kind: "command" as const, bytes: command } : { kind: "admit" as const };
  return { position, body };
}

const told = (...numbers: number[]): AskResult => ({
  kind: "answers",
  answers: numbers.map(accepted),
});
const UNKNOWN: AskResult = { kind: "unknown" };
const LEASE_END_MS = LEASE_MS + LEASE_MARGIN_MS;

describe("a leader", () => {
  test("decides nothing before its reign has begun", () => {
    const { log, ask, results } = replica();
    log.leader = 9092; // it won, but its reign isn't committed
    ask(trade("a"));
    expect(results).toEqual([{ kind: "not-leader", leader: null }]);
    expect(log.entries).toEqual([]);
  });

  test("begins its next reign from what was committed: what it had not decided is not sold", () => {
    const { log, ask, commit, cut, results } = replica();
    log.beginReign();
    ask(trade("a", "FishCo", "buy", 500));
    commit();
    ask(trade("lost", "FishCo", "buy", 100));
    expect(log.entries).toHaveLength(3);
    log.depose(9094);
    cut(2);
    expect(results).toEqual([told(1), UNKNOWN]);

    log.beginReign();
    ask(trade("b", "FishCo", "buy", 100));
    ask(trade("a", "FishCo", "buy", 500)); // asked again
    commit();
    log.confirmations.at(-1)?.(true);
    expect(results.slice(2)).toEqual([told(2), told(1)]);
  });

  test("is told of entries in order: one that was skipped stops the replica", () => {
    const { desk } = replica();
    const entry = { epoch: 0, at: 0, command: null };
    desk.committed([{ position: 1, ...entry }]);
    expect(() => desk.committed([{ position: 3, ...entry }])).toThrow(
      "entries come one after another",
    );
  });
});

describe("a follower", () => {
  const following = () => {
    const made = replica();
    const leader = new FakePeer("order", "order-9094");
    made.peers.set(9094, leader);
    made.log.leader = 9094;
    return { ...made, leader };
  };

  test("passes questions on to the leader, and what it answers back", () => {
    const { leader, ask, relayed, results } = following();
    ask(trade("a"));
    expect(relayed).toMatchObject([{ to: leader, questions: [trade("a")] }]);
    relayed[0]?.settled(told(7));
    expect(results).toEqual([told(7)]);
  });

  test("passes on nothing that was passed on before, so that nothing goes in circles", () => {
    const { desk, relayed, results } = following();
    desk.ask(true, [trade("a")], (result) => results.push(result));
    expect(results).toEqual([{ kind: "not-leader", leader: 9094 }]);
    expect(relayed).toEqual([]);
  });

  test("says of a question that was lost on the way that its fate is unknown, unless it never left", () => {
    const { ask, peers, relayed, results } = following();
    for (const failure of ["closed", "timeout", "failed", "refused", "busy"] as const) {
      ask(trade(failure), trade("other"));
      relayed.shift()?.settled({ kind: "failed", failure });
    }
    peers.clear();
    ask(trade("c"));
    const busy = { kind: "answers", answers: [{ kind: "busy" }, { kind: "busy" }] };
    const elsewhere = { kind: "not-leader", leader: 9094 };
    expect(results).toEqual([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, busy, elsewhere]);
  });

  test("that knows no leader names none", () => {
    const { log, ask, results } = following();
    log.leader = null;
    ask(trade("a"));
    expect(results).toEqual([{ kind: "not-leader", leader: null }]);
  });
});

describe("a nomination", () => {
  test("joins the attempt that is under way, and hears with it how that ended", () => {
    const { desk, log } = replica();
    const heard: LeadResult[] = [];
    desk.nominate((result) => heard.push(result));
    desk.nominate((result) => heard.push(result));
    expect([log.attempts, heard]).toEqual([2, []]);
    desk.leadEnded({ kind: "leading", epoch: 4 });
    desk.leadEnded({ kind: "lost", reason: "nobody asked" });
    expect(heard).toEqual([
      { kind: "leading", epoch: 4 },
      { kind: "leading", epoch: 4 },
    ]);
  });

  test("of a replica that stops is lost, also when it came before", () => {
    const { desk } = replica();
    const heard: LeadResult[] = [];
    desk.nominate((result) => heard.push(result));
    desk.close();
    desk.nominate((result) => heard.push(result));
    const lost = { kind: "lost", reason: "stopped" };
    expect(heard).toEqual([lost, lost]);
  });
});

describe("a catalog", () => {
  const question = { received: 0, held: 0, epoch: 0, ask: 1, heardBefore: 0 };

  test("that followed before the reign is fed from its first turn on, and waited for", () => {
    const { log, desk, ask, commit, results } = replica(9092, ["catalog"]);
    const catalog = new FakePeer("catalog", "catalog");
    expect(desk.follow(catalog, question)).toEqual({ leads: false, epoch: 0, grant: null });
    log.beginReign();
    expect(catalog.fed[0]).toMatchObject({ after: 0, entries: [{ position: 1 }] });
    desk.follow(catalog, { ...question, epoch: 1 }); // now it knows of the reign
    ask(trade("a"));
    commit();
    expect(results).toEqual([]);
    desk.held(catalog, { epoch: 1, received: 2, held: 2 });
    expect(results).toEqual([told(1)]);
  });

  test("whose connection closed is not fed by the next reign", () => {
    const { log, desk, clock, ask, commit, results } = replica(9092, ["catalog"]);
    const catalog = new FakePeer("catalog", "catalog");
    desk.follow(catalog, question);
    desk.closed(catalog);
    log.beginReign();
    ask(trade("a"));
    commit();
    expect(catalog.fed).toEqual([]);
    clock.nowMs = LEASE_END_MS; // what the last leader may have granted it is over
    desk.tick();
    expect(results).toEqual([told(1)]);
  });

  test("that the configuration doesn't know gets no lease: a next leader wouldn't wait for it", () => {
    const { log, desk } = replica(9092, ["catalog"]);
    log.beginReign();
    for (const stranger of [new FakePeer("catalog", "other"), new FakePeer("cli", "catalog")]) {
      expect(desk.follow(stranger, { ...question, epoch: 1 })).toEqual({
        leads: false,
        epoch: 1,
        grant: null,
      });
      expect(stranger.fed).toEqual([]);
    }
  });

  /** Leads epoch 3, after another one led epoch 1. */
  const second = () => {
    const made = replica(9092, ["catalog"]);
    made.log.beginReign();
    made.log.depose(9094);
    made.log.beginReign();
    const [before, other] = ["catalog", "catalog"].map((name) => new FakePeer("catalog", name));
    if (!before || !other) throw new Error("two were made");
    return { ...made, before, other };
  };
  const asking = { ...question, received: 2, epoch: 3 };

  test("whose name another process has doesn't count in place of the one that the leader before heard", () => {
    const { desk, ask, commit, results, before, other } = second();
    expect(desk.follow(other, asking)).toMatchObject({ leads: false });
    ask(trade("a"));
    commit();
    desk.held(other, { epoch: 3, received: 3, held: 3 });
    expect([results, other.fed]).toEqual([[], []]);
    expect(desk.follow(before, { ...asking, heardBefore: 1 })).toMatchObject({ leads: true });
    desk.held(other, { epoch: 3, received: 3, held: 3 });
    expect(results).toEqual([]);
    desk.held(before, { epoch: 3, received: 3, held: 3 });
    expect(results).toEqual([told(1)]);
  });

  test("whose name another process has is heard once that is gone, and a next leader doesn't hear it any more", () => {
    const { desk, clock, before, other, unheard } = second();
    desk.follow(before, { ...asking, heardBefore: 1 });
    for (let time = 0; time < 2; time += 1)
      expect(desk.follow(other, asking)).toMatchObject({ leads: false });
    expect(unheard).toEqual(["catalog"]); // once
    desk.closed(before);
    clock.nowMs += HEARD_MS + LEASE_END_MS - 1;
    expect(desk.follow(other, asking)).toMatchObject({ leads: false });
    clock.nowMs += 1;
    expect(desk.follow(other, asking)).toMatchObject({ leads: true });
    expect(desk.follow(before, asking)).toMatchObject({ leads: false });
  });

  test("that just started isn't said to be a second one of its name", () => {
    const { desk, before, other, unheard } = second();
    desk.follow(before, { ...asking, heardBefore: 1 });
    desk.closed(before);
    desk.follow(other, asking);
    expect(unheard).toEqual([]);
  });
});

describe("a front end", () => {
  test("hears when it connects, with each beat, and of each change how the replica stands", () => {
    const { log, desk, clock } = replica();
    const frontend = new FakePeer("frontend", "frontend");
    const heard = () => frontend.beats.splice(0);
    desk.opened(frontend);
    expect(heard()).toMatchObject([{ replica: 9092, leads: false, leader: null }]);
    log.beginReign();
    expect(heard()).toMatchObject([{ leads: true, leader: 9092, epoch: 1 }]);
    desk.tick();
    expect(heard()).toEqual([]); // it has just been told
    clock.nowMs += BEAT_MS;
    desk.tick();
    expect(heard()).toMatchObject([{ leads: true }]);
    log.depose(9094);
    expect(heard()).toMatchObject([{ leads: false, leader: 9094 }]);
    desk.changed();
    expect(heard()).toHaveLength(1);
    desk.closed(frontend);
    desk.tick();
    expect(heard()).toEqual([]);
  });

  test("is the only kind of process that hears of it", () => {
    const { desk } = replica();
    const others = ["order", "catalog", "cli"].map((role) => new FakePeer(role, role));
    for (const other of others) desk.opened(other);
    desk.tick();
    expect(others.flatMap(({ beats }) => beats)).toEqual([]);
  });

  test("isn't sent to a replica that has won, and can't decide yet", () => {
    const { log, desk } = replica();
    log.leader = 9092;
    expect(desk.health()).toMatchObject({ leads: false, leader: null });
  });
});
