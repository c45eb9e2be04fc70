// An evaluation as a report: headings, paragraphs, tables and plots in their
// order, once, for HTML and for Markdown to write down each in its own way.

import { type Line, linePlot } from "../../../lab/chart.ts";
import type { Block } from "../../../lab/report.ts";
import { answersTo, milliseconds, percent } from "./answers.ts";
import { occupancyPlot } from "./replacement.ts";
import type { Evaluation, FailOver, LoadCell } from "./results.ts";

/** Hexadecimal digits of a digest. */
const DIGEST_SHOWN = 12;
/** A load above this part of the processors leaves too little to the bazaar. */
const BUSY_PART = 0.5;

export function reportOf(evaluation: Evaluation): readonly Block[] {
  const { about, load, replacement, failOver, clients, iterations } = evaluation;
  return [
    heading(1, "Evaluation of the bazaar"),
    paragraph(
      "Measured on one machine, which runs the bazaar and its clients at once: the numbers compare with each other, not with those of another machine.",
    ),
    ...(about.loadBefore > about.processors * BUSY_PART
      ? [
          paragraph(
            `The machine was busy before this began (load ${about.loadBefore.toFixed(2)} on ${about.processors} processors): the times are too long, and small differences mean nothing.`,
          ),
        ]
      : []),
    heading(2, "Answers"),
    ...answersTo(evaluation).flatMap(({ question, text }) => [
      heading(3, question),
      paragraph(text),
    ]),
    heading(2, "Load and cache"),
    paragraph(
      `${clients} clients, each with ${iterations} lookups of a random stock, one after the other; after each lookup a trade of that stock with probability p; at the end every order made is asked for. Times are of the caller: from a call to its answer. Requests a second are of all calls, the final ones too.`,
    ),
    ...loadPlots(load),
    { kind: "table", isNumbers: true, rows: loadRows(load) },
    heading(2, "Cache replacement"),
    paragraph(
      `A front end whose cache holds ${replacement.capacity} of ${replacement.stocks.length} stocks. One request at a time; after each, what the front end says is in its cache.`,
    ),
    {
      kind: "plot",
      file: "replacement.svg",
      svg: occupancyPlot(replacement),
      caption:
        "A row for each stock, filled while it is in the cache. A column that loses a stock without a trade lost the least recently used one.",
    },
    heading(2, "Fail-over"),
    paragraph(
      `${failOver.clients} clients that look up and trade; replicas killed with kill -9, the leader first, then any; each is started again once every client has traded, and the next is killed once all are level. The gap is the longest call of any client from the kill until then.`,
    ),
    failOverPlot(failOver),
    { kind: "table", isNumbers: true, rows: killRows(failOver) },
    { kind: "table", isNumbers: true, rows: totalRows(failOver) },
    paragraph(
      `The replicas' files after everything was stopped: the SHA-256 of each file, and of what it holds at position ${failOver.verdict.position}. Digests are cut to ${DIGEST_SHOWN} digits here, and whole in \`results.json\`.`,
    ),
    { kind: "table", isNumbers: false, rows: fileRows(failOver) },
    heading(2, "How it was measured"),
    {
      kind: "table",
      isNumbers: false,
      rows: [
        ["what", "is"],
        ["date", about.date],
        ["bazaar", about.bazaar],
        ["Node.js", about.node],
        ["system", about.system],
        ["processor", `${about.processor}, ${about.processors} of them`],
        ["memory", `${about.memoryGiB} GiB`],
        ["load before", about.loadBefore.toFixed(2)],
      ],
    },
    { kind: "code", lines: about.commands },
  ];
}

function heading(level: 1 | 2 | 3, text: string): Block {
  return { kind: "heading", level, text };
}

function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

const CACHES = [
  { hasCache: true, name: "cache", colour: 0 },
  { hasCache: false, name: "no cache", colour: 1 },
] as const;
const STATISTICS = [
  { field: "mean", dash: 0 },
  { field: "p50", dash: 1 },
  { field: "p99", dash: 2 },
] as const;

function loadPlots(load: readonly LoadCell[]): readonly Block[] {
  const x = {
    label: "probability p of a trade after a lookup, %",
    scale: "linear",
    marks: [...new Set(load.map(({ probability }) => probability * 100))],
  } as const;
  const lines = (
    yOf: (cell: LoadCell) => number | null,
    line: (typeof CACHES)[number],
    more: { readonly name: string; readonly dash: number },
  ): Line => ({
    name: more.name,
    dash: more.dash,
    colour: line.colour,
    points: load
      .filter(({ hasCache }) => hasCache === line.hasCache)
      .flatMap((cell) => {
        const y = yOf(cell);
        return y === null ? [] : [{ x: cell.probability * 100, y }];
      }),
  });
  const latencies = (of: "lookup" | "trade", title: string) =>
    linePlot({
      title,
      x,
      y: { label: "latency, ms", scale: "log" },
      lines: STATISTICS.flatMap(({ field, dash }) =>
        CACHES.map((cache) =>
          lines((cell) => cell[of][field], cache, { name: `${field}, ${cache.name}`, dash }),
        ),
      ),
    });
  return [
    {
      kind: "plot",
      file: "lookups.svg",
      svg: latencies("lookup", "Latency of lookups"),
      caption: "Lookups: mean, median and 99th percentile over p, with the cache and without.",
    },
    {
      kind: "plot",
      file: "trades.svg",
      svg: latencies("trade", "Latency of trades"),
      caption:
        "Trades, likewise. A trade is never answered from the cache; at p = 0 there is none.",
    },
    {
      kind: "plot",
      file: "throughput.svg",
      svg: linePlot({
        title: "Throughput",
        x,
        y: { label: "requests a second", scale: "linear" },
        lines: CACHES.map((cache) =>
          lines((cell) => cell.requestsPerSecond, cache, { name: cache.name, dash: 0 }),
        ),
      }),
      caption: "All requests a second, over p.",
    },
  ];
}

function loadRows(load: readonly LoadCell[]): readonly (readonly string[])[] {
  const head = [
    "cache",
    "p",
    "requests/s",
    "lookup mean",
    "p50",
    "p99",
    "trade mean",
    "p50",
    "p99",
    "hits",
    "failures",
    "orders found",
  ];
  const rows = load.map((cell) => [
    cell.hasCache ? "on" : "off",
    percent(cell.probability),
    String(cell.requestsPerSecond),
    ...[cell.lookup, cell.trade].flatMap(({ mean, p50, p99 }) =>
      [mean, p50, p99].map(milliseconds),
    ),
    cell.hits + cell.misses > 0 ? percent(cell.hits / (cell.hits + cell.misses)) : "-",
    String(cell.failures),
    `${cell.matched}/${cell.total}`,
  ]);
  return [head, ...rows];
}

function failOverPlot({ timeline, kills }: FailOver): Block {
  return {
    kind: "plot",
    file: "fail-over.svg",
    svg: linePlot({
      title: "Longest call while replicas are killed",
      x: { label: "time since the clients began, s", scale: "linear" },
      y: { label: "longest call of a tenth of a second, ms", scale: "log" },
      lines: [
        {
          name: "longest call",
          colour: 0,
          dash: 0,
          points: timeline.map(({ atMs, worstMs }) => ({ x: atMs / 1_000, y: worstMs })),
        },
      ],
      events: kills.map(({ atMs, led }) => ({
        x: atMs / 1_000,
        name: led ? "leader" : "follower",
      })),
      hasDots: false,
    }),
    caption:
      "By when a call was answered; a dashed line is a kill -9. Where the line jumps right behind one, calls had waited for a new leader.",
  };
}

function killRows({ kills }: FailOver): readonly (readonly string[])[] {
  const rows = kills.map(({ replica, led, atMs, gapMs, backMs }, index) => [
    String(index + 1),
    `order-${replica}`,
    led ? "leader" : "follower",
    `${(atMs / 1_000).toFixed(1)} s`,
    milliseconds(gapMs),
    milliseconds(backMs),
  ]);
  return [["kill", "replica", "was", "at", "gap", "level again after its start"], ...rows];
}

function fileRows({ files }: FailOver): readonly (readonly string[])[] {
  const head = ["file of", "bytes", "newest entry", "file", "journal", "orders", "stocks"];
  const rows = files.map((file) => [
    file.role,
    String(file.bytes),
    String(file.last),
    ...[
      file.fileDigest,
      file.journalDigest,
      file.ordersDigest,
      file.stocksDigest,
      file.requestsDigest,
    ].map((digest) => digest.slice(0, DIGEST_SHOWN)),
    file.problems[0] ?? "none",
  ]);
  return [[...head, "requests", "problems"], ...rows];
}

function totalRows(failOver: FailOver): readonly (readonly string[])[] {
  const { calls, failures, refusals, repeated, matched, total, latency, verdict } = failOver;
  return [
    ["fail-over in all", "number"],
    ["calls", String(calls)],
    ["without an answer", String(failures)],
    ["refused (too few of a stock)", String(refusals)],
    ["attempts repeated by the client library", String(repeated)],
    ["median, p99 of a call", `${milliseconds(latency.p50)}, ${milliseconds(latency.p99)}`],
    ["orders found as made", `${matched}/${total}`],
    [
      "bazaar verify",
      verdict.ok
        ? `all agree, ${verdict.orders} orders`
        : `${verdict.differences.length} differences`,
    ],
  ];
}
