// The checkers are checked: each deliberate bug is found again, by real runs of
// the simulation in a process of their own, by the rule that it breaks; the same
// seed without it is clean.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bugTable, find, reseeded, search } from "./bug-search.ts";
import { BUGS, type Bug, bugNamed } from "./bugs.ts";

const TICKS = 4_000;
/** A few runs on a busy machine. */
const LIMIT_MS = 120_000;

describe("the simulation finds, by a rule that it breaks,", () => {
  for (const bug of BUGS) {
    if (bug.found === null) continue;
    const seeds = bug.found;
    test(
      bug.name,
      async () => expect(await find(bug, seeds, TICKS)).toMatchObject({ is: "found" }),
      LIMIT_MS,
    );
  }
});

describe("a search for deliberate bugs", () => {
  const COMMON = bugNamed("exposed-before-all-hold");
  const SEEDS = { first: 1, seeds: 16 };

  test(
    "takes no violation of another rule for the bug's, and goes on behind it",
    async () => {
      const other: Bug = { ...COMMON, breaks: ["no such rule"] };
      const first = await find(other, SEEDS, TICKS);
      expect(first).toMatchObject({ is: "other", why: expect.stringMatching(/^Violation: C1: /) });
      const last = await search(other, SEEDS, TICKS);
      expect(last.is).not.toBe("found");
      expect(last).not.toEqual(first);
    },
    LIMIT_MS,
  );

  test(
    "says that a bug is in none of the seeds, and that one doesn't apply to the code",
    async () => {
      expect(await find(COMMON, { first: 1, seeds: 1 }, 1)).toEqual({ is: "none" });
      const absent: Bug = { ...COMMON, name: "no-such-bug" };
      const why = expect.stringMatching(/^simulate: no bug named no-such-bug/);
      expect(await find(absent, SEEDS, TICKS)).toEqual({ is: "failed", why });
    },
    LIMIT_MS,
  );

  test(
    "prints a row for a bug that is found, and reseeds only one that isn't found at its seeds",
    async () => {
      const table = async (bug: Bug, searched: typeof SEEDS | null) => {
        const lines: string[] = [];
        const reseeds: [string, number][] = [];
        const missing = await bugTable({
          bug,
          ticks: TICKS,
          jobs: 1,
          searched,
          print: (line) => lines.push(line),
          reseed: (name, seed) => reseeds.push([name, seed]),
        });
        return { row: lines[1], missing, reseeds };
      };
      const kept = await table({ ...COMMON, found: SEEDS }, SEEDS);
      const [, seed] =
        /^\| `exposed-before-all-hold` \| C1 \| (\d+) \| \1 from 1 \|$/.exec(`${kept.row}`) ?? [];
      expect(kept).toEqual({ row: kept.row, missing: 0, reseeds: [] });
      const lost: Bug = { ...COMMON, found: null };
      const reseeds = [[COMMON.name, Number(seed)]];
      expect(await table(lost, SEEDS)).toEqual({ row: kept.row, missing: 0, reseeds });
      const row = "| `exposed-before-all-hold` | C1 | – | no seed is known |";
      expect(await table(lost, null)).toEqual({ row, missing: 1, reseeds: [] });
    },
    LIMIT_MS,
  );

  test("writes new seeds at the bug's name and nowhere else, for every bug of the list", () => {
    const source = readFileSync(new URL("./bugs.ts", import.meta.url), "utf8");
    for (const { name } of BUGS) {
      const [before = "", after = "", ...more] = reseeded(source, name, 98_765).split("[98765, 4]");
      expect(more).toEqual([]);
      expect(before.slice(before.lastIndexOf("bug("))).toContain(`"${name}"`);
      expect(source.startsWith(before) && source.endsWith(after), name).toBe(true);
    }
    expect(() => reseeded(source, "no-such-bug", 1)).toThrow("0 places");
  });
});

test("a bug that isn't there is an error with the names of all", () => {
  for (const { name } of BUGS) expect(bugNamed(name).edits.length).toBeGreaterThan(0);
  expect(() => bugNamed("no-such-bug")).toThrow("there are: ack-before-fsync");
});
