// Requests over a real socket, in the shape of fastify's inject(), so that one
// test can show that both give the same answers; and bare connections, for what
// no client would send.

import { request as httpRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { FastifyInstance } from "fastify";
import pino, { type Logger } from "pino";
import { expect, vi } from "vitest";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { stocksOver, TestMarket } from "../test-market.ts";
import { type AppOptions, build } from "./app.ts";

type TestServerOptions = Pick<AppOptions, "access" | "gate" | "rates">;

export interface TestRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS";
  readonly url: string;
  readonly payload?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: string;
  json(): ReturnType<typeof JSON.parse>;
}

/** Sends one request, with its URL as it stands; listens first if `app` doesn't yet. */
export async function overSocket(app: FastifyInstance, asked: TestRequest): Promise<TestResponse> {
  if (!app.server.listening) await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const { method = "GET", url: path, payload, headers } = asked;
  const request = httpRequest({ port, host: "127.0.0.1", method, path, headers: { ...headers } });
  const { promise, resolve, reject } = Promise.withResolvers<TestResponse>();
  request.on("error", reject);
  request.on("response", (response) => {
    text(response).then((body) => {
      const { statusCode = 0, headers: got } = response;
      resolve({ statusCode, headers: got, body, json: () => JSON.parse(body) });
    }, reject);
  });
  request.end(payload);
  return promise;
}

/** For what must come, on a busy machine. */
export const WAIT = { timeout: 10_000, interval: 5 };

/** What came back on a bare connection. */
export interface Response {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** One connection, on which the test writes bytes and reads responses one by one. */
export class Connection {
  readonly socket: Socket;
  ended = false;
  #read = "";

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    return new Connection(socket);
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.#read += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.ended = true;
    });
  }

  /** What has come and isn't taken for a response yet. */
  get read(): string {
    return this.#read;
  }

  async ask(text: string): Promise<Response> {
    this.socket.write(text, "latin1");
    return await this.response();
  }

  async response(): Promise<Response> {
    return await vi.waitFor(() => {
      const headEnd = this.#read.indexOf("\r\n\r\n");
      expect(headEnd, "a response has come").toBeGreaterThan(0);
      const [statusLine = "", ...lines] = this.#read.slice(0, headEnd).split("\r\n");
      const headers = new Map(
        lines.map((line) => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      const bodyEnd = headEnd + 4 + Number(headers.get("content-length") ?? 0);
      expect(this.#read.length, "as a whole").toBeGreaterThanOrEqual(bodyEnd);
      const body = this.#read.slice(headEnd + 4, bodyEnd);
      this.#read = this.#read.slice(bodyEnd);
      return { status: Number(statusLine.split(" ")[1]), headers, body };
    }, WAIT);
  }
}

/** A lookup, and the body of a trade, as a client writes them on a bare connection. */
export const GET = "GET /stocks/FishCo HTTP/1.1\r\nhost: localhost\r\n\r\n";
export const TRADE = '{"name":"FishCo","quantity":1,"type":"buy"}';

/** A trade with this body. */
export function post(body: string, headers = `content-length: ${body.length}`): string {
  return `POST /orders HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n\r\n${body}`;
}

/** The HTTP side of a front end over a market, on a port of its own, for bare connections. */
export class TestServer {
  readonly market = new TestMarket();
  readonly app: FastifyInstance;
  /** All that were made. */
  readonly connections: Connection[] = [];

  private constructor(log: Logger, more: TestServerOptions) {
    const copies = memoryCopies({ entriesMax: 100 });
    const stocks = stocksOver(this.market, { copies, log: pino({ level: "silent" }) });
    this.app = build({ orders: this.market, stocks, log, ...more });
  }

  /** `log` takes what the HTTP side says; nothing is kept unless told. */
  static async open({
    log = pino({ level: "silent" }),
    ...more
  }: { readonly log?: Logger } & TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(log, more);
    await server.app.listen({ host: "127.0.0.1", port: 0 });
    return server;
  }

  get port(): number {
    return (this.app.server.address() as AddressInfo).port;
  }

  async connect(): Promise<Connection> {
    const connection = await Connection.open(this.port);
    this.connections.push(connection);
    return connection;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await this.app.close();
  }
}
