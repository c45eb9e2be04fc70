// The lab document's own output, as expectations.
//
// lab-document/*.txt are the document's blocks in its words. What differs in ours, on
// purpose, is said in what stands below and nowhere else, so that a reader can
// lay a block beside a test. Numbers aren't replaced: a test brings the bazaar
// into the state the document shows. Only ports are, being each test's own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../../lab/cluster.ts";
import { ROOT } from "../../../lab/process.ts";

/** Lines of what we don't have. Compared with the line as it stands in the file. */
const WITHOUT_COUNTERPART: readonly (readonly [line: RegExp, why: string])[] = [
  [/^\d*\s*$/, "an empty line, with the editor's line number or without"],
  [/Write lock - /, "one process decides, in one thread: there is no lock to take"],
  [
    /Starting new HTTP connection|NewConnectionError|\d+ .*"GET \/get_order_leader HTTP/,
    "urllib's",
  ],
  [
    /Thread-2 .* : (?:Received GET request on url \/cache_invalid|Finished GET request)|"GET \/cache_invalid\//,
    "the catalog pushes invalidations over its open connection, not as a request of its own",
  ],
];

/**
 * The document's leader sends the newest order of a sync once more, and the
 * replica takes it for what it is: two lines. Ours goes on behind what it sent;
 * what a leader does send twice is logged in these words, which a unit test of
 * src/roles/order/lab-lines.ts asserts.
 */
const SENT_AGAIN = /^.*Writing trade data from leader - .*\n.*No update required, .*\n/gm;

/** When an access was, in the line that both log about it. */
const ACCESS_TIME = /(?<=^127\.0\.0\.1 - - )\[[^\]]*\]/;

/** What the document's environment put around or into a line. */
const REWORDED: readonly (readonly [part: RegExp, ours: string, why: string])[] = [
  [/^\d+\s+/, "", "the editor's line number"],
  [/^(?:MainThread|Thread-\d+ \(process_request_thread\)|Pyro-Worker-\d+) : /, "", "thread names"],
  [ACCESS_TIME, "[then]", "when it was"],
  [/ ?<class '\w+'>/g, "", "Python's type of a value"],
  [/\|$/, "", "the cursor on the screenshot"],
  [/health_check service/, "ping (health check) service", "the document has both wordings"],
  [/ - nameserver down$/, " - unreachable", "there is no name server"],
  [
    /, 'order_type': '(?:BUY|SELL)'\}$/,
    "",
    "cut off by the screenshot; types are lower case in ours",
  ],
];

/**
 * One step stands elsewhere: the document's leader updates the catalog before
 * the order is recorded, ours after, so that a crash between can't move a stock
 * without an order.
 */
const UPDATE_STEP = /^(?:Calling update service|Received update response) - /;
const AFTER_UPDATE_STEP = /^(?:Executing - trade_code|Received trade request)/;

function withUpdateStepMoved(lines: readonly string[]): readonly string[] {
  const moved: string[] = [];
  let step: string[] = [];
  for (const line of lines) {
    if (UPDATE_STEP.test(line)) {
      step.push(line);
      continue;
    }
    if (AFTER_UPDATE_STEP.test(line)) {
      moved.push(...step);
      step = [];
    }
    moved.push(line);
  }
  return [...moved, ...step];
}

/** The document's ports, as a test's cluster has them. */
function withPortsOf(cluster: Cluster, line: string): string {
  const [low, middle, high] = cluster.replicas;
  const ports: Readonly<Record<string, number | undefined>> = {
    "8000": cluster.frontendPorts[0],
    "9090": low,
    "9092": middle,
    "9094": high,
  };
  return line
    .replaceAll(/\b(?:8000|9090|9092|9094)\b/g, (port) => String(ports[port] ?? port))
    .replaceAll("0.0.0.0", "127.0.0.1");
}

/** The lines of one of the document's blocks as ours would be: see the tables above. */
export function labLog(block: string, cluster: Cluster): readonly string[] {
  const lines = labLines(block)
    .filter((line) => !WITHOUT_COUNTERPART.some(([expression]) => expression.test(line)))
    .map((line) => REWORDED.reduce((text, [part, ours]) => text.replace(part, ours), line))
    .map((line) => jsonAsOurs(withPortsOf(cluster, line)));
  return withUpdateStepMoved(lines);
}

/** True when `actual` is the expected line; one that the screenshot cut off must begin it. */
export function isLabLine(expected: string, actual: string): boolean {
  const line = jsonAsOurs(actual.replace(ACCESS_TIME, "[then]"));
  const cut = (expected.match(/\{/g)?.length ?? 0) > (expected.match(/\}/g)?.length ?? 0);
  return cut ? line.startsWith(expected) : line === expected;
}

/** One call of the document's test suites. */
export interface LabCall {
  readonly method: "GET" | "POST";
  /** As in `GET - http://0.0.0.0:8000/stocks/Ash`; null for a POST, whose request isn't shown. */
  readonly path: string | null;
  readonly status: number;
  /** Byte for byte as ours must be: the document's JSON without Python's blanks. */
  readonly body: string;
}

/** The calls of the front end's suite, group by group in the document's order. */
export function labCalls(cluster: Cluster): readonly LabCall[] {
  const call = /^(GET|POST) - (?:http:\/\/0\.0\.0\.0:8000(\S+) - )?(\d{3}) - (.*)$/;
  return labLines("suite-frontend").flatMap((line) => {
    const match = call.exec(line);
    if (!match) return [];
    const [, method, path, status, body = ""] = match;
    return [
      {
        method: method === "GET" ? "GET" : "POST",
        path: path ?? null,
        status: Number(status),
        body: withPortsOf(cluster, JSON.stringify(JSON.parse(body))),
      },
    ];
  });
}

export function labLines(block: string): readonly string[] {
  const text = readFileSync(join(ROOT, `test/system/lab-document/${block}.txt`), "utf8");
  return text.replaceAll(SENT_AGAIN, "").split("\n");
}

/** JSON, or Python's repr of a dict or of bytes, at the end of a line: as JSON without blanks. */
export function jsonAsOurs(line: string): string {
  const match = /^(.*?)(b')?(\{.*?)(?:(?<=\})')?$/.exec(line);
  if (!match) return line;
  const [, before = "", bytes, value = ""] = match;
  const quoted = bytes ? value : value.replaceAll("'", '"');
  // Blanks after a colon or comma are Python's; our names and values have none.
  return before + quoted.replaceAll(/(?<=[:,]) (?=["\d{])/g, "");
}
