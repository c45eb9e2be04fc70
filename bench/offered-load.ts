// A load that comes whatever the server does, as a crowd would: so many requests
// a second, sent on time. wrk waits for an answer before it sends the next, and
// so slows down with the server.
//
// A process of its own, `offered-load.ts PORT RATE SECONDS WARM_UP_S CONNECTIONS
// REQUESTS`. Requests go round all connections; where the last one isn't answered
// yet the next is sent after it (pipelining), so that what waits is the server's.
// It prints one line of JSON. What is sent within the measured time counts; after
// it the answers still under way are waited for.

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { percentile } from "../lab/statistics.ts";
import { ANSWER_LIMIT_S, OFFERED_FACTOR } from "./limits.ts";
import { SEPARATOR } from "./requests.ts";
import type { Sample } from "./round.ts";

const TICK_MS = 5;
/** Connections opened at once while starting: more would overflow the server's backlog. */
const OPENING_MAX = 200;
/** A tick that came late doesn't send more than this much of the missed time at once. */
const BURST_MS_MAX = 100;
export const REPORT = "offered-load ";

const HEAD_END = "\r\n\r\n";
/** Where the status is in `HTTP/1.1 200 OK`. */
const STATUS_FROM = 9;
const STATUS_TO = 12;

/** One answer. */
interface Answer {
  readonly status: number;
  readonly hasRetryAfter: boolean;
}

/** A request under way. */
interface Sent {
  readonly atMs: number;
  readonly counts: boolean;
}

class OfferedLoad {
  readonly #port: number;
  readonly #requests: readonly Buffer[];
  readonly #connections: { socket: Socket; readonly sent: Sent[] }[] = [];
  readonly #okMs: number[] = [];
  readonly #unavailableMs: number[] = [];
  /** Answers of 200 that came within the measured time, whenever they were sent. */
  #okInTime = 0;
  #withoutRetryAfter = 0;
  #other = 0;
  #lost = 0;
  #sentCount = 0;
  /** Processor time that sending and reading took in the measured time, microseconds. */
  #cpuUs = 0;
  #next = 0;
  /** While this is set, what is sent and what is answered counts. */
  #measuring = false;

  constructor(port: number, requests: readonly Buffer[]) {
    this.#port = port;
    this.#requests = requests;
  }

  async open(count: number): Promise<void> {
    while (this.#connections.length < count) {
      const more = Math.min(OPENING_MAX, count - this.#connections.length);
      await Promise.all(Array.from({ length: more }, () => this.#open()));
    }
  }

  /** Sends `rate` requests a second for `seconds`. */
  async send(rate: number, seconds: number, measured: boolean): Promise<void> {
    this.#measuring = measured;
    const start = performance.now();
    const cpuBefore = process.cpuUsage();
    let sent = 0;
    let skippedMs = 0;
    for (;;) {
      const now = performance.now();
      if (now - start >= seconds * 1_000) break;
      let due = Math.floor(((now - start - skippedMs) * rate) / 1_000) - sent;
      const burst = Math.floor((BURST_MS_MAX * rate) / 1_000);
      if (due > burst) {
        skippedMs += ((due - burst) * 1_000) / rate;
        due = burst;
      }
      for (let index = 0; index < due; index++) this.#sendOne(now, measured);
      sent += due;
      await delay(TICK_MS);
    }
    const cpu = process.cpuUsage(cpuBefore);
    if (measured) this.#cpuUs += cpu.user + cpu.system;
    this.#measuring = false;
  }

  /** Waits for the answers still under way, and closes. */
  async finish(): Promise<void> {
    const end = performance.now() + ANSWER_LIMIT_S * 1_000;
    while (performance.now() < end && this.#connections.some(({ sent }) => sent.length > 0)) {
      await delay(TICK_MS);
    }
    for (const { socket, sent } of this.#connections) {
      this.#lost += sent.filter(({ counts }) => counts).length;
      sent.length = 0;
      socket.destroy();
    }
  }

  report(seconds: number): Sample {
    const maximum = (values: readonly number[]) =>
      values.reduce((max, value) => Math.max(max, value), 0);
    return {
      okPerSecond: this.#okInTime / seconds,
      offeredPerSecond: this.#sentCount / seconds,
      loadCpuMsPerSecond: this.#cpuUs / 1_000 / seconds,
      p50Ms: percentile(this.#okMs, 50),
      p99Ms: percentile(this.#okMs, 99),
      maxMs: maximum(this.#okMs),
      unavailable: this.#unavailableMs.length,
      unavailableMaxMs: maximum(this.#unavailableMs),
      withoutRetryAfter: this.#withoutRetryAfter,
      other: this.#other,
      lost: this.#lost,
    };
  }

  async #open(): Promise<void> {
    const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const connection = { socket, sent: [] as Sent[] };
    const reader = new AnswerReader();
    socket.on("data", (bytes: Buffer) => {
      const now = performance.now();
      for (const answer of reader.read(bytes)) {
        if (this.#measuring && answer.status === 200) this.#okInTime++;
        const sent = connection.sent.shift();
        if (!sent?.counts) continue;
        if (answer.status === 200) this.#okMs.push(now - sent.atMs);
        else if (answer.status === 503) {
          this.#unavailableMs.push(now - sent.atMs);
          if (!answer.hasRetryAfter) this.#withoutRetryAfter++;
        } else this.#other++;
      }
    });
    // What was under way on a connection that the server closes stays unanswered.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#lost += connection.sent.filter(({ counts }) => counts).length;
      connection.sent.length = 0;
      const index = this.#connections.indexOf(connection);
      if (index >= 0) this.#connections.splice(index, 1);
    });
    this.#connections.push(connection);
  }

  #sendOne(atMs: number, counts: boolean): void {
    this.#next++;
    const request = this.#requests[this.#next % this.#requests.length];
    const connection = this.#connections[this.#next % this.#connections.length];
    if (counts) this.#sentCount++;
    if (request === undefined || connection === undefined) {
      if (counts) this.#lost++;
      return;
    }
    connection.sent.push({ atMs, counts });
    connection.socket.write(request);
  }
}

/**
 * Reads the answers on one HTTP/1.1 connection as bytes come, for less than the server
 * takes to write them: only those with a Content-Length, which all of the bazaar's have.
 */
export class AnswerReader {
  #text = "";

  /** The answers that are complete with these bytes. Throws for what isn't HTTP with a length. */
  read(bytes: Buffer): Answer[] {
    this.#text += bytes.toString("latin1");
    const answers: Answer[] = [];
    let from = 0;
    for (;;) {
      const headEnd = this.#text.indexOf(HEAD_END, from);
      if (headEnd < 0) break;
      const head = this.#text.slice(from, headEnd).toLowerCase();
      const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
      if (length === undefined) throw new Error(`an answer without a length: ${head}`);
      const end = headEnd + HEAD_END.length + Number(length);
      if (end > this.#text.length) break;
      const status = Number(head.slice(STATUS_FROM, STATUS_TO));
      answers.push({ status, hasRetryAfter: head.includes("\r\nretry-after: ") });
      from = end;
    }
    this.#text = this.#text.slice(from);
    return answers;
  }
}

/** The report in what the process printed. Throws when there is none. */
export function parseOfferedLoad(printed: string): Sample {
  const line = printed.split("\n").find((each) => each.startsWith(REPORT));
  if (line === undefined) throw new Error(`no report of the offered load: ${printed.slice(-500)}`);
  return JSON.parse(line.slice(REPORT.length));
}

async function main(args: readonly string[]): Promise<void> {
  const [port = 0, rate = 0, seconds = 0, warmUpS = 0, connections = 0] = args.map(Number);
  const file = args[5];
  if (file === undefined) {
    throw new Error("offered-load.ts PORT RATE SECONDS WARM_UP_S CONNECTIONS REQUESTS");
  }
  const requests = readFileSync(file, "latin1").split(SEPARATOR);
  const load = new OfferedLoad(
    port,
    requests.map((request) => Buffer.from(request, "latin1")),
  );
  await load.open(connections);
  // First what it can do, then more: the queue is full when the measured time begins.
  await load.send(rate / OFFERED_FACTOR, warmUpS, false);
  await load.send(rate, warmUpS, false);
  await load.send(rate, seconds, true);
  await load.finish();
  console.log(`${REPORT}${JSON.stringify(load.report(seconds))}`);
}

if (import.meta.main) await main(process.argv.slice(2));
