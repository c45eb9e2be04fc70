// A line chart as SVG: enough for the plots of the documentation, and the same
// bytes for the same numbers, so that a new one shows as a difference only when
// the numbers differ. A library would bring a browser's DOM with it.

/** Points with the same x may be missing in another line. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Ours is drawn stronger than a peer's. */
  readonly isOurs: boolean;
}

export interface Chart {
  readonly title: string;
  /** With units. */
  readonly xLabel: string;
  readonly yLabel: string;
  /** Where the x axis has its marks; its scale is logarithmic. */
  readonly xMarks: readonly number[];
  readonly yScale: "linear" | "log";
  readonly lines: readonly Line[];
}

const WIDTH = 520;
const HEIGHT = 380;
const LEFT = 64;
const RIGHT = 16;
const TOP = 40;
const AXIS = 44;
const LEGEND_ROW = 18;
const LEGEND_COLUMNS = 2;
const TEXT = "#24292f";
const GRID = "#d8dee4";
/** Told apart by the colour-blind as well (after Okabe and Ito), and by their dashes. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9"];
const DASHES = ["", "", "6 3", "2 3", "8 3 2 3", "4 4"];
const LINEAR_MARKS = 5;

/** Charts beside each other as one picture. Lines with no points are left out. */
export function chartsSvg(charts: readonly Chart[], description: string): string {
  const rows = Math.max(...charts.map(({ lines }) => Math.ceil(lines.length / LEGEND_COLUMNS)));
  const height = HEIGHT + rows * LEGEND_ROW + 8;
  const width = WIDTH * charts.length;
  const panels = charts.map(
    (chart, index) => `<g transform="translate(${index * WIDTH} 0)">\n${panel(chart)}\n</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="sans-serif" font-size="12" fill="${TEXT}">`,
    `<title>${escaped(description)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    "</svg>",
    "",
  ].join("\n");
}

function panel({ title, xLabel, yLabel, xMarks, yScale, lines }: Chart): string {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const values = drawn.flatMap(({ points }) => points.map(({ y }) => y));
  const yMarks = yScale === "log" ? logMarks(values) : linearMarks(values);
  const bottom = HEIGHT - AXIS;
  const x = scale(xMarks, LEFT + 12, WIDTH - RIGHT - 12, "log");
  const y = scale(yMarks, bottom, TOP, yScale);
  const grid = yMarks.map(
    (mark) =>
      `<path d="M${LEFT} ${at(y(mark))}H${WIDTH - RIGHT}" stroke="${GRID}"/>` +
      `<text x="${LEFT - 6}" y="${at(y(mark) + 4)}" text-anchor="end">${shortNumber(mark)}</text>`,
  );
  const marks = xMarks.map(
    (mark) =>
      `<path d="M${at(x(mark))} ${bottom}v5" stroke="${TEXT}"/>` +
      `<text x="${at(x(mark))}" y="${bottom + 18}" text-anchor="middle">${shortNumber(mark)}</text>`,
  );
  const middle = (TOP + bottom) / 2;
  return [
    `<text x="${LEFT}" y="22" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...grid,
    `<path d="M${LEFT} ${bottom}H${WIDTH - RIGHT}" stroke="${TEXT}"/>`,
    ...marks,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 36}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    ...drawn.map((line, index) => drawLine(line, index, x, y)),
    ...drawn.map(legend),
  ].join("\n");
}

type Scale = (value: number) => number;

function drawLine({ points, isOurs }: Line, index: number, x: Scale, y: Scale): string {
  const sorted = points.toSorted((a, b) => a.x - b.x);
  const path = sorted.map((point) => `${at(x(point.x))} ${at(y(point.y))}`).join("L");
  const dots = sorted.map(
    (point) =>
      `<circle cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="${isOurs ? 4 : 3}" fill="${colour(index)}"/>`,
  );
  return `<path d="M${path}" fill="none" ${stroke(index, isOurs)}/>${dots.join("")}`;
}

function legend({ name, isOurs }: Line, index: number): string {
  const left = LEFT + (index % LEGEND_COLUMNS) * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
  const top = HEIGHT + 12 + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
  return (
    `<path d="M${at(left)} ${top - 4}h24" fill="none" ${stroke(index, isOurs)}/>` +
    `<text x="${at(left + 30)}" y="${top}"${isOurs ? ' font-weight="600"' : ""}>${escaped(name)}</text>`
  );
}

function stroke(index: number, isOurs: boolean): string {
  const dash = DASHES[index % DASHES.length];
  const dashes = dash ? ` stroke-dasharray="${dash}"` : "";
  return `stroke="${colour(index)}" stroke-width="${isOurs ? 3 : 1.5}"${dashes}`;
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? TEXT;
}

function scale(marks: readonly number[], from: number, to: number, kind: "linear" | "log"): Scale {
  const of = kind === "log" ? Math.log : (value: number) => value;
  const low = of(Math.min(...marks));
  const span = of(Math.max(...marks)) - low || 1;
  return (value) => from + ((of(value) - low) / span) * (to - from);
}

/** Whole powers of ten around the values. */
export function logMarks(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  return Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
}

/** From 0 in steps of 1, 2 or 5 times a power of ten. */
export function linearMarks(values: readonly number[]): number[] {
  const high = Math.max(...values, 0) || 1;
  const rough = high / LINEAR_MARKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(high / step) + 1 }, (_, index) => index * step);
}

/** 1000000 as 1M. */
export function shortNumber(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  if (value >= 1e3) return `${value / 1e3}k`;
  return String(Math.round(value * 1e6) / 1e6);
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
