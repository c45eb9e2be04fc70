// Latency and throughput of this front end over the last two minutes, with a
// line where the leader changed and a mark where a trade got no answer.
//
// Nothing is drawn where nothing was measured: a second without trades is a gap
// in the latency, and a lone second with some is a point, not the end of a ramp.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Drawn, dataOf, lonePoints } from "./chart-data.ts";
import { count, duration, perSecond } from "./format.ts";
import type { Floor, RatePoint } from "./model.ts";

const HEIGHT = 220;
/** The scale's top is at least this, so that one trade isn't drawn like a thousand. */
const TOP_MIN = 10;
/** Of a second that stands alone, pixels. */
const POINT_SIZE = 7;
/** The mark of a second in which a trade got no answer, pixels. */
const FAILURE_HEIGHT = 14;
const FAILURE_WIDTH = 3;
/** Half of the last label of the time axis, "08:04:30", stands beyond the axis, pixels. */
const LAST_LABEL_HALF = 30;

interface Series extends Drawn {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly text: (value: number | null) => string;
  readonly isFilled?: boolean;
}

const THROUGHPUT: readonly Series[] = [
  {
    name: "Lookups/s",
    color: "--series-quiet",
    value: ({ lookups }) => lookups,
    text: (value) => perSecond(value ?? 0),
  },
  {
    name: "Trades/s",
    color: "--series-main",
    value: ({ trades, refused }) => trades + refused,
    text: (value) => perSecond(value ?? 0),
    isFilled: true,
  },
];

const LATENCY: readonly Series[] = [
  { name: "p99", color: "--series-second", value: ({ p99 }) => p99, text: duration },
  { name: "p50", color: "--series-main", value: ({ p50 }) => p50, text: duration, isFilled: true },
];

export function Charts({ floor }: { floor: Floor }) {
  const changes = floor.moments.flatMap((moment) =>
    moment.kind === "leads" && moment.afterMs !== null ? [moment.at / 1_000] : [],
  );
  const failed = floor.rates.reduce((sum, point) => sum + point.failed, 0);
  return (
    <section class="panel charts" aria-labelledby="charts-title">
      <div class="panel-head">
        <h2 id="charts-title">This front end, by the second</h2>
        <p class="aside">
          <span class="failover-key" aria-hidden="true" /> change of leader{" "}
          <span class="failure-key" aria-hidden="true" /> no answer in time:{" "}
          {failed === 0 ? "none" : count(failed)}
        </p>
      </div>
      <div class="chart-row">
        <Chart
          title="Throughput"
          series={THROUGHPUT}
          rates={floor.rates}
          changes={changes}
          axis={(value) => perSecond(value).replace(".0", "")}
        />
        <Chart
          title="Trade latency"
          series={LATENCY}
          rates={floor.rates}
          changes={changes}
          axis={(value) => duration(value).replace(".0 ", " ")}
        />
      </div>
    </section>
  );
}

/** What is drawn over the lines; seconds since 1970. */
interface Marks {
  readonly changes: readonly number[];
  readonly failures: readonly number[];
}

interface ChartProps {
  readonly title: string;
  readonly series: readonly Series[];
  readonly rates: readonly RatePoint[];
  /** Seconds since 1970. */
  readonly changes: readonly number[];
  readonly axis: (value: number) => string;
}

function Chart({ title, series, rates, changes, axis }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const marks = useRef<Marks>({ changes, failures: [] });
  marks.current = {
    changes,
    failures: rates.flatMap(({ at, failed }) => (failed > 0 ? [at / 1_000] : [])),
  };

  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const width = () => Math.max(200, element.clientWidth);
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(width(), series, axis, () => marks.current),
        dataOf(series, rates, Date.now()),
        element,
      );
    };
    make();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: width(), height: HEIGHT }),
    );
    resized.observe(element);
    // Colours are read when it is made.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    return () => {
      scheme.removeEventListener("change", make);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(
    () => plot.current?.setData(dataOf(series, rates, Date.now())),
    [rates, changes.length],
  );

  const newest = rates.at(-1);
  const values = series.map(({ name, value, text }) => [name, newest ? text(value(newest)) : "–"]);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        {values.map(([name, value], index) => (
          <span key={name} class={`key key-${series[index]?.color.slice(9)}`}>
            {name} <b>{value}</b>
          </span>
        ))}
      </figcaption>
      <div
        ref={place}
        class="plot"
        role="img"
        aria-label={`${title} over the last two minutes, now ${values.map((pair) => pair.join(" ")).join(", ")}`}
      />
    </figure>
  );
}

function optionsOf(
  width: number,
  series: readonly Series[],
  axis: (value: number) => string,
  marks: () => Marks,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue("font-family")}`;
  const lines = {
    stroke: color("--ink-soft"),
    font,
    ticks: { show: false },
    grid: { stroke: color("--line"), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, LAST_LABEL_HALF, 0, 0],
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, Math.max(high * 1.15, TOP_MIN)] },
    },
    axes: [
      {
        ...lines,
        grid: { show: false },
        size: 30,
        space: 70,
        values: (_plot, ticks) => ticks.map(hourMinute),
      },
      { ...lines, size: 54, space: 34, values: (_plot, ticks) => ticks.map(axis) },
    ],
    series: [
      {},
      ...series.map(({ name, color: property, isFilled }) => ({
        label: name,
        stroke: color(property),
        width: 1.75,
        points: {
          show: false,
          size: POINT_SIZE,
          fill: color(property),
          filter: (plot: uPlot, index: number) => lonePoints([...(plot.data[index] ?? [])]),
        },
        spanGaps: false,
        ...(isFilled && { fill: `${color(property)}1f` }),
      })),
    ],
    hooks: {
      draw: [
        (plot) => {
          const { ctx, bbox } = plot;
          const bottom = bbox.top + bbox.height;
          const mark = (seconds: readonly number[], name: string, width: number, top: number) => {
            ctx.strokeStyle = color(name);
            ctx.lineWidth = width * devicePixelRatio;
            for (const at of seconds) {
              const x = Math.round(plot.valToPos(at, "x", true));
              if (x < bbox.left || x > bbox.left + bbox.width) continue;
              ctx.beginPath();
              ctx.moveTo(x, top);
              ctx.lineTo(x, bottom);
              ctx.stroke();
            }
          };
          const { changes, failures } = marks();
          ctx.save();
          mark(changes, "--gold", 2, bbox.top);
          mark(failures, "--bad", FAILURE_WIDTH, bottom - FAILURE_HEIGHT * devicePixelRatio);
          ctx.restore();
        },
      ],
    },
  };
}

function hourMinute(seconds: number): string {
  const date = new Date(seconds * 1_000);
  const two = (value: number) => String(value).padStart(2, "0");
  const ending = date.getSeconds() === 0 ? "" : `:${two(date.getSeconds())}`;
  return `${two(date.getHours())}:${two(date.getMinutes())}${ending}`;
}
