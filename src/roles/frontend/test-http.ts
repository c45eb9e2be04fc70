// Requests over a real socket, in the shape of fastify's inject(), so that one
// test can show that both give the same answers.

import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { FastifyInstance } from "fastify";

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
