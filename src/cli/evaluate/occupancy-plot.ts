// What is in a cache over time: a row for each stock, filled while it is in the
// cache, and the request of each step as a sign on its stock.

import type { Replacement } from "./results.ts";
import { at, escaped, picture } from "./svg.ts";

const CELL = 15;
const TOP = 44;
const AXIS = 46;
const LEGEND = 30;
const RIGHT = 20;
const LETTER = 7.2;
const MARK_EVERY = 5;
const SIGN = 3.5;

/** As SVG. */
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
