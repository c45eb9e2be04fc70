// What a cache that is smaller than the catalog holds, request by request.
//
// One request at a time, and a look into the cache after each: so the picture is
// the same in every run, and each step can be held against the rule. The rule is
// told here once more, as a list, rather than taken from the cache's code: what
// was used last is first, what falls off the end is gone, and a trade takes its
// own stock out.
//
// The picture: a row for each stock, filled while it is in the cache, and the
// request of each step as a sign on its stock.

import { at, escaped, picture } from "../../../lab/chart.ts";
import type { BazaarClient } from "../../client/index.ts";
import type { Replacement, ReplacementStep } from "./results.ts";

/** Stocks that the cache holds; the shipped catalog has twelve. */
export const CACHE_SIZE = 5;

type Action = Pick<ReplacementStep, "action"> & { readonly stock: number };

const lookups = (...stocks: readonly number[]): readonly Action[] =>
  stocks.map((stock) => ({ action: "lookup", stock }));
const trade = (stock: number): Action => ({ action: "trade", stock });

/** Stocks by their place in the catalog. */
const SEQUENCE: readonly Action[] = [
  ...lookups(0, 1, 2, 3, 4), // It fills.
  ...lookups(0, 1), // Used again: 2 is the oldest now,
  ...lookups(5, 6), // so 2 goes, then 3.
  trade(0), // 0 alone goes,
  ...lookups(7), // and its place is free:
  ...lookups(8), // only now 4 goes.
  trade(9), // Not in it: nothing goes.
  ...lookups(0, 9, 0, 10, 0, 11, 0, 2), // In use all the time, 0 stays.
  trade(11),
  trade(0),
  ...lookups(0, 1, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11), // All in turn: each was gone before it came again.
];

/** Of the picture. */
const CELL = 15;
const TOP = 44;
const AXIS = 46;
const LEGEND = 30;
const RIGHT = 20;
const LETTER = 7.2;
const MARK_EVERY = 5;
const SIGN = 3.5;

export interface ReplacementOptions {
  readonly bazaar: Pick<BazaarClient, "lookup" | "trade">;
  readonly names: readonly string[];
  readonly capacity: number;
  /** What is in the cache now, the most recently used first. */
  readonly cached: () => Promise<readonly string[]>;
  /** 0 to 1. */
  readonly onProgress: (part: number) => void;
}

/** Needs a cache that is empty at the beginning. */
export async function watchReplacement(options: ReplacementOptions): Promise<Replacement> {
  const { bazaar, names, capacity, cached, onProgress } = options;
  const steps: ReplacementStep[] = [];
  for (const [index, { action, stock }] of SEQUENCE.entries()) {
    const name = names[stock % names.length] ?? "";
    if (action === "lookup") await bazaar.lookup(name);
    else await bazaar.trade({ name, type: "sell", quantity: 1 });
    steps.push({ action, name, cached: await cached() });
    onProgress((index + 1) / SEQUENCE.length);
  }
  return { capacity, stocks: names, steps, unexpected: unexpectedSteps(steps, capacity) };
}

/** Steps, from 1, after which the cache held something else than the rule says. */
export function unexpectedSteps(
  steps: readonly ReplacementStep[],
  capacity: number,
): readonly number[] {
  let expected: readonly string[] = [];
  return steps.flatMap(({ action, name, cached }, index) => {
    const others = expected.filter((each) => each !== name);
    expected = action === "lookup" ? [name, ...others].slice(0, capacity) : others;
    const isSame =
      cached.length === expected.length && cached.every((each, place) => each === expected[place]);
    return isSame ? [] : [index + 1];
  });
}

/** As SVG: what is in a cache over time. */
export function occupancyPlot(replacement: Replacement): string {
  const { stocks, steps, capacity } = replacement;
  const title = `What a cache of ${capacity} stocks holds`;
  const left = 44 + Math.max(0, ...stocks.map((name) => name.length)) * LETTER;
  const right = left + steps.length * CELL;
  const bottom = TOP + stocks.length * CELL;
  const x = (step: number) => left + step * CELL;
  const y = (stock: number) => TOP + stock * CELL;
  const rows = stocks.flatMap((name, stock) => [
    `<text x="${at(left - 8)}" y="${at(y(stock) + 11.5)}" text-anchor="end">${escaped(name)}</text>`,
    ...steps.map(({ cached }, step) => {
      const isIn = cached.includes(name);
      return `<rect class="${isIn ? "f0" : "faint"}" x="${at(x(step) + 0.5)}" y="${at(y(stock) + 0.5)}" width="${CELL - 1}" height="${CELL - 1}"/>`;
    }),
  ]);
  const signs = steps.map(({ action, name }, step) => {
    const hit = action === "lookup" && (steps[step - 1]?.cached.includes(name) ?? false);
    const sign = action === "trade" ? "trade" : hit ? "hit" : "miss";
    return signAt(sign, x(step) + CELL / 2, y(stocks.indexOf(name)) + CELL / 2);
  });
  const marks = steps.flatMap((_, step) =>
    step === 0 || (step + 1) % MARK_EVERY === 0
      ? `<text x="${at(x(step) + CELL / 2)}" y="${bottom + 16}" text-anchor="middle">${step + 1}</text>`
      : [],
  );
  const middle = (TOP + bottom) / 2;
  const base = bottom + AXIS + 10;
  return picture(right + RIGHT, bottom + AXIS + LEGEND, title, [
    `<text x="${at(left)}" y="24" font-size="15" font-weight="600">${escaped(title)}</text>`,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">stock</text>`,
    ...rows,
    ...signs,
    ...marks,
    `<text x="${at((left + right) / 2)}" y="${bottom + 36}" text-anchor="middle">step (requests, one at a time)</text>`,
    ...legend(left, base),
  ]);
}

/** A dot on the filled cell, a ring in its colour of paper, a cross on an empty cell. */
function signAt(sign: "hit" | "miss" | "trade", x: number, y: number): string {
  const [cx, cy] = [at(x), at(y)];
  if (sign === "trade") {
    const [a, b] = [at(x - SIGN), at(y - SIGN)];
    return `<path class="s1" stroke-width="2.5" d="M${a} ${b}l${2 * SIGN} ${2 * SIGN}m0 ${-2 * SIGN}l${-2 * SIGN} ${2 * SIGN}"/>`;
  }
  return sign === "hit"
    ? `<circle class="mark" fill="none" cx="${cx}" cy="${cy}" r="1.5" stroke-width="3"/>`
    : `<circle class="mark" fill="none" cx="${cx}" cy="${cy}" r="${SIGN}" stroke-width="1.5"/>`;
}

function legend(left: number, y: number): readonly string[] {
  const entries = [
    ["hit", "lookup, in the cache"],
    ["miss", "lookup, fetched"],
    ["trade", "trade"],
  ] as const;
  return entries.map(([sign, name], index) => {
    const x = left + index * 170;
    const cell = sign === "trade" ? "faint" : "f0";
    return (
      `<rect class="${cell}" x="${at(x)}" y="${y - 11}" width="${CELL - 1}" height="${CELL - 1}"/>` +
      signAt(sign, x + (CELL - 1) / 2, y - 11 + (CELL - 1) / 2) +
      `<text x="${at(x + 22)}" y="${y}">${name}</text>`
    );
  });
}
