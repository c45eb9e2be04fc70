// What the end of one exchange means for the call.

import { expect, test } from "vitest";
import { attempt } from "./attempt.ts";

const QUESTION = { method: "GET", url: "http://127.0.0.1/stocks" } as const;
const attempted = (answer: () => Promise<Response>, signal = new AbortController().signal) =>
  attempt(answer, QUESTION, signal);
const answered = (status: number, body: unknown, headers?: Record<string, string>) =>
  attempted(
    async () => new Response(JSON.stringify(body), { status, ...(headers && { headers }) }),
  );
const error = (message: string) => ({ error: { code: 0, message } });

test.each([408, 429, 500, 502, 503, 504])(
  "status %i means that the call may be tried again",
  async (status) => {
    expect(await answered(status, error("later"), { "retry-after": "2" })).toEqual({
      kind: "again",
      status,
      reason: "later",
      waitMs: 2_000,
    });
  },
);

test.each([400, 404, 413, 422])("status %i with a reason is a refusal", async (status) => {
  expect(await answered(status, error("no"))).toEqual({ kind: "refused", status, message: "no" });
});

test("insufficient volume is a refusal, though its status is 500", async () => {
  const message = "Insufficient volume for GameStart stock";
  expect(await answered(500, error(message))).toMatchObject({ kind: "refused", message });
});

test("the whole body of an answer is handed on", async () => {
  expect(await answered(200, { data: [], next: 5 })).toEqual({
    kind: "answered",
    body: { data: [], next: 5 },
  });
});

test.each([204, 200, 302, 418])(
  "status %i without the bazaar's JSON is misunderstood",
  async (status) => {
    const response = async () => new Response(status === 204 ? null : "<html>", { status });
    expect(await attempted(response)).toMatchObject({ kind: "misunderstood", status });
  },
);

test("the result of an attempt without a connection has the reason", async () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const result = await attempted(() =>
    Promise.reject(new TypeError("fetch failed", { cause: refused })),
  );
  expect(result).toMatchObject({ kind: "again", reason: "no connection: ECONNREFUSED", waitMs: 0 });
});

test("the result of an attempt that was ended is that there was no answer in time", async () => {
  const result = await attempted(() => Promise.reject(new Error("aborted")), AbortSignal.abort());
  expect(result).toMatchObject({ kind: "again", reason: "no answer in time" });
});
