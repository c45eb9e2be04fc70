// Line plots as SVG, readable on a light and on a dark page, alone or inside
// HTML; the same bytes for the same numbers, so that a new one shows as a
// difference only when the numbers differ. A library would bring a browser's DOM.
//
// Colours are classes that follow prefers-color-scheme, and the paper is painted,
// so that a picture doesn't depend on the page it is put into.

/** An axis: `label` with its unit. */
export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log";
  /** Where it has its marks; made from the points if left out. */
  readonly marks?: readonly number[];
}

export interface Line {
  readonly name: string;
  /** Which of the colours, and which of the dashes, counted from 0. */
  readonly colour: number;
  readonly dash: number;
  /** Drawn thicker than the others. Default: no. */
  readonly isStrong?: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** Drawn from top to bottom, with a name. */
  readonly events?: readonly { readonly x: number; readonly name: string }[];
  /** Of few points, each is shown. Default: yes. */
  readonly hasDots?: boolean;
}

/** Told apart by the colour-blind too (after Okabe and Ito); the second of each pair is for the dark. */
const COLOURS = [
  ["#0065a3", "#5bb4ea"],
  ["#c04a00", "#f2964f"],
  ["#00795a", "#3fcf9f"],
  ["#a0407c", "#e08fc2"],
  ["#7a5c00", "#d1a83a"],
  ["#57606a", "#a9b4c0"],
] as const;
const DASHES = ["", "7 4", "2 4"] as const;

/** Of one picture, and of several beside each other. */
const WIDTH = 720;
const WIDTH_BESIDE = 520;
const HEIGHT = 340;
const LEFT = 72;
const RIGHT = 20;
const TOP = 56;
const AXIS = 52;
const INSET = 12;
const LEGEND_ROW = 18;
const LEGEND_COLUMN = 205;

const LINEAR_MARKS = 5;
/** Wider than this a logarithmic axis has marks at 1 only, else at 1, 2 and 5, powers of ten. */
const LOG_DECADES_DENSE = 2;

type Scale = (value: number) => number;

/**
 * Plots beside each other as one picture, of which `title` says what it shows, for
 * who can't see it. Lines without points are left out, and points that have no
 * place on a logarithmic axis (0 or less).
 */
export function linePlots(plots: readonly LinePlot[], title: string): string {
  const width = plots.length > 1 ? WIDTH_BESIDE : WIDTH;
  const columns = Math.floor((width - LEFT - RIGHT) / LEGEND_COLUMN) || 1;
  const drawn = plots.map((plot) => ({ ...plot, lines: visibleLines(plot) }));
  const rows = Math.max(...drawn.map(({ lines }) => Math.ceil(lines.length / columns)));
  const panels = drawn.map((plot, index) =>
    [
      `<g transform="translate(${index * width} 0)">`,
      ...panel(plot, width - RIGHT),
      ...plot.lines.map((line, nth) => legend(line, nth, columns)),
      "</g>",
    ].join("\n"),
  );
  return picture(width * plots.length, HEIGHT + rows * LEGEND_ROW + 8, title, panels);
}

export function linePlot(plot: LinePlot): string {
  return linePlots([plot], plot.title);
}

function visibleLines({ lines, x, y }: LinePlot): readonly Line[] {
  const has = ({ scale }: Axis, value: number) =>
    Number.isFinite(value) && (scale === "linear" || value > 0);
  return lines
    .map((line) => ({
      ...line,
      points: line.points
        .filter((point) => has(x, point.x) && has(y, point.y))
        .toSorted((a, b) => a.x - b.x),
    }))
    .filter(({ points }) => points.length > 0);
}

function panel(plot: LinePlot, right: number): readonly string[] {
  const { title, lines, events = [], hasDots = true } = plot;
  const all = lines.flatMap(({ points }) => points);
  const marks = ({ marks: given, scale }: Axis, values: readonly number[]) =>
    given ?? marksOf(values, scale);
  const xMarks = marks(
    plot.x,
    [...all, ...events].map(({ x }) => x),
  );
  const yMarks = marks(
    plot.y,
    all.map(({ y }) => y),
  );
  const bottom = HEIGHT - AXIS;
  const x = scaleOf(xMarks, LEFT + INSET, right - INSET, plot.x.scale);
  const y = scaleOf(yMarks, bottom, TOP, plot.y.scale);
  const middle = (TOP + bottom) / 2;
  return [
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600">${escaped(title)}</text>`,
    ...yMarks.map(
      (mark) =>
        `<path class="grid" d="M${LEFT} ${at(y(mark))}H${right}"/>` +
        `<text x="${LEFT - 8}" y="${at(y(mark) + 4)}" text-anchor="end">${shortNumber(mark)}</text>`,
    ),
    `<path class="ink" d="M${LEFT} ${bottom}H${right}"/>`,
    ...xMarks.map(
      (mark) =>
        `<path class="ink" d="M${at(x(mark))} ${bottom}v5"/>` +
        `<text x="${at(x(mark))}" y="${bottom + 20}" text-anchor="middle">${shortNumber(mark)}</text>`,
    ),
    `<text x="${(LEFT + right) / 2}" y="${bottom + 40}" text-anchor="middle">${escaped(plot.x.label)}</text>`,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${escaped(plot.y.label)}</text>`,
    ...events.map(
      ({ x: when, name }) =>
        `<path class="s1" stroke-dasharray="4 3" d="M${at(x(when))} ${TOP - 6}V${bottom}"/>` +
        `<text x="${at(x(when))}" y="${TOP - 10}" text-anchor="middle" font-size="11">${escaped(name)}</text>`,
    ),
    ...lines.map((line) => {
      const places = line.points.map((point) => [at(x(point.x)), at(y(point.y))] as const);
      const dots = places.map(
        ([cx, cy]) => `<circle class="f${line.colour}" cx="${cx}" cy="${cy}" r="3.5"/>`,
      );
      const path = places.map((place) => place.join(" ")).join("L");
      return `<path ${stroke(line)} d="M${path}"/>${hasDots ? dots.join("") : ""}`;
    }),
  ];
}

function legend(line: Line, index: number, columns: number): string {
  const left = LEFT + (index % columns) * LEGEND_COLUMN;
  const top = HEIGHT + 10 + Math.floor(index / columns) * LEGEND_ROW;
  return (
    `<path ${stroke(line)} d="M${left} ${top - 4}h28"/>` +
    `<text x="${left + 36}" y="${top}">${escaped(line.name)}</text>`
  );
}

function stroke({ colour, dash, isStrong }: Line): string {
  const pattern = DASHES[dash % DASHES.length];
  const dashes = pattern ? ` stroke-dasharray="${pattern}"` : "";
  return `class="s${colour % COLOURS.length}" stroke-width="${isStrong ? 3 : 2}"${dashes}`;
}

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

/** 20,000 as 20k, a million as 1M. */
export function shortNumber(value: number): string {
  if (value >= 1e6) return `${tidy(value / 1e6)}M`;
  return value >= 10_000 ? `${tidy(value / 1_000)}k` : String(tidy(value));
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
