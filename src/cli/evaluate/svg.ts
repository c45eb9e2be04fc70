// What the plots share: a picture of SVG that is readable on a light and on a
// dark page, alone or inside HTML, and the axes with their marks and units.
//
// Colours are classes that follow prefers-color-scheme, and the paper is painted,
// so that a picture doesn't depend on the page it is put into.

/** An axis: `label` with its unit. */
export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log";
}

/** Told apart by the colour-blind too (after Okabe and Ito); the second of each pair is for the dark. */
const COLOURS = [
  ["#0065a3", "#5bb4ea"],
  ["#c04a00", "#f2964f"],
  ["#00795a", "#3fcf9f"],
] as const;
export const DASHES = ["", "7 4", "2 4"] as const;

const LINEAR_MARKS = 5;
/** Wider than this a logarithmic axis has marks at 1 only, else at 1, 2 and 5, powers of ten. */
const LOG_DECADES_DENSE = 2;

/** A whole picture. `title` is what it shows, for who can't see it. */
export function picture(
  width: number,
  height: number,
  title: string,
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style()}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="6"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function style(): string {
  const series = (scheme: 0 | 1) =>
    COLOURS.map(
      (pair, index) =>
        `.plot .s${index}{stroke:${pair[scheme]}}.plot .f${index}{fill:${pair[scheme]}}`,
    ).join("");
  return [
    ".plot{font:12px system-ui,sans-serif;max-width:100%;height:auto}.plot path{fill:none}",
    ".plot .paper{fill:#ffffff}.plot text{fill:#1f2328}.plot .ink{stroke:#1f2328}.plot .grid{stroke:#d8dee4}.plot .faint{fill:#eef1f4}.plot .mark{stroke:#ffffff}",
    series(0),
    "@media (prefers-color-scheme:dark){",
    ".plot .paper{fill:#161b22}.plot text{fill:#e6edf3}.plot .ink{stroke:#e6edf3}.plot .grid{stroke:#363d47}.plot .faint{fill:#232a33}.plot .mark{stroke:#161b22}",
    series(1),
    "}",
  ].join("");
}

export type Scale = (value: number) => number;

/** Maps the span of `marks` to `from` … `to`. */
export function scaleOf(
  marks: readonly number[],
  from: number,
  to: number,
  kind: Axis["scale"],
): Scale {
  const of = kind === "log" ? Math.log : (value: number) => value;
  const low = of(Math.min(...marks));
  const span = of(Math.max(...marks)) - low || 1;
  return (value) => from + ((of(value) - low) / span) * (to - from);
}

/** Marks of an axis around `values`: round numbers, the first not above the least, the last not below the greatest. */
export function marksOf(values: readonly number[], kind: Axis["scale"]): readonly number[] {
  return kind === "log" ? logMarks(values) : linearMarks(values);
}

function logMarks(values: readonly number[]): readonly number[] {
  const positive = values.filter((value) => value > 0);
  const least = positive.length > 0 ? Math.min(...positive) : 1;
  const greatest = Math.max(...positive, least * 2);
  const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(greatest))];
  const factors = high - low > LOG_DECADES_DENSE ? [1] : [1, 2, 5];
  const all = Array.from({ length: high - low + 1 }, (_, index) =>
    factors.map((factor) => tidy(factor * 10 ** (low + index))),
  ).flat();
  const first = all.findLastIndex((mark) => mark <= least);
  const last = all.findIndex((mark) => mark >= greatest);
  return all.slice(Math.max(0, first), last + 1);
}

/** From 0 in steps of 1, 2 or 5 times a power of ten. */
function linearMarks(values: readonly number[]): readonly number[] {
  const greatest = Math.max(...values, 0) || 1;
  const rough = greatest / LINEAR_MARKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(greatest / step) + 1 }, (_, index) => tidy(index * step));
}

/** Without what binary fractions add. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** A coordinate, to a tenth. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** 1,000 and more as thousands: 20k. */
export function shortNumber(value: number): string {
  return value >= 10_000 ? `${tidy(value / 1_000)}k` : String(value);
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
