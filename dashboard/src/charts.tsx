// Latency and throughput of this front end over the last two minutes, with a
// line where the leader changed.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { duration, perSecond } from "./format.ts";
import { type Floor, RATES_MAX, type RatePoint } from "./model.ts";

const HEIGHT = 220;
/** The scale's top is at least this, so that one trade isn't drawn like a thousand. */
const TOP_MIN = 10;
/** Half of the last label of the time axis, "08:04:30", stands beyond the axis, pixels. */
const LAST_LABEL_HALF = 30;

interface Series {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly value: (point: RatePoint) => number | null;
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
  return (
    <section class="panel charts" aria-labelledby="charts-title">
      <div class="panel-head">
        <h2 id="charts-title">This front end, by the second</h2>
        <p class="aside">
          <span class="failover-key" aria-hidden="true" /> change of leader
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
  const lines = useRef(changes);
  lines.current = changes;

  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const width = () => Math.max(200, element.clientWidth);
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(width(), series, axis, () => lines.current),
        dataOf(series, rates),
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
  useEffect(() => plot.current?.setData(dataOf(series, rates)), [rates, changes.length]);

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

function dataOf(series: readonly Series[], rates: readonly RatePoint[]): uPlot.AlignedData {
  const last = Math.round((rates.at(-1)?.at ?? Date.now()) / 1_000);
  const times = rates.map(({ at }) => Math.round(at / 1_000));
  // An axis of two minutes from the start, however little is known.
  const missing = Array.from(
    { length: Math.max(0, RATES_MAX - rates.length) },
    (_, index) => (times[0] ?? last) - (RATES_MAX - rates.length) + index,
  );
  return [
    [...missing, ...times],
    ...series.map(({ value }) => [...missing.map(() => null), ...rates.map(value)]),
  ];
}

function optionsOf(
  width: number,
  series: readonly Series[],
  axis: (value: number) => string,
  changes: () => readonly number[],
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
        points: { show: false },
        spanGaps: true,
        ...(isFilled && { fill: `${color(property)}1f` }),
      })),
    ],
    hooks: {
      draw: [
        (plot) => {
          const { ctx, bbox } = plot;
          ctx.save();
          ctx.strokeStyle = color("--gold");
          ctx.lineWidth = 2 * devicePixelRatio;
          for (const at of changes()) {
            const x = Math.round(plot.valToPos(at, "x", true));
            if (x < bbox.left || x > bbox.left + bbox.width) continue;
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
          }
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
