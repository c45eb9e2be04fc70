// A catalog between a leader and front ends that the test plays.
//
// Longer than 400 lines because it is one body, asked everything.

import { describe, expect, test } from "vitest";
import type { Feed, Follow, Following, Held } from "../coherence/leader-views.ts";
import {
  DEMAND_MS,
  HEARD_MS,
  HOLD_AGAIN_MS,
  LEASE_ASK_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
  LEASE_WAIT_MS,
} from "../coherence/limits.ts";
import { encodeCommands } from "../market/codec.ts";
import type { Command, Stock } from "../market/types.ts";
import type { CommittedEntry } from "../replication/types.ts";
import { CatalogDesk } from "./catalog-desk.ts";
import type { Attempt } from "./leader-client.ts";
import {
  CATALOG_IDLE_FOLLOW_MS,
  CATALOG_IDLE_TICK_MS,
  CATALOG_QUESTIONS_WAITING_MAX,
  CATALOG_TICK_MS,
  LEADER_TOLD_MS,
} from "./limits.ts";
import type { Hold, Question } from "./types.ts";

const LEASE_END_MS = LEASE_MS + LEASE_MARGIN_MS;
const FISH: Stock = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR: Stock = { name: "BoarCo", price: 28.59, quantity: 1102 };

const adjust = (name: string, by: number): Command => ({
  kind: "adjust",
  requestId: `${name} ${by}`,
  name,
  by,
});

/** A committed entry with these commands; without any, one of the log's own. */
function entry(position: number, ...commands: Command[]): CommittedEntry {
  const command = commands.length === 0 ? null : encodeCommands(commands);
  return { position, epoch: 1, at: 0, command };
}

/** One end of a connection, and what was said over it. */
class Connection {
  readonly follows: { question: Follow; settled: (answer: Following | null) => void }[] = [];
  readonly asked: { question: Question; settled: (attempt: Attempt) => void }[] = [];
  readonly holds: Hold[] = [];
  readonly held: Held[] = [];

  /** Answers the newest question that asked for a lease. */
  grant(epoch: number, exposed: number, sent: number): void {
    const { question, settled } = this.follows.findLast(
      ({ question }) => question.ask !== null,
    ) ?? {
      question: { ask: 0 },
      settled: () => {},
    };
    const ask = question.ask ?? 0;
    settled({ leads: true, epoch, grant: { epoch, ask, ms: LEASE_MS, exposed, sent } });
  }
}

/** A catalog at 10 with a connection to replica 9094. */
function catalog() {
  let nowMs = 0;
  const later: { atMs: number; run: () => void }[] = [];
  const broken: unknown[] = [];
  const received: number[][] = [];
  const followed: [number, number][] = [];
  const desk = new CatalogDesk<Connection>({
    start: { position: 10, stocks: [FISH, BOAR] },
    calls: {
      follow: ({ follows }, question, settled) => follows.push({ question, settled }),
      held: ({ held }, answer) => held.push(answer),
      ask: ({ asked }, question, settled) => asked.push({ question, settled }),
      hold: ({ holds }, hold) => holds.push(hold),
    },
    observer: {
      following: (leader, epoch) => followed.push([leader, epoch]),
      received: (entries) => received.push(entries.map(({ position }) => position)),
    },
    nowMs: () => nowMs,
    after: (ms, run) => later.push({ atMs: nowMs + ms, run }),
    newRequestId: () => "made here",
    onBroken: (reason) => broken.push(reason),
  });
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const { run } of later.splice(0).filter((each) => each.atMs <= nowMs || !later.push(each)))
      run();
  };
  const leader = new Connection();
  desk.replicaOpened(9094, leader);
  /** The leader sends entries, with everything up to `exposed` exposed. */
  const send = (epoch: number, exposed: number, ...entries: CommittedEntry[]): void => {
    const after = (entries[0]?.position ?? 1) - 1;
    desk.entries({ leader: 9094, epoch, exposed, after, entries } satisfies Feed);
  };
  /** Somebody reads, and the leader of `epoch` grants a lease. */
  const lease = (epoch = 1, exposed = 10, sent = 10): void => {
    send(epoch, exposed);
    desk.lookup([], () => {});
    desk.follow();
    leader.grant(epoch, exposed, sent);
  };
  /** A front end with a lease. */
  const frontend = (name = "frontend", link = `${Math.random()}`): Connection => {
    const connection = new Connection();
    desk.joined(connection, name, link);
    return connection;
  };
  const leased = (connection: Connection, ask = 1, held: number | null = null) => {
    let grant: unknown;
    desk.lease(connection, ask, held, (given) => {
      grant = given;
    });
    return grant;
  };
  const look = (...names: string[]): unknown[] => {
    const told: unknown[] = [];
    desk.lookup(names, (answer) => told.push(answer));
    return told;
  };
  /** The last of what the leader was told is held; undefined if it was told nothing since. */
  const toldHeld = (): Held | undefined => leader.held.splice(0).at(-1);
  return {
    desk,
    leader,
    broken,
    received,
    followed,
    pass,
    send,
    lease,
    frontend,
    leased,
    look,
    toldHeld,
  };
}

describe("a front end", () => {
  test("is waited for until it has dropped what changed, before the leader is told of a hold", () => {
    const { desk, frontend, leased, send, lease, toldHeld } = catalog();
    const [one, two] = [frontend("frontend"), frontend("frontend-8001")];
    lease();
    expect(leased(one)).toMatchObject({ epoch: 1, exposed: 10, sent: 10 });
    expect(leased(two)).not.toBeNull();
    toldHeld();
    send(1, 10, entry(11, adjust("FishCo", 1)));
    expect(one.holds).toEqual([{ after: 10, through: 11, names: ["FishCo"] }]);
    expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 10 });
    desk.holding(one, 11);
    desk.holding(two, 11);
    expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 11 });
  });

  test("that vanished is waited for no longer than its lease and a margin", () => {
    const { desk, frontend, leased, send, lease, pass, toldHeld } = catalog();
    const gone = frontend();
    lease();
    leased(gone);
    desk.left(gone);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    toldHeld();
    pass(LEASE_END_MS - 1);
    desk.tick();
    expect(toldHeld()).toBeUndefined();
    pass(1);
    desk.tick();
    expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 11 });
  });

  test("that connects again is told at once what changed while it was gone", () => {
    const { desk, frontend, leased, send, lease, toldHeld } = catalog();
    const first = frontend("frontend", "one link");
    lease();
    leased(first);
    desk.left(first);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    const again = frontend("frontend", "one link");
    expect(again.holds).toEqual([{ after: 10, through: 11, names: ["FishCo"] }]);
    toldHeld();
    desk.holding(again, 11);
    expect(toldHeld()).toMatchObject({ held: 11 });
  });

  test("whose hold was lost on a living connection is told again before its lease ends", () => {
    const { desk, frontend, leased, send, lease, pass } = catalog();
    const deaf = frontend();
    lease();
    leased(deaf);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    deaf.holds.length = 0;
    pass(HOLD_AGAIN_MS);
    desk.tick();
    expect(deaf.holds).toEqual([{ after: 10, through: 11, names: ["FishCo"] }]);
  });

  test("has its hold and its lease to itself, though a second one of its name comes and goes", () => {
    const { desk, frontend, leased, send, lease, toldHeld } = catalog();
    const first = frontend();
    lease();
    expect(leased(first)).not.toBeNull();
    const second = frontend();
    expect(leased(second)).not.toBeNull();
    expect(desk.leasedTo).toEqual(["frontend", "frontend"]);
    toldHeld();

    send(1, 10, entry(11, adjust("FishCo", 1)));
    expect([first, second].map(({ holds }) => holds.splice(0).length)).toEqual([1, 1]);
    desk.holding(second, 11);
    expect(toldHeld()).toMatchObject({ held: 10 });
    desk.holding(first, 11);
    expect(toldHeld()).toMatchObject({ held: 11 });

    desk.left(second);
    send(1, 11, entry(12, adjust("FishCo", 1)));
    expect(first.holds).toMatchObject([{ after: 11, through: 12 }]);
    expect(leased(first, 2, 12)).not.toBeNull();
  });

  test("is known by its newest connection: the end of an earlier one, and what comes over it, count for nothing", () => {
    const { desk, frontend, leased, send, lease, toldHeld } = catalog();
    const first = frontend("frontend", "one link");
    lease();
    expect(leased(first)).not.toBeNull();
    const again = frontend("frontend", "one link");
    send(1, 10, entry(11, adjust("FishCo", 1)));
    toldHeld();
    desk.holding(first, 11);
    expect(leased(first, 2, 11)).toBeNull();
    expect(toldHeld()).toBeUndefined();
    desk.left(first);
    expect(desk.leasedTo).toEqual(["frontend"]);
    expect(first.holds).toEqual([]);
    expect(again.holds).toHaveLength(1);
    expect(leased(again, 3, 11)).not.toBeNull();
  });

  test("whose connection is gone gets no lease, since it could be told nothing", () => {
    const { desk, frontend, leased, lease } = catalog();
    const gone = frontend();
    lease();
    desk.left(gone);
    expect(leased(gone)).toBeNull();
  });
});

describe("entries", () => {
  test("of one message are one hold, and a name is named once", () => {
    const { frontend, leased, send, lease } = catalog();
    const connection = frontend();
    lease();
    leased(connection);
    send(
      1,
      10,
      entry(11, adjust("FishCo", 1)),
      entry(12, adjust("FishCo", 2), adjust("BoarCo", 1)),
      entry(13),
    );
    expect(connection.holds).toEqual([{ after: 10, through: 13, names: ["FishCo", "BoarCo"] }]);
  });

  test("that come again with new ones are held and shown once", () => {
    const { desk, frontend, leased, received, send, lease, look } = catalog();
    const connection = frontend();
    lease();
    leased(connection);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    send(1, 10, entry(11, adjust("FishCo", 1)), entry(12, adjust("BoarCo", 2)));
    expect(connection.holds.at(-1)).toEqual({ after: 11, through: 12, names: ["BoarCo"] });
    expect(received).toEqual([[11], [12]]);
    desk.holding(connection, 12);
    send(1, 12);
    expect(look("FishCo", "BoarCo")).toMatchObject([
      { stocks: [{ quantity: 601 }, { quantity: 1104 }], position: 12 },
    ]);
  });

  test("after a gap are not taken, and the leader is told where the catalog stands", () => {
    const { desk, send, toldHeld } = catalog();
    send(1, 12, entry(12, adjust("FishCo", 1)));
    expect(toldHeld()).toEqual({ epoch: 1, received: 10, held: 10 });
    expect(desk.shown.position).toBe(10);
  });

  test("of a leader that is over aren't taken, so that it exposes nothing more", () => {
    const { desk, send, toldHeld } = catalog();
    send(2, 11, entry(11));
    toldHeld();
    send(1, 12, entry(12, adjust("FishCo", 1)));
    expect(toldHeld()).toBeUndefined();
    expect(desk.received).toBe(11);
  });

  test("that can't be read stop the catalog, and nothing is shown any more", () => {
    const { desk, send, broken, lease, look } = catalog();
    lease();
    send(1, 11, { position: 11, epoch: 1, at: 0, command: new Uint8Array([255]) });
    expect(broken).toHaveLength(1);
    send(1, 12, entry(11, adjust("FishCo", 1)));
    expect(desk.received).toBe(10);
    expect(look("FishCo")).toEqual([{ kind: "unleased" }]);
  });

  test("that no leader can have decided stop the catalog", () => {
    const { send, broken } = catalog();
    send(1, 11, entry(11, adjust("FishCo", -601)));
    expect(broken).toHaveLength(1);
  });

  test("are written to the file behind the view, each stock once", () => {
    const { desk, send } = catalog();
    send(1, 12, entry(11, adjust("FishCo", 1)), entry(12, adjust("FishCo", 2)));
    send(1, 13, entry(13));
    expect(desk.takeUnsaved()).toEqual({ position: 13, stocks: [{ ...FISH, quantity: 603 }] });
    expect(desk.takeUnsaved()).toBeNull();
  });
});

describe("a question about stocks", () => {
  test("waits while a stock is held, and is answered with what is exposed", () => {
    const { desk, send, lease, look } = catalog();
    lease();
    send(1, 10, entry(11, adjust("FishCo", 1)));
    const fish = look("FishCo");
    const lists: unknown[] = [];
    desk.list({ after: "", limit: 10 }, (answer) => lists.push(answer));
    expect(look("BoarCo")).toEqual([{ kind: "stocks", stocks: [BOAR], position: 10 }]);
    expect([...fish, ...lists]).toEqual([]);
    send(1, 11);
    const moved = { ...FISH, quantity: 601 };
    expect(fish).toEqual([{ kind: "stocks", stocks: [moved], position: 11 }]);
    expect(lists).toEqual([
      { kind: "stocks", stocks: [BOAR, moved], next: null, total: 2, position: 11 },
    ]);
  });

  test("is sent on to the leader when the lease ends while it waits", () => {
    const { desk, send, lease, look, pass } = catalog();
    lease();
    expect(look("Ash")).toEqual([{ kind: "stocks", stocks: [null], position: 10 }]);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    const told = look("FishCo");
    pass(LEASE_MS);
    desk.tick();
    expect(told).toEqual([{ kind: "unleased" }]);
  });

  test("is answered under a lease only once what was exposed when it was given is shown", () => {
    const { send, lease, look, pass } = catalog();
    lease(1, 10, 10);
    pass(LEASE_MS);
    lease(1, 11, 11);
    expect(look("FishCo")).toEqual([{ kind: "unleased" }]);
    send(1, 11, entry(11, adjust("FishCo", 1)));
    expect(look("FishCo")).toMatchObject([{ position: 11 }]);
  });

  test("that goes on with a list needs no lease", () => {
    const { desk, lease, pass } = catalog();
    lease();
    const told: unknown[] = [];
    desk.list({ after: "", limit: 1, list: null }, (answer) => told.push(answer));
    pass(LEASE_MS);
    desk.list({ after: "BoarCo", limit: 1, list: 10 }, (answer) => told.push(answer));
    expect(told).toMatchObject([{ stocks: [BOAR] }, { stocks: [FISH], next: null }]);
  });

  test("beyond the limit is sent on to the leader at once", () => {
    const { send, lease, look } = catalog();
    lease();
    send(1, 10, entry(11, adjust("FishCo", 1)));
    for (let count = 0; count < CATALOG_QUESTIONS_WAITING_MAX; count += 1) look("FishCo");
    expect(look("FishCo")).toEqual([{ kind: "unleased" }]);
  });
});

describe("the first reader for long", () => {
  test("waits for a lease, with those who come meanwhile, and then nobody does", () => {
    const { leader, send, look } = catalog();
    send(1, 10);
    const before = leader.follows.length;
    const readers = [look("FishCo"), look("BoarCo")];
    expect(leader.follows).toHaveLength(before + 1); // the second waits with the first
    expect(readers.flat()).toEqual([]);
    leader.grant(1, 10, 10);
    expect(readers.flat()).toMatchObject([{ stocks: [FISH] }, { stocks: [BOAR] }]);
    expect(look("FishCo")).toHaveLength(1);
  });

  test("waits, too, for what the view lacks to make the lease count", () => {
    const { leader, send, look } = catalog();
    send(1, 10);
    const reader = look("FishCo");
    leader.grant(1, 11, 11);
    expect(reader).toEqual([]);
    send(1, 11, entry(11, adjust("FishCo", 1)));
    expect(reader).toMatchObject([{ position: 11 }]);
  });

  test("of a catalog that is cut off is sent on soon, and the next at once", () => {
    const { look, pass } = catalog();
    const first = look("FishCo");
    pass(LEASE_WAIT_MS - 1);
    expect(first).toEqual([]);
    pass(1);
    expect(first).toEqual([{ kind: "unleased" }]);
    expect(look("FishCo")).toEqual([{ kind: "unleased" }]);
  });
});

describe("a catalog that follows", () => {
  test("asks for a lease only while somebody reads", () => {
    const { desk, leader, send, look, pass } = catalog();
    send(1, 10);
    desk.follow();
    expect(leader.follows.at(-1)?.question).toMatchObject({ received: 10, epoch: 1, ask: null });
    look("FishCo");
    desk.follow();
    expect(leader.follows.at(-1)?.question.ask).not.toBeNull();
    pass(DEMAND_MS);
    desk.follow();
    expect(leader.follows.at(-1)?.question.ask).toBeNull();
  });

  test("tells each replica, as soon as it is connected and again and again, what it has and holds", () => {
    const { desk, frontend, leased, leader, send, lease } = catalog();
    const slow = frontend();
    lease();
    leased(slow);
    send(1, 10, entry(11, adjust("FishCo", 1)));
    const another = new Connection();
    desk.replicaOpened(9090, another);
    expect(another.follows[0]?.question).toMatchObject({ received: 11, held: 10 });
    desk.holding(slow, 11);
    leader.held.length = 0; // lost
    desk.follow();
    for (const { follows } of [leader, another])
      expect(follows.at(-1)?.question).toMatchObject({ received: 11, held: 11 });
  });

  test("makes up for an answer that was lost with the leader's connection as soon as there is another", () => {
    const { desk, leader, send } = catalog();
    send(1, 10, entry(11, adjust("FishCo", 1)));
    desk.replicaClosed(9094, leader);
    const again = new Connection();
    desk.replicaOpened(9094, again);
    expect(again.follows[0]?.question).toMatchObject({ epoch: 1, received: 11, held: 11 });
    send(1, 10, entry(12));
    expect(again.held.at(-1)).toEqual({ epoch: 1, received: 12, held: 12 });
  });

  test("keeps a replica's newest connection, though an earlier one ends later", () => {
    const { desk, leader } = catalog();
    const again = new Connection();
    desk.replicaOpened(9094, again);
    desk.replicaClosed(9094, leader);
    expect(desk.hasReplica(9094)).toBe(true);
    desk.replicaClosed(9094, again);
    expect(desk.hasReplica(9094)).toBe(false);
  });

  test("says so once for each reign, and asks at once where it stands with the new leader", () => {
    const { desk, leader, followed, send } = catalog();
    send(1, 10);
    send(1, 10);
    const before = leader.follows.length;
    desk.entries({ leader: 9092, epoch: 2, exposed: 10, after: 10, entries: [] });
    expect(followed).toEqual([
      [9094, 1],
      [9092, 2],
    ]);
    expect(leader.follows).toHaveLength(before + 1);
    expect(desk.feeder).toEqual({ leader: 9092, epoch: 2 });
  });

  test("tells a next leader which one heard it before", () => {
    const { desk, leader, send, pass } = catalog();
    const said = () => leader.follows.at(-1)?.question;
    send(1, 10);
    pass(1);
    desk.follow();
    leader.follows.at(-1)?.settled({ leads: true, epoch: 1, grant: null });
    pass(HEARD_MS - 1);
    expect(said()?.heardBefore).toBe(0);
    send(2, 10);
    expect(said()).toMatchObject({ epoch: 2, heardBefore: 1 });
    leader.follows.at(-1)?.settled({ leads: false, epoch: 2, grant: null });
    send(3, 10); // that one was never heard
    expect(said()).toMatchObject({ epoch: 3, heardBefore: 1 });
    pass(1);
    send(4, 10);
    expect(said()).toMatchObject({ epoch: 4, heardBefore: 0 });
  });

  test("counts as heard only by a leader that it knew when it asked", () => {
    const { desk, leader, send } = catalog();
    leader.follows.at(-1)?.settled({ leads: true, epoch: 1, grant: null });
    expect(leader.follows.at(-1)?.question.epoch).toBe(1); // asked again at once
    send(2, 10);
    expect(leader.follows.at(-1)?.question.heardBefore).toBe(0);
    desk.follow();
    leader.follows.at(-1)?.settled({ leads: true, epoch: 2, grant: null });
    send(3, 10);
    expect(leader.follows.at(-1)?.question.heardBefore).toBe(2);
  });

  test("follows and ticks seldom while nobody reads it and nothing waits for it", () => {
    const { desk, leader, pass } = catalog();
    expect(desk.followMs).toBe(LEASE_ASK_MS); // it knows no leader
    desk.follow();
    leader.follows.at(-1)?.settled({ leads: true, epoch: 3, grant: null });
    expect(desk.followMs).toBe(CATALOG_IDLE_FOLLOW_MS);
    expect(desk.tickMs).toBe(CATALOG_IDLE_TICK_MS);
    const change = { leader: 9094, epoch: 3, after: 10, entries: [entry(11, adjust("FishCo", 1))] };
    desk.entries({ ...change, exposed: 10 });
    expect(desk.tickMs).toBe(CATALOG_TICK_MS);
    desk.entries({ ...change, after: 11, entries: [], exposed: 11 });
    expect(desk.tickMs).toBe(CATALOG_IDLE_TICK_MS);
    desk.lookup(["FishCo"], () => {});
    expect(desk.followMs).toBe(LEASE_ASK_MS);
    pass(DEMAND_MS - 1);
    desk.follow();
    leader.follows.at(-1)?.settled({ leads: true, epoch: 3, grant: null });
    pass(1);
    expect(desk.followMs).toBe(CATALOG_IDLE_FOLLOW_MS);
  });

  test("has a leader as long as one says so, whether or not that grants a lease", () => {
    const { desk, leader, pass } = catalog();
    desk.follow();
    expect(desk.isLed).toBe(false);
    for (let waitedMs = 0; waitedMs < 3 * DEMAND_MS; waitedMs += LEADER_TOLD_MS / 2) {
      desk.follow();
      leader.follows.at(-1)?.settled({ leads: true, epoch: 3, grant: null });
      pass(LEADER_TOLD_MS / 2);
      expect(desk).toMatchObject({ isLed: true, isLeased: false });
    }
    pass(LEADER_TOLD_MS / 2);
    expect(desk.isLed).toBe(false);
  });
});

describe("a find", () => {
  test("is answered under a lease without the leader", () => {
    const { desk, leader, lease } = catalog();
    lease();
    const told: unknown[] = [];
    for (const name of ["FishCo", "Ash"]) desk.find(name, (answer) => told.push(answer));
    expect(told).toEqual([
      { kind: "stock", stock: FISH, position: 10 },
      { kind: "stock", stock: null, position: 10 },
    ]);
    expect(leader.asked).toEqual([]);
  });

  test("of a name that no stock can have bothers nobody", () => {
    const { desk, leader } = catalog();
    const told: unknown[] = [];
    desk.find("Fish Co", (answer) => told.push(answer));
    expect(told).toMatchObject([{ kind: "stock", stock: null }]);
    expect(leader.asked).toEqual([]);
  });

  test("without a lease is asked of the leader", () => {
    const { desk, leader, pass } = catalog();
    const told: unknown[] = [];
    desk.find("FishCo", (answer) => told.push(answer));
    pass(LEASE_WAIT_MS);
    expect(leader.asked[0]?.question).toEqual({ kind: "lookup", name: "FishCo" });
    const stock = { kind: "stock", stock: FISH, position: 12 } as const;
    leader.asked[0]?.settled({ kind: "answers", answers: [stock] });
    expect(told).toEqual([stock]);
  });
});

describe("an update", () => {
  const adjusted = { kind: "outcome", outcome: { kind: "adjusted" } } as const;

  test("is a request to the leader that is followed, under an id of its own", () => {
    const { desk, leader, send } = catalog();
    const another = new Connection();
    desk.replicaOpened(9096, another); // would be asked first, if nobody were known to lead
    send(1, 10);
    const told: unknown[] = [];
    desk.update({ name: "FishCo", by: -7 }, (...answer) => told.push(...answer));
    expect(leader.asked[0]?.question).toEqual({
      kind: "request",
      requestId: "made here",
      content: { kind: "adjust", name: "FishCo", by: -7 },
      recordRefusal: false,
    });
    leader.asked[0]?.settled({ kind: "answers", answers: [adjusted] });
    expect(told).toEqual([adjusted, "made here"]);
  });

  test("under the caller's own id has its refusal recorded", () => {
    const { desk, leader } = catalog();
    desk.update({ name: "FishCo", by: 1, requestId: "mine" }, () => {});
    expect(leader.asked[0]?.question).toMatchObject({ requestId: "mine", recordRefusal: true });
  });

  test("that no market accepts needs no leader", () => {
    const { desk, leader } = catalog();
    const told: unknown[] = [];
    desk.update({ name: "x".repeat(65_000), by: 1 }, (answer) => told.push(answer));
    expect(told).toMatchObject([{ outcome: { kind: "refused" } }]);
    expect(leader.asked).toEqual([]);
  });
});
