// Lines over an axis, with moments marked where something happened.

import { type Axis, at, DASHES, escaped, marksOf, picture, scaleOf, shortNumber } from "./svg.ts";

export interface Line {
  readonly name: string;
  /** Which of the colours, and which of the dashes, counted from 0. */
  readonly colour: number;
  readonly dash: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Marks of the x axis; made from the points if left out. */
  readonly xMarks?: readonly number[];
  readonly lines: readonly Line[];
  /** Drawn from top to bottom, with a name. */
  readonly events?: readonly { readonly x: number; readonly name: string }[];
  /** Of few points, each is shown. Default: yes. */
  readonly hasDots?: boolean;
}

const WIDTH = 720;
const HEIGHT = 340;
const LEFT = 72;
const RIGHT = 20;
const TOP = 56;
const AXIS = 52;
const INSET = 12;
const LEGEND_ROW = 18;
const LEGEND_COLUMNS = 3;

/** As SVG. A point that has no place on a logarithmic axis (0 or less) is left out. */
export function linePlot(plot: LinePlot): string {
  const { title, x: xAxis, y: yAxis, events = [] } = plot;
  const lines = plot.lines.map((line) => ({
    ...line,
    points: line.points.filter(({ x, y }) => has(xAxis, x) && has(yAxis, y)),
  }));
  const drawn = lines.filter(({ points }) => points.length > 0);
  const all = drawn.flatMap(({ points }) => points);
  const xMarks =
    plot.xMarks ??
    marksOf(
      [...all, ...events].map(({ x }) => x),
      xAxis.scale,
    );
  const yMarks = marksOf(
    all.map(({ y }) => y),
    yAxis.scale,
  );
  const bottom = HEIGHT - AXIS;
  const right = WIDTH - RIGHT;
  const x = scaleOf(xMarks, LEFT + INSET, right - INSET, xAxis.scale);
  const y = scaleOf(yMarks, bottom, TOP, yAxis.scale);
  const middle = (TOP + bottom) / 2;
  const rows = Math.ceil(drawn.length / LEGEND_COLUMNS);
  return picture(WIDTH, HEIGHT + rows * LEGEND_ROW + 8, title, [
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
    `<text x="${(LEFT + right) / 2}" y="${bottom + 40}" text-anchor="middle">${escaped(xAxis.label)}</text>`,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${escaped(yAxis.label)}</text>`,
    ...events.map(
      ({ x: when, name }) =>
        `<path class="s1" stroke-dasharray="4 3" d="M${at(x(when))} ${TOP - 6}V${bottom}"/>` +
        `<text x="${at(x(when))}" y="${TOP - 10}" text-anchor="middle" font-size="11">${escaped(name)}</text>`,
    ),
    ...drawn.map((line) => drawLine(line, x, y, plot.hasDots !== false)),
    ...drawn.map(legend),
  ]);
}

function has({ scale }: Axis, value: number): boolean {
  return Number.isFinite(value) && (scale === "linear" || value > 0);
}

function drawLine(
  { points, colour, dash }: Line,
  x: (value: number) => number,
  y: (value: number) => number,
  hasDots: boolean,
): string {
  const path = points.map((point) => `${at(x(point.x))} ${at(y(point.y))}`).join("L");
  const dots = hasDots
    ? points.map(
        (point) =>
          `<circle class="f${colour}" cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="3.5"/>`,
      )
    : [];
  return `<path class="s${colour}" stroke-width="2" ${dashes(dash)}d="M${path}"/>${dots.join("")}`;
}

function legend({ name, colour, dash }: Line, index: number): string {
  const left = LEFT + (index % LEGEND_COLUMNS) * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
  const top = HEIGHT + 10 + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
  return (
    `<path class="s${colour}" stroke-width="2" ${dashes(dash)}d="M${at(left)} ${top - 4}h28"/>` +
    `<text x="${at(left + 36)}" y="${top}">${escaped(name)}</text>`
  );
}

function dashes(dash: number): string {
  const pattern = DASHES[dash % DASHES.length];
  return pattern ? `stroke-dasharray="${pattern}" ` : "";
}
