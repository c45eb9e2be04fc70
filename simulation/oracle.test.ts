import { describe, expect, test } from "vitest";
import { encodeCommands } from "../src/core/market/codec.ts";
import type { Command } from "../src/core/market/types.ts";
import type { Entry, EntryBody } from "../src/core/replication/types.ts";
import { SimulatedDisk } from "./disk.ts";
import { Oracle } from "./oracle.ts";
import { Violation } from "./violation.ts";

const list = (name: string, quantity: number): Command => ({
  kind: "list",
  requestId: `list-${name}`,
  name,
  price: 10,
  quantity,
});
const order = (number: number, quantity: number, requestId = `order-${number}`): Command => ({
  kind: "order",
  number,
  requestId,
  name: "FishCo",
  type: "buy",
  quantity,
  price: 10,
});

function entry(position: number, epoch: number, body: EntryBody | Command): Entry {
  const isCommand = !("leader" in body || "incarnation" in body || body.kind === "command");
  return {
    position,
    epoch,
    at: 0,
    body: isCommand
      ? { kind: "command", bytes: encodeCommands([body as Command]) }
      : (body as EntryBody),
  };
}

/** Three disks that hold what is committed, whatever it is. */
const disks = (...entries: Entry[]) => [diskOf(...entries), diskOf(...entries), diskOf(...entries)];

/** Commits what every disk holds. */
function commit(oracle: Oracle, replica: number, ...entries: Entry[]): void {
  const [{ position } = { position: 1 }] = entries;
  const before = oracle.committed.slice(0, position - 1);
  // No disk holds an entry behind a gap.
  const held = before.length === position - 1 ? entries : [];
  oracle.commits(replica, entries, disks(...before, ...held));
}

/** Knows 1: FishCo × 20, 2: the reign of 9094, epoch 1. */
function informed(): Oracle {
  const oracle = new Oracle();
  commit(oracle, 9094, entry(1, 0, list("FishCo", 20)));
  commit(oracle, 9094, entry(2, 1, { kind: "reign", leader: 9094, state: "" }));
  return oracle;
}

function expectViolation(run: () => void, message: string): void {
  expect(run).toThrow(Violation);
  expect(run).toThrow(message);
}

function diskOf(...entries: Entry[]): SimulatedDisk {
  return new SimulatedDisk({ promise: { epoch: 1, nominee: 9094 }, voter: true }, entries);
}

describe("the oracle on R3", () => {
  test("reports two entries at one position of one epoch", () => {
    const oracle = new Oracle();
    oracle.appended(entry(3, 1, order(1, 5)), 1);
    oracle.appended(entry(3, 1, order(1, 5)), 1);
    oracle.appended(entry(3, 2, order(1, 6)), 1);
    expectViolation(
      () => oracle.appended(entry(3, 1, order(1, 6)), 1),
      "R3: two different entries at position 3 of epoch 1",
    );
  });

  test("reports one entry after two different ones", () => {
    const oracle = new Oracle();
    oracle.appended(entry(3, 2, order(1, 5)), 1);
    expectViolation(
      () => oracle.appended(entry(3, 2, order(1, 5)), 0),
      "R3: two different entries at position 3 of epoch 2",
    );
  });

  test("reports two leaders of one epoch, by their reigns", () => {
    const oracle = new Oracle();
    oracle.appended(entry(2, 4, { kind: "reign", leader: 9094, state: "" }), 0);
    expectViolation(
      () => oracle.appended(entry(3, 4, { kind: "reign", leader: 9092, state: "" }), 0),
      "R3: epoch 4 has two leaders, 9094 and 9092",
    );
  });

  test("reports two leaders of one epoch, by what they say", () => {
    const oracle = new Oracle();
    oracle.leads(9094, 4, () => 0, 0);
    oracle.leads(9094, 4, () => 0, 0);
    expectViolation(() => oracle.leads(9090, 4, () => 0, 0), "R3: epoch 4 has two leaders");
  });
});

describe("the oracle on R4", () => {
  const epochs = [0, 0, 1];
  const epochAt = (position: number) => epochs[position] ?? 0;

  test("reports a leader whose journal is too short", () => {
    informed().leads(9092, 2, epochAt, 2);
    expectViolation(
      () => informed().leads(9092, 2, epochAt, 1),
      "R4: leader 9092 of epoch 2 lacks the committed entry 2",
    );
  });

  test("reports a leader that has another entry than was committed", () => {
    expectViolation(
      () => informed().leads(9092, 2, () => 0, 5),
      "R4: leader 9092 of epoch 2 lacks the committed entry 2",
    );
  });

  test("accepts a leader that slept through a later reign", () => {
    const oracle = informed();
    commit(oracle, 9092, entry(3, 5, { kind: "reign", leader: 9092, state: "" }));
    oracle.leads(9090, 4, epochAt, 2);
  });

  test("reports two replicas that see different entries committed", () => {
    expectViolation(
      () => commit(informed(), 9092, entry(1, 0, list("FishCo", 21))),
      "R4: 9092 commits another entry at 1 than was committed",
    );
    expectViolation(
      () => commit(informed(), 9092, entry(2, 2, { kind: "reign", leader: 9094, state: "" })),
      "R4: 9092 commits another entry at 2 than was committed",
    );
    commit(informed(), 9092, entry(2, 1, { kind: "reign", leader: 9094, state: "" }));
  });

  test("reports a replica that leaves a committed entry out", () => {
    expectViolation(
      () => commit(informed(), 9092, entry(4, 1, order(1, 5))),
      "9092 commits 4 after 2",
    );
  });
});

describe("the oracle, before an election shows it,", () => {
  const first = entry(1, 0, list("FishCo", 20));
  const old = entry(2, 1, { kind: "reign", leader: 9094, state: "" });
  const later = entry(2, 2, { kind: "reign", leader: 9090, state: "" });
  const commits = (...disks: SimulatedDisk[]) => {
    const oracle = new Oracle();
    commit(oracle, 9094, first);
    oracle.commits(9094, [old], disks);
  };

  test("reports an older epoch's entry that a quorum holds, and a better journal lacks (Raft, figure 8)", () => {
    expectViolation(
      () => commits(diskOf(first, old), diskOf(first, old), diskOf(first, later)),
      "R4: 9094 commits 2 of epoch 1, which a next leader may lack",
    );
  });

  test("accepts an entry that is lacking only in a journal that no quorum would choose", () => {
    expect(() => commits(diskOf(first, old), diskOf(first, old), diskOf(first))).not.toThrow();
  });
});

describe("the oracle on R2", () => {
  const first = entry(1, 0, list("FishCo", 20));
  const reign = entry(2, 1, { kind: "reign", leader: 9094, state: "" });
  const other = entry(2, 2, { kind: "reign", leader: 9090, state: "" });

  test("reports an entry that is committed on fewer disks than a quorum", () => {
    const held = [diskOf(first, reign), diskOf(first, reign), diskOf(first)];
    const commits = (disks: readonly SimulatedDisk[]) => {
      const oracle = new Oracle();
      commit(oracle, 9094, first);
      oracle.commits(9094, [reign], disks);
      return oracle.committed.length;
    };
    expect(commits(held)).toBe(2);
    expectViolation(
      () => commits([diskOf(first, reign), diskOf(first), diskOf(first)]),
      "R2: 9094 commits 2, which 1 disks hold",
    );
    expectViolation(
      () => commits([diskOf(first, reign), diskOf(first, other), diskOf(first)]),
      "R2: 9094 commits 2, which 1 disks hold",
    );
    expectViolation(
      () => commits([...held, diskOf(first, other)]),
      "R2: 9094 commits 2, which 2 disks hold",
    );
  });
});

describe("a replacement", () => {
  const first = entry(1, 0, list("FishCo", 20));
  const reign = entry(2, 1, { kind: "reign", leader: 9094, state: "" });
  const next = entry(3, 1, { kind: "admit", replica: 9090, incarnation: 2 });
  const last = entry(4, 1, order(1, 5));
  const replacing = (lost: SimulatedDisk, ...entries: Entry[]) =>
    new SimulatedDisk({ promise: { epoch: 0, nominee: 9090 }, voter: false }, entries, {
      incarnation: 2,
      replaces: lost,
    });
  const knowing = (...entries: Entry[]) => {
    const oracle = new Oracle();
    for (const each of entries) commit(oracle, 9094, each);
    return oracle;
  };

  test("doesn't count as holding what it holds, before it is admitted (R2)", () => {
    const held = [diskOf(first, reign), diskOf(first), replacing(diskOf(first), first, reign)];
    expectViolation(
      () => knowing(first).commits(9094, [reign], held),
      "R2: 9094 commits 2, which 1 disks hold",
    );
  });

  test("counts as holding what its lost disk had acknowledged (R2)", () => {
    const oracle = knowing(first);
    oracle.commits(
      9094,
      [reign],
      [diskOf(first, reign), diskOf(first), replacing(diskOf(first, reign))],
    );
    expect(oracle.committed).toHaveLength(2);
  });

  test("counts as holding what it holds once it is admitted (R2)", () => {
    const held = [
      diskOf(first, reign, next, last),
      diskOf(first, reign, next),
      replacing(diskOf(first), first, reign, next, last),
    ];
    const oracle = knowing(first, reign);
    expectViolation(() => oracle.commits(9094, [next, last], held.toSpliced(1, 1, diskOf())), "R2");
    knowing(first, reign).commits(9094, [next, last], held);
  });

  test("isn't taken for one of a quorum that could lose an entry, before it is admitted (R4)", () => {
    const better = diskOf(first, entry(2, 2, { kind: "reign", leader: 9090, state: "" }));
    const three = [diskOf(first, reign), diskOf(first, reign), better];
    expectViolation(() => knowing(first).commits(9094, [reign], three), "R4");
    const lost = diskOf(first, reign);
    knowing(first).commits(9094, [reign], [diskOf(first, reign), replacing(lost), diskOf(first)]);
  });
});

describe("the oracle on the market's own rules", () => {
  const committing = (command: Command) => () => commit(informed(), 9094, entry(3, 1, command));

  test("reports a stock that is sold more often than it is there (M2)", () => {
    committing(order(1, 20))();
    expectViolation(committing(order(1, 21)), "M2: position 3 makes the quantity of FishCo -1");
  });

  test("reports a gap in the order numbers (M3)", () => {
    expectViolation(committing(order(2, 1)), "M3: position 3 has order 2 after order 0");
  });

  test("reports a request id with two outcomes (M3)", () => {
    expectViolation(
      committing(order(1, 1, "list-FishCo")),
      "M3: position 3 records request id list-FishCo a second time",
    );
  });
});

describe("the oracle reports a recorded refusal when", () => {
  const refuse = (quantity: number, kind: "insufficient-volume" | "unknown-stock") => () =>
    commit(
      informed(),
      9094,
      entry(3, 1, {
        kind: "refuse",
        requestId: "refused",
        content: { kind: "trade", name: "FishCo", type: "buy", quantity },
        refusal: { kind, name: "FishCo" },
      }),
    );

  test("there was just enough (M1)", () => {
    refuse(21, "insufficient-volume")();
    expectViolation(refuse(20, "insufficient-volume"), "M1: position 3 refuses refused with");
  });

  test("its reason isn't so (M1)", () => {
    expectViolation(refuse(21, "unknown-stock"), "M1: position 3 refuses refused with");
  });
});

test("a quantity that one entry goes through isn't taken for one that was shown (C1)", () => {
  const oracle = informed();
  const bytes = encodeCommands([order(1, 5), order(2, 5)]);
  commit(oracle, 9094, entry(3, 1, { kind: "command", bytes }));
  expect(oracle.market.positionWith("FishCo", 10, 2)).toBe(3);
  expect(oracle.market.positionWith("FishCo", 15, 2)).toBe(null);
});

describe("what the journal says", () => {
  /** FishCo: 20 at 1, 15 at 3, 10 at 5. Ash is listed at 4. */
  function history(): Oracle {
    const oracle = informed();
    commit(oracle, 9094, entry(3, 1, order(1, 5)), entry(4, 1, list("Ash", 7)));
    commit(oracle, 9094, entry(5, 1, order(2, 5)));
    return oracle;
  }

  test("of a stock is as of the position asked for", () => {
    const oracle = history();
    expect([0, 1, 2, 3, 4, 5, 9].map((at) => oracle.market.quantityAt("FishCo", at))).toEqual([
      null,
      20,
      20,
      15,
      15,
      10,
      10,
    ]);
    expect(oracle.market.quantityAt("Nowhere", 5)).toBe(null);
    expect([0, 1, 4].map((at) => oracle.market.stocksAt(at).length)).toEqual([0, 1, 2]);
    expect(oracle.market.stocksAt(4)).toEqual([
      { name: "Ash", price: 10, quantity: 7 },
      { name: "FishCo", price: 10, quantity: 15 },
    ]);
    expect(oracle.market.stocksAt(5)).toEqual(oracle.stocks());
  });

  test("of a quantity is found from the floor on, and not before it (C1)", () => {
    const oracle = history();
    expect(oracle.market.positionWith("FishCo", 20, 0)).toBe(1);
    expect(oracle.market.positionWith("FishCo", 20, 2)).toBe(2);
    expect(oracle.market.positionWith("FishCo", 20, 3)).toBe(null);
    expect(oracle.market.positionWith("FishCo", 10, 2)).toBe(5);
    expect(oracle.market.positionWith("FishCo", 11, 0)).toBe(null);
    expect(oracle.market.positionWith("Ash", null, 3)).toBe(3);
    expect(oracle.market.positionWith("Ash", null, 4)).toBe(null);
    expect(oracle.market.positionWith("Nowhere", null, 5)).toBe(5);
  });

  test("of an order or a request is found from its position on", () => {
    const oracle = history();
    expect(oracle.market.lastNumber).toBe(2);
    expect(oracle.market.orderAt(2, 4)).toBe(null);
    expect(oracle.market.orderAt(2, 5)?.requestId).toBe("order-2");
    expect(oracle.market.orderAt(3, 9)).toBe(null);
    expect(oracle.market.recorded("order-1")).toMatchObject({
      position: 3,
      command: { kind: "order", number: 1 },
    });
    expect(oracle.market.recorded("never")).toBeUndefined();
  });
});
