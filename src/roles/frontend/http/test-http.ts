// Requests over a real socket, in the shape of fastify's inject(), so that one
// test can show that both give the same answers; and bare connections, for what
// no client would send.

import { request as httpRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { FastifyInstance } from "fastify";
import { expect, vi } from "vitest";

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
