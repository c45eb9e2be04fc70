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
  "status %i says nothing about the call",
  async (status) => {
    expect(await answered(status, error("later"), { "retry-after": "2" })).toEqual({
      kind: "again",
      status,
      reason: "later",
      waitMs: 2_000,
    });
  },
);

test.each([400, 404, 413, 422])("status %i with a reason is the bazaar's no", async (status) => {
  expect(await answered(status, error("no"))).toEqual({ kind: "refused", status, message: "no" });
});

test("the one refusal that looks like a failure is not repeated", async () => {
  const message = "Insufficient volume for GameStart stock";
  expect(await answered(500, error(message))).toMatchObject({ kind: "refused", message });
});

test("the whole answer is handed on", async () => {
  expect(await answered(200, { data: [], next: 5 })).toEqual({
    kind: "answered",
    body: { data: [], next: 5 },
  });
});

test.each([204, 200, 302, 418])("status %i of something else is not understood", async (status) => {
  const response = async () => new Response(status === 204 ? null : "<html>", { status });
  expect(await attempted(response)).toMatchObject({ kind: "misunderstood", status });
});

test("why there was no connection is not hidden", async () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const result = await attempted(() =>
    Promise.reject(new TypeError("fetch failed", { cause: refused })),
  );
  expect(result).toMatchObject({ kind: "again", reason: "no connection: ECONNREFUSED", waitMs: 0 });
});

test("an attempt that was ended is told apart from one that broke", async () => {
  const result = await attempted(() => Promise.reject(new Error("aborted")), AbortSignal.abort());
  expect(result).toMatchObject({ kind: "again", reason: "no answer in time" });
});
