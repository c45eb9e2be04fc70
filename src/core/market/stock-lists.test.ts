import fc from "fast-check";
import { expect, test } from "vitest";
import { StockBook } from "./stock-book.ts";
import {
  LISTS_KEPT_MAX,
  NAMES_SEARCHED_MAX,
  PIECE_LETTERS_MAX,
  StockLists,
} from "./stock-lists.ts";
import type { Command, Stock } from "./types.ts";

const NAMES = ["Ant", "Bee", "Cow", "Dog", "Elk"];

function begun(names: readonly string[] = NAMES) {
  const book = new StockBook(names.map((name) => ({ name, price: 1, quantity: 100 })));
  return { book, lists: new StockLists(book) };
}

const adjust = (name: string, by: number): Command => ({
  kind: "adjust",
  requestId: "a",
  name,
  by,
});
const list = (name: string): Command => ({
  kind: "list",
  requestId: "l",
  name,
  price: 1,
  quantity: 100,
});

/** All pieces of the list begun at `position`, while `between` happens after each. */
function read(lists: StockLists, position: number, limit: number, between: () => void): Stock[] {
  const stocks: Stock[] = [];
  let after: string | null = "";
  for (let first = true; after !== null; first = false) {
    const piece = lists.answer({ after, limit, list: first ? null : position }, position);
    if (piece.kind !== "stocks") throw new Error(piece.kind);
    expect(piece).toMatchObject({ position });
    stocks.push(...piece.stocks);
    after = piece.next;
    between();
  }
  return stocks;
}

test("all pieces of a list are true at the position of the first, whatever changes meanwhile", () => {
  const { book, lists } = begun();
  const before = [...book.sorted()];
  let more = 0;
  const pieces = read(lists, 7, 2, () => {
    for (const name of NAMES) book.apply(adjust(name, 1));
    book.apply(list(`Dz${String.fromCharCode(97 + more++)}`));
  });
  expect(pieces).toEqual(before);
  expect(read(lists, 8, 100, () => {})).toHaveLength(8);
});

test("a list that isn't kept any more is gone, not another", () => {
  const { book, lists } = begun();
  for (let position = 1; position <= LISTS_KEPT_MAX + 1; position += 1) {
    book.apply(adjust("Ant", 1));
    lists.answer({ after: "", limit: 1, list: null }, position);
  }
  expect(lists.answer({ after: "Ant", limit: 1, list: 1 }, 99)).toEqual({ kind: "gone" });
  expect(lists.answer({ after: "Ant", limit: 1, list: 2 }, 99)).toMatchObject({ position: 2 });
  expect(lists.answer({ after: "", limit: 1, list: 98 }, 99)).toEqual({ kind: "gone" });
});

test("who has a list is spared another as long as no stock changes, and no longer", () => {
  const { book, lists } = begun();
  const ask = (position: number, known: number) =>
    lists.answer({ after: "", limit: 9, list: null, known }, position).kind;
  lists.answer({ after: "", limit: 9, list: null }, 3);
  expect(ask(5, 3)).toBe("unchanged");
  expect(ask(5, 4)).toBe("stocks"); // of another replica, for all that is known here
  book.apply(adjust("Cow", 1));
  book.apply(adjust("Cow", -1));
  expect(ask(6, 3)).toBe("stocks");
  expect(ask(6, 6)).toBe("unchanged");
  book.apply(list("Fox"));
  expect(ask(7, 6)).toBe("stocks");
});

test("pages follow one another without a gap, whether the named stock is there or not", () => {
  const { lists } = begun();
  const page = (after: string, limit: number) => lists.answer({ after, limit }, 3);
  const names = (after: string, limit: number) => {
    const answer = page(after, limit);
    return answer.kind === "stocks" ? answer.stocks.map(({ name }) => name) : [];
  };
  expect(names("", 2)).toEqual(["Ant", "Bee"]);
  expect(page("", 2)).toMatchObject({ next: "Bee", total: 5 });
  expect(names("Bee", 2)).toEqual(["Cow", "Dog"]);
  expect(names("Bug", 2)).toEqual(["Cow", "Dog"]);
  expect(page("Dog", 2)).toMatchObject({ next: null });
  expect(page("Bee", 3)).toMatchObject({ next: null });
  expect(page("Elk", 2)).toMatchObject({ stocks: [], next: null, total: 5 });
});

test("stocks with very long names make small pieces, of one at least", () => {
  const long = (letter: string) => letter.repeat(PIECE_LETTERS_MAX * 0.6);
  const { lists } = begun([long("A"), long("B"), "C".repeat(PIECE_LETTERS_MAX * 2), "D"]);
  const lengths: number[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const piece = lists.answer({ after, limit: 100 }, 1);
    if (piece.kind !== "stocks") throw new Error(piece.kind);
    lengths.push(piece.stocks.length);
    after = piece.next;
  }
  expect(lengths).toEqual([1, 1, 1, 1]);
});

test("whatever is listed and moved between two lists, each is all stocks by name, and stays as it was", () => {
  const name = fc.constantFrom("A", "Aa", "B", "Ba", "C", "Z", "a", "b");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("list" as const), name }),
    fc.record({ kind: fc.constant("adjust" as const), name }),
    fc.record({ kind: fc.constant("sorted" as const), name }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const book = new StockBook();
      const expected = new Map<string, Stock>();
      const given: { readonly list: readonly Stock[]; readonly copy: Stock[] }[] = [];
      for (const { kind, name } of steps) {
        const stock = expected.get(name);
        if (kind === "list" && !stock) {
          expected.set(name, { name, price: 1, quantity: 100 });
          book.apply(list(name));
        } else if (kind === "adjust" && stock) {
          expected.set(name, { ...stock, quantity: stock.quantity + 1 });
          book.apply(adjust(name, 1));
        } else if (kind === "sorted") {
          const sorted = book.sorted();
          const right = [...expected.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
          expect(sorted).toEqual(right);
          expect(book.sorted()).toBe(sorted);
          given.push({ list: sorted, copy: [...sorted] });
        }
      }
      for (const { list, copy } of given) expect(list).toEqual(copy);
    }),
  );
});

test("a search finds each stock that has the letters, wherever, and looks at few names a page", () => {
  const letters = (number: number) =>
    number
      .toString(26)
      .replace(/./g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)));
  const names = Array.from(
    { length: 3 * NAMES_SEARCHED_MAX },
    (_, n) => `S${letters(n).padStart(4, "a")}`,
  );
  names[17] = "SaaFISHaar";
  names[names.length - 1] = "SzzFish";
  const { lists } = begun(names);
  const found: string[] = [];
  const nexts: (string | null)[] = [];
  for (let after: string | null = ""; after !== null; after = nexts.at(-1) ?? null) {
    const page = lists.answer({ after, limit: 10, containing: "fIsH" }, 7);
    if (page.kind !== "stocks") throw new Error(page.kind);
    found.push(...page.stocks.map(({ name }) => name));
    nexts.push(page.next);
  }
  expect(found).toEqual(["SaaFISHaar", "SzzFish"]);
  expect(nexts).toHaveLength(3);
});

test("a page of a search goes on where the one before it ended", () => {
  const { lists } = begun(["Ant", "Bee", "Beetle", "Elk"]);
  expect(lists.answer({ after: "", limit: 2, containing: "e" }, 7)).toMatchObject({
    stocks: [{ name: "Bee" }, { name: "Beetle" }],
    next: "Beetle",
  });
  expect(lists.answer({ after: "Beetle", limit: 2, containing: "e" }, 7)).toMatchObject({
    stocks: [{ name: "Elk" }],
    next: null,
  });
});
