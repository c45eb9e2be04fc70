// A run to look at: what its processes said to each other and what happened to
// them, in the page's slow motion, step by step to the violation.
//
// It is seen at the network and in the timeline, so nothing of the run is different.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Said, saidByAnswer, saidByCall, saidByReplica } from "../src/core/service/said.ts";
import type { SimulatedMessage } from "./messages.ts";
import type { World } from "./world.ts";

/** Messages that are kept: the last of a run, some simulated seconds of it. */
const MESSAGES_MAX = 20_000;
const DIST = join(import.meta.dirname, "../dashboard/dist");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** As the page's Recording (dashboard/src/replay-model.ts), with a title. */
export interface RecordedRun {
  readonly title: string;
  readonly roles: readonly string[];
  readonly messages: readonly RecordedMessage[];
  readonly notes: readonly { readonly at: number; readonly text: string; readonly tone?: "bad" }[];
}

interface RecordedMessage {
  readonly from: string;
  readonly to: string;
  readonly sentAt: number;
  arrivedAt: number | null;
  readonly call?: string;
  readonly said: Said;
}

/** Records the messages of a world from now on. */
export class RunRecorder {
  readonly #world: World;
  #messages: RecordedMessage[] = [];
  /** Lines of the timeline from before the first message are of something else. */
  #linesBefore: number | null = null;
  /** Where each message on its way was written down; one object may go to several. */
  readonly #onTheirWay = new WeakMap<SimulatedMessage, Map<string, RecordedMessage>>();

  constructor(world: World) {
    this.#world = world;
    world.network.watcher = {
      sent: (from, to, message) => this.#sent(from, to, message),
      arrived: (from, to, message) => {
        const known = this.#onTheirWay.get(message)?.get(`${from} ${to}`);
        if (known) known.arrivedAt ??= world.scheduler.now;
      },
    };
  }

  /** What was recorded, the violation last. */
  recording(title: string, violation: string | null): RecordedRun {
    const { processes, timeline, scheduler } = this.#world;
    const since = this.#messages[0]?.sentAt ?? 0;
    const notes = timeline.slice(this.#linesBefore ?? 0).flatMap((line) => {
      const [, at, text = ""] = /^\s*([\d.]+) ms\s+(.*)$/s.exec(line) ?? [];
      return at === undefined || Number(at) < since ? [] : [{ at: Number(at), text }];
    });
    const end = { at: scheduler.now, text: violation ?? "", tone: "bad" } as const;
    return {
      title,
      roles: processes.map(({ name }) => name),
      messages: this.#messages,
      notes: violation === null ? notes : [...notes, end],
    };
  }

  #sent(from: string, to: string, message: SimulatedMessage): void {
    this.#linesBefore ??= this.#world.timeline.length;
    const { call, said } = saidBy(message);
    const sentAt = this.#world.scheduler.now;
    const recorded = { from, to, sentAt, arrivedAt: null, ...(call && { call }), said };
    this.#messages.push(recorded);
    if (this.#messages.length > 2 * MESSAGES_MAX) {
      this.#messages = this.#messages.slice(-MESSAGES_MAX);
    }
    const ways = this.#onTheirWay.get(message) ?? new Map<string, RecordedMessage>();
    this.#onTheirWay.set(message, ways.set(`${from} ${to}`, recorded));
  }
}

/** The same words as of real processes. */
function saidBy(message: SimulatedMessage): { readonly call?: string; readonly said: Said } {
  switch (message.kind) {
    case "replication":
      return { said: saidByReplica(message.envelope.message) };
    case "reigning":
      return { said: saidByCall("leads", message) };
    case "ask":
      return { call: `${message.call}`, said: saidByCall("ask", message) };
    case "asked":
      return { call: `${message.call}`, said: saidByAnswer("ask", message.result) };
    case "leads":
      return { said: saidByAnswer("follow", message) };
    case "leased":
      return { said: saidByAnswer("lease", message) };
    case "look":
      return { said: saidByCall("lookup", { names: wanted(message) }) };
    case "looked":
      return { said: saidByAnswer("lookup", message.answer) };
    default:
      return { said: saidByCall(message.kind, message) };
  }
}

function wanted({ question }: Extract<SimulatedMessage, { kind: "look" }>): readonly string[] {
  return question.kind === "lookup" ? question.names : ["all stocks"];
}

/** Serves the page with this run on a port of this machine, until the process ends. Returns its address. */
export async function serveRun(run: RecordedRun): Promise<string> {
  const page = readFileSync(join(DIST, "index.html"), "utf8").replace(
    'id="floor"',
    'id="floor" data-recording="/recording.json"',
  );
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const answer = (type: string, body: string | Buffer) =>
      response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
    if (path === "/") return answer(TYPES[".html"] ?? "", page);
    if (path === "/recording.json") return answer("application/json", JSON.stringify(run));
    const type = TYPES[extname(path)];
    if (type && /^\/(assets\/)?[\w-]+\.\w+$/.test(path)) {
      try {
        return answer(type, readFileSync(join(DIST, path)));
      } catch {
        // Not of the page.
      }
    }
    return response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
