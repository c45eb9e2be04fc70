import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import type { Command } from "../../core/market/types.ts";
import type { OrderAudit } from "../../core/service/reports.ts";
import { auditInWorker, auditOrderFile, LinesDigest, stocksDigest } from "./audit.ts";
import { appliedFile, flipBit, marketEntry, offsetOf, opened, segmentFile } from "./test-files.ts";

function order(number: number, quantity: number, name = "FishCo"): Command {
  return { kind: "order", number, requestId: `r${number}`, name, type: "buy", quantity, price: 2 };
}

const REFUSED: Command = {
  kind: "refuse",
  requestId: "no",
  content: { kind: "trade", name: "FishCo", type: "buy", quantity: 9_999 },
  refusal: { kind: "insufficient-volume", name: "FishCo" },
};
const HISTORY: readonly (readonly Command[])[] = [
  [{ kind: "list", requestId: "l1", name: "FishCo", price: 2, quantity: 100 }],
  [{ kind: "list", requestId: "l2", name: "BoarCo", price: 2, quantity: 50 }],
  [order(1, 10), order(2, 5, "BoarCo"), REFUSED],
  [order(3, 1), { kind: "adjust", requestId: "a1", name: "BoarCo", by: 7 }],
  [order(4, 1)],
];
const LAST = HISTORY.length;

function fileOf(history = HISTORY, applied = LAST): string {
  return appliedFile(history, { applied });
}

function audit(path: string, position = LAST, stocksAt: readonly number[] = []): OrderAudit {
  return auditOrderFile({ path, position, stocksAt });
}

test("replicas that hold the same have the same digests, however they wrote it", () => {
  const one = audit(fileOf(), LAST, [0, 2, 4, LAST]);
  expect(audit(appliedFile(HISTORY, { flushEach: true }), LAST, [0, 2, 4, LAST])).toEqual(one);
  expect(one).toMatchObject({ position: 5, entries: 5, orders: 4, requests: 8, problems: [] });
  const stocks = (fish: number, boar: number) =>
    stocksDigest([
      { name: "BoarCo", price: 2, quantity: boar },
      { name: "FishCo", price: 2, quantity: fish },
    ]);
  expect(one.stocksDigests).toEqual([
    stocksDigest([]),
    stocks(100, 50),
    stocks(89, 52),
    stocks(88, 52),
  ]);
});

test("the position asked about decides, though the tables are further on", () => {
  const shorter = fileOf(HISTORY.slice(0, 3), 3);
  expect(audit(fileOf(), 3, [3])).toEqual(audit(shorter, 3, [3]));
  expect(audit(fileOf(), 0)).toMatchObject({ entries: 0, orders: 0, requests: 0, problems: [] });
});

test("replicas that hold different orders, requests or entries have different digests", () => {
  const changed = (position: number, commands: readonly Command[]) =>
    audit(fileOf(HISTORY.map((each, index) => (index + 1 === position ? commands : each))));
  const audits = [
    audit(fileOf()),
    changed(5, [order(4, 2)]),
    changed(5, [{ ...order(4, 1), requestId: "other" }]),
    changed(5, [order(4, 1, "BoarCo")]),
  ];
  for (const field of ["journalDigest", "ordersDigest", "requestsDigest"] as const) {
    expect(new Set(audits.map((each) => each[field])).size, field).toBe(audits.length);
  }
});

test("a journal or tables that end before the position are told as problems", () => {
  expect(audit(fileOf(), 6, [6]).problems).toEqual([
    "the tables stand at position 5, before 6",
    expect.stringContaining("position 6: the entry is gone"),
    "the journal ends at position 5",
    "the journal doesn't reach position 6",
  ]);
  expect(audit(fileOf(HISTORY, 3)).problems).toEqual(["the tables stand at position 3, before 5"]);
});

test("what breaks M2 or M3 in the journal itself is told", () => {
  const broken = [...HISTORY.slice(0, 3), [order(3, 200), order(5, 1), { ...REFUSED }]];
  const { problems } = audit(fileOf(broken, 3), 4);
  expect(problems).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^M2: .*FishCo/),
      expect.stringMatching(/^M3: .*order 5 after order 3/),
      expect.stringMatching(/^M3: .*request id no a second time/),
    ]),
  );
});

describe("planted damage is found:", () => {
  test("a journal's entry changed", () => {
    const path = fileOf();
    const journal = opened(path);
    const digest = Buffer.from(journal.digestAt(2), "hex");
    journal.close();
    const segment = segmentFile(path);
    flipBit(segment, offsetOf(segment, digest));
    const { problems } = audit(path);
    expect(problems).toEqual(
      expect.arrayContaining([expect.stringContaining("position 1: the entry is gone")]),
    );
  });

  test.each([
    ["an order that the journal lacks", "INSERT INTO orders VALUES (5, 1, 0, 1, 2, 5, 0)", /5/],
    ["a stock that the journal lacks", "INSERT INTO stocks VALUES (3, 'Xco', 1, 1, 1)", /Xco/],
    [
      "a request id that the journal lacks",
      "INSERT INTO requests VALUES ('x', NULL, 1, NULL, NULL, 0)",
      /request ids/,
    ],
  ])("%s", (_what, sql, problem) => {
    const path = fileOf();
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
    expect(audit(path).problems.join("\n")).toMatch(problem);
  });

  test("so much of it that only the first hundred are told, and how many more there are", () => {
    const many = [HISTORY[0] ?? [], Array.from({ length: 90 }, (_, index) => order(index + 1, 1))];
    const path = fileOf(many, 2);
    const database = new DatabaseSync(path);
    database.exec("DELETE FROM orders; DELETE FROM requests");
    database.close();
    const { problems } = audit(path, 2);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toMatch(/^and \d+ more problems$/);
  });
});

test("an audit doesn't disturb the replica that goes on writing", () => {
  const path = fileOf();
  const journal = opened(path);
  journal.write({ entries: [marketEntry(6, [order(5, 1)])] });
  expect(audit(path).problems).toEqual([]);
  journal.write({ entries: [marketEntry(7, [order(6, 1)])] });
  expect(journal.lastPosition).toBe(7);
});

const path = () =>
  appliedFile([[{ kind: "list", requestId: "l", name: "FishCo", price: 2, quantity: 1 }]]);

test("an audit in a thread of its own gives the same answer", async () => {
  const request = { path: path(), position: 1, stocksAt: [1, 0] };
  expect(await auditInWorker(request)).toEqual(auditOrderFile(request));
});

test("a file that can't be read is an error, not silence", async () => {
  const request = { path: `${path()}.missing`, position: 1, stocksAt: [] };
  await expect(auditInWorker(request)).rejects.toThrow(request.path);
});

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR = { name: "BoarCo", price: 28.59, quantity: 1102 };

test("equal stocks have the same digest, in whatever order they come", () => {
  expect(stocksDigest([FISH, BOAR])).toBe(stocksDigest([BOAR, FISH]));
  expect(stocksDigest([])).toMatch(/^[0-9a-f]{64}$/);
});

test("different stocks have different digests", () => {
  const digests = [
    [FISH, BOAR],
    [FISH],
    [{ ...FISH, quantity: 601 }, BOAR],
    [{ ...FISH, price: 18 }, BOAR],
    [{ ...FISH, name: "FishCe" }, BOAR],
  ].map(stocksDigest);
  expect(new Set(digests).size).toBe(digests.length);
});

test("a digest looked at half-way goes on as if it hadn't been", () => {
  const one = new LinesDigest();
  const other = new LinesDigest();
  expect(one.hex()).toBe(stocksDigest([]));
  one.add("a\n");
  const half = one.hex();
  one.add("b\n");
  other.add("a\nb\n");
  expect(one.hex()).toBe(other.hex());
  expect(one.hex()).not.toBe(half);
});
