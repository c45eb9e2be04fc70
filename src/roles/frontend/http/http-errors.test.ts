// What a route that fails looks like from outside and in the log. What isn't
// even a request is in http-connection.test.ts.

import Fastify, { type FastifyInstance } from "fastify";
import { beforeEach, expect, test } from "vitest";
import { InvariantViolation } from "../../../core/invariant.ts";
import { rememberingLog, type TestLog } from "../../../io/rpc/testing.ts";
import { BodyTooLargeError } from "../orders/trade-body.ts";
import { handleErrors } from "./http-errors.ts";

let app: FastifyInstance;
let log: TestLog;
let broken: Error[];

beforeEach(() => {
  app = Fastify();
  log = rememberingLog();
  broken = [];
  handleErrors(app, log.log, (violation) => broken.push(violation));
});

async function failing(error: unknown): Promise<{ status: number; body: string }> {
  app.get("/", () => {
    throw error;
  });
  const { statusCode, body } = await app.inject("/");
  return { status: statusCode, body };
}

const INTERNAL = { status: 500, body: '{"error":{"code":500,"message":"Internal server error"}}' };

test("an unexpected error is logged, and says nothing of what is inside", async () => {
  expect(await failing(new Error("secret of the house"))).toEqual(INTERNAL);
  expect(log.lines).toMatchObject([{ msg: "Request failed", url: "/" }]);
  expect(broken).toEqual([]);
});

test("a thrown value that is no error is answered like an unexpected one", async () => {
  expect(await failing({ statusCode: 200 })).toEqual(INTERNAL);
});

test("a broken invariant is answered 500 and ends the process", async () => {
  const violation = new InvariantViolation("applied <= commit");
  expect(await failing(violation)).toEqual(INTERNAL);
  expect(broken).toEqual([violation]);
});

test("a client's mistake isn't logged as ours", async () => {
  expect(await failing(new BodyTooLargeError(true))).toEqual({
    status: 413,
    body: '{"error":{"code":413,"message":"The body is larger than 65536 bytes"}}',
  });
  expect(log.lines).toEqual([]);
});

test("an error of the framework keeps its status, in our shape", async () => {
  const error = Object.assign(new Error("FST_ERR_CTP_INVALID_MEDIA_TYPE"), { statusCode: 415 });
  expect(await failing(error)).toEqual({
    status: 415,
    body: '{"error":{"code":415,"message":"Bad request"}}',
  });
});
