// The HTTP client of tests and loads: keep-alive, one that sends what it is told and
// records every call with its outcome, as bytes.
//
// Neither fetch nor the project's own client: both would mend, hide or retry
// what a test wants to see.

import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";

/** No answer by then is an outcome too: the bazaar promises one within 10 s, and a second to start. */
const ANSWER_LIMIT_MS = 15_000;

/** Of whom it is only asked whether it is there. */
const LOOK_LIMIT_MS = 2_000;

const NO_HEADERS = (): Readonly<Record<string, string>> => ({});

/** What to send. A string body goes out as it is; chunks go out one by one, without a length. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: string | readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Without an answer by then there is none. Default: longer than the bazaar may take, milliseconds. */
  readonly limitMs?: number;
}

/** One call and what became of it. Times are milliseconds of `performance.now()`. */
export interface Call extends Sent {
  /** 0 when no answer came; then `error` says why. */
  readonly status: number;
  readonly text: string;
  readonly answered: Readonly<Record<string, string | string[] | undefined>>;
  readonly error: string | null;
  /** Local port of the connection it went over: two calls with the same one shared it. */
  readonly connection: number | undefined;
  readonly startMs: number;
  readonly endMs: number;
}

export class HttpClient {
  /** Every call in the order in which they ended, if they are kept. */
  readonly calls: Call[] = [];
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #isTls: boolean;
  readonly #keepsCalls: boolean;
  readonly #headers: () => Readonly<Record<string, string>>;

  /** `url` as `http://127.0.0.1:8000`, or with https and a certificate that this process trusts; at most `connections` at once, kept open. A load of many calls keeps none. `headers` go with each. */
  constructor(
    url: string,
    connections = 1,
    keepsCalls = true,
    headers: typeof NO_HEADERS = NO_HEADERS,
  ) {
    this.#headers = headers;
    this.#url = new URL(url);
    this.#keepsCalls = keepsCalls;
    const options = { keepAlive: true, maxSockets: connections };
    this.#isTls = this.#url.protocol === "https:";
    this.#agent = this.#isTls ? new TlsAgent(options) : new Agent(options);
  }

  get(path: string): Promise<Call> {
    return this.send({ method: "GET", path });
  }

  /** `POST /orders` with `body` as JSON. */
  trade(body: object, headers: Readonly<Record<string, string>> = {}): Promise<Call> {
    return this.send({ method: "POST", path: "/orders", body: JSON.stringify(body), headers });
  }

  /** Never rejects: a call without an answer is recorded with its error. */
  send(sent: Sent): Promise<Call> {
    const startMs = performance.now();
    return new Promise((resolve) => {
      const finish = (outcome: Pick<Call, "status" | "text" | "answered" | "error">) => {
        const connection = request.socket?.localPort ?? undefined;
        const call = { ...sent, ...outcome, connection, startMs, endMs: performance.now() };
        if (this.#keepsCalls) this.calls.push(call);
        resolve(call);
      };
      const fail = (error: Error) =>
        finish({ status: 0, text: "", answered: {}, error: `${error.name}: ${error.message}` });
      const request = (this.#isTls ? httpsRequest : httpRequest)(
        this.#url,
        {
          agent: this.#agent,
          method: sent.method,
          path: sent.path,
          headers: { ...this.#headers(), ...lengthOf(sent.body), ...sent.headers },
          signal: AbortSignal.timeout(sent.limitMs ?? ANSWER_LIMIT_MS),
        },
        (response) => {
          read(response).then((text) => {
            const status = response.statusCode ?? 0;
            finish({ status, text, answered: response.headers, error: null });
          }, fail);
        },
      );
      request.once("error", fail);
      for (const chunk of typeof sent.body === "string" ? [sent.body] : (sent.body ?? [])) {
        request.write(chunk);
      }
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Whether `GET url` is answered with 200, at once. */
export async function isOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_LIMIT_MS) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** The JSON of an answer; a failure shows the whole call. */
export function jsonOf(call: Call): unknown {
  try {
    return JSON.parse(call.text);
  } catch {
    throw new Error(
      `no JSON: ${call.method} ${call.path} → ${call.status} ${call.text} ${call.error}`,
    );
  }
}

/** The `data` of a successful answer; anything else is an error that shows the call. */
export function dataOf(call: Call): unknown {
  const json = jsonOf(call);
  if (call.status !== 200 || typeof json !== "object" || json === null || !("data" in json)) {
    throw new Error(`${call.method} ${call.path} ${call.body ?? ""} → ${call.status} ${call.text}`);
  }
  return json.data;
}

/** The number of the order that a trade made. */
export function numberOf(call: Call): number {
  const data = dataOf(call) as { transaction_number?: unknown };
  if (typeof data.transaction_number !== "number") throw new Error(`no number in ${call.text}`);
  return data.transaction_number;
}

function lengthOf(body: Sent["body"]): Record<string, string> {
  return typeof body === "string" ? { "Content-Length": String(Buffer.byteLength(body)) } : {};
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
