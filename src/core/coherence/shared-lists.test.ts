import { beforeEach, expect, test } from "vitest";
import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { Stock } from "../market/types.ts";
import { LIST_BEGIN_MS, QUESTION_DEADLINE_MS } from "../service/limits.ts";
import type { Unanswered } from "../service/types.ts";
import { SharedLists } from "./shared-lists.ts";

type Answer = StocksAnswer | Unanswered | null;
interface Asked {
  readonly of: "catalog" | "leader";
  readonly question: StocksQuestion;
  readonly deadlineMs: number | null;
  readonly answer: (answer: Answer) => void;
}

let nowMs: number;
let floor: number;
let asked: Asked[];
let timers: { readonly atMs: number; readonly run: () => void }[];
let lists: SharedLists<string, string>;
/** What each who asked was told, in the order of the answers. */
let told: [tag: string, list: string][];

beforeEach(() => {
  nowMs = 0;
  floor = 0;
  asked = [];
  timers = [];
  told = [];
  lists = new SharedLists({
    askCatalog: (question, answer) =>
      asked.push({ of: "catalog", question, deadlineMs: null, answer }),
    askLeader: (question, deadlineMs, done) =>
      asked.push({
        of: "leader",
        question,
        deadlineMs,
        answer: (answer) => answer && done(answer),
      }),
    newestFloor: () => floor,
    pieceMax: 2,
    piece: (stocks) => stocks.map(({ name }) => name).join(""),
    whole: (pieces, position) => `${pieces.join("")}@${position}`,
    nowMs: () => nowMs,
    after: (ms, run) => timers.push({ atMs: nowMs + ms, run }),
  });
});

function ask(tag: string): void {
  lists.list((list) => told.push([tag, typeof list === "string" ? list : list.kind]));
}

function wait(ms: number): void {
  nowMs += ms;
  const due = timers.filter(({ atMs }) => atMs <= nowMs);
  timers = timers.filter(({ atMs }) => atMs > nowMs);
  for (const { run } of due) run();
}

/** The only question that waits for an answer. */
function question(): Asked {
  const [one, ...more] = asked;
  asked = [];
  if (!one || more.length > 0) throw new Error(`${more.length + 1} questions`);
  return one;
}

const piece = (names: string, position: number, next: string | null = null): StocksAnswer => ({
  kind: "stocks",
  stocks: [...names].map((name): Stock => ({ name, price: 1, quantity: 1 })),
  next,
  total: 9,
  position,
});

test("who asks while a list is under way isn't told that one, but shares the next (T1)", () => {
  ask("a");
  const first = question();
  ask("b");
  ask("c");
  expect(asked).toEqual([]);
  first.answer(piece("AB", 5));
  expect(told).toEqual([["a", "AB@5"]]);
  question().answer(piece("AC", 6));
  expect(told.slice(1)).toEqual([
    ["b", "AC@6"],
    ["c", "AC@6"],
  ]);
  expect(asked).toEqual([]);
});

test("who asks when told isn't told the same again (T1)", () => {
  lists.list(() => ask("b"));
  question().answer(piece("A", 5));
  expect(told).toEqual([]);
  question().answer(piece("B", 6));
  expect(told).toEqual([["b", "B@6"]]);
});

test("a list that hangs holds the next up for a moment only", () => {
  ask("a");
  const hanging = question();
  ask("b");
  wait(LIST_BEGIN_MS - 1);
  ask("c");
  expect(asked).toEqual([]);
  wait(1);
  question().answer(piece("A", 5));
  expect(told).toEqual([
    ["b", "A@5"],
    ["c", "A@5"],
  ]);
  hanging.answer(piece("B", 6));
  expect(told.at(-1)).toEqual(["a", "B@6"]);
  wait(LIST_BEGIN_MS);
  expect(asked).toEqual([]);
});

test("pieces are asked for one after the other, all of the list that was begun", () => {
  ask("a");
  const first = question();
  expect(first).toMatchObject({ of: "catalog", question: { after: "", limit: 2, list: null } });
  first.answer(piece("AB", 5, "B"));
  const second = question();
  expect(second).toMatchObject({ of: "catalog", question: { after: "B", limit: 2, list: 5 } });
  second.answer(piece("C", 5));
  expect(told).toEqual([["a", "ABC@5"]]);
});

test.each([
  ["that is gone", { kind: "gone" } as const],
  ["whose catalog can't say any more", null],
])("a list %s is begun anew, of the leader (T2)", (_what, answer) => {
  ask("a");
  question().answer(piece("AB", 5, "B"));
  question().answer(answer);
  const anew = question();
  expect(anew).toMatchObject({ of: "leader", question: { after: "", list: null } });
  anew.answer(piece("XY", 7, "Y"));
  question().answer(piece("Z", 7));
  expect(told).toEqual([["a", "XYZ@7"]]);
});

test("a catalog that lags behind what was dropped when the list was begun is overruled (T3)", () => {
  floor = 6;
  ask("a");
  const first = question();
  floor = 9;
  first.answer(piece("A", 5));
  question().answer(piece("B", 5)); // the leader is as new as can be
  expect(told).toEqual([["a", "B@5"]]);
  ask("b");
  question().answer(piece("C", 8));
  question().answer(piece("D", 9));
  expect(told.at(-1)).toEqual(["b", "D@9"]);
});

test("the last list is told again only if who is asked says that it is the same, at no earlier position (T3, T4)", () => {
  ask("a");
  question().answer(piece("A", 5));
  ask("b");
  const again = question();
  expect(again.question).toMatchObject({ list: null, known: 5 });
  again.answer({ kind: "unchanged", position: 8 });
  expect(told.at(-1)).toEqual(["b", "A@5"]);
  floor = 9;
  ask("c");
  question().answer({ kind: "unchanged", position: 8 });
  const leader = question();
  expect(leader).toMatchObject({ of: "leader", question: { known: 5 } });
  leader.answer(piece("B", 9));
  expect(told.at(-1)).toEqual(["c", "B@9"]);
  ask("d");
  expect(question().question).toMatchObject({ known: 9 });
});

test("a list that the leader doesn't answer ends at its deadline, with all who wait for it", () => {
  ask("a");
  question().answer(null);
  expect(question().deadlineMs).toBe(QUESTION_DEADLINE_MS);
  told = [];
  ask("b");
  wait(LIST_BEGIN_MS);
  question().answer(null);
  const leader = question();
  nowMs += 400;
  leader.answer(piece("AB", 5, "B"));
  const second = question();
  expect(second.deadlineMs).toBe(QUESTION_DEADLINE_MS - 400);
  nowMs += QUESTION_DEADLINE_MS;
  second.answer({ kind: "gone" });
  expect(told).toEqual([["b", "unavailable"]]);
  expect(asked).toEqual([]);
});
