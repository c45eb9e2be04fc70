import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { JournalCorrupt } from "../../src/io/journal/errors.ts";
import { openJournal } from "../../src/io/journal/journal.ts";
import { Ledger } from "../../src/io/journal/ledger.ts";
import { examine, WrongAnswer } from "./examine.ts";
import { Flips } from "./flips.ts";
import { cellCountOffset } from "./places.ts";
import { IDENTITY, type Specimen } from "./specimens.ts";

const FLIPS = 300;

const folder = mkdtempSync(join(tmpdir(), "bazaar-flips-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const flips = new Flips(folder);

function specimen(name: string): Specimen {
  const found = flips.specimens.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no specimen ${name}`);
  return found;
}

/** Takes `by` from the number of cells on the last leaf page of a table. */
function hideRows(path: string, table: string, by = 1): void {
  const offset = cellCountOffset(path, table);
  const bytes = readFileSync(path);
  bytes.writeUInt16BE(bytes.readUInt16BE(offset) - by, offset);
  writeFileSync(path, bytes);
}

test("no flip of a bit, before a start or while a role runs, makes a wrong answer", () => {
  const problems: string[] = [];
  for (let number = 1; number <= FLIPS; number++) {
    const problem = flips.flip(number);
    if (problem !== null) problems.push(problem);
  }
  expect(problems).toEqual([]);
  // All of it was tried: flips that do nothing, and some that don't, in files of each kind.
  const outcomes = [...flips.counts.keys()];
  for (const name of ["a stopped replica", "a crashed replica"]) {
    expect(outcomes).toEqual(expect.arrayContaining([`refused: ${name}`, `harmless: ${name}`]));
  }
  expect(outcomes).toEqual(
    expect.arrayContaining(["healed: a stopped catalog", "refused: the secret"]),
  );
}, 300_000);

test.each([4_182, 7_641, 7_785])(
  "flip %i, which once made a wrong answer, makes none",
  (number) => {
    expect(flips.flip(number)).toBeNull();
  },
);

describe("of the rows that a page's number of cells hides,", () => {
  const replica = specimen("a stopped replica");

  test.each(["orders", "stocks", "requests", "applied"])(
    "the last of %s is noticed before this replica votes or leads, or by whoever asks",
    (table) => {
      const path = join(flips.copyOf(replica), "order.db");
      hideRows(path, table);
      expect(examine(replica, join(path, ".."), flips.truth)).toBe("refused");
    },
  );

  test.each(["orders", "stocks", "applied"])(
    "the last of %s is noticed when the file is opened",
    (table) => {
      const path = join(flips.copyOf(replica), "order.db");
      hideRows(path, table);
      const open = () => {
        const journal = openJournal(path, { replica: IDENTITY.replica });
        try {
          return new Ledger(journal);
        } finally {
          journal.close();
        }
      };
      expect(open).toThrow(JournalCorrupt);
    },
  );

  test("a catalog's last stock is noticed, and the catalog reads everything anew", () => {
    const catalog = specimen("a stopped catalog");
    const path = join(flips.copyOf(catalog), "catalog.db");
    hideRows(path, "stocks");
    expect(examine(catalog, join(path, ".."), flips.truth)).toBe("healed");
  });
});

test("wrong answers of files that say something else, with all checksums right, are found", () => {
  const catalog = specimen("a stopped catalog");
  const replica = specimen("a stopped replica");
  const [turn, ...turns] = flips.truth.turns;
  if (turn === undefined) throw new Error("nothing is asked");
  const other = {
    ...flips.truth,
    turns: [{ ...turn, answers: turn.answers.replace("buy", "sell") }, ...turns],
    stocksAt: new Map([...flips.truth.stocksAt].map(([at, text]) => [at, text.replace("1", "2")])),
  };
  expect(() => examine(replica, flips.copyOf(replica), other)).toThrow(WrongAnswer);
  expect(() => examine(catalog, flips.copyOf(catalog), other)).toThrow(WrongAnswer);
});
