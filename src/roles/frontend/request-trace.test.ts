import pino from "pino";
import { expect, test } from "vitest";
import { rememberingLog } from "../../io/rpc/testing.ts";
import { RequestTraces } from "./request-trace.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENT = `00-${ID}-00f067aa0ba902b7-01`;
const request = () => ({ headers: { traceparent: SENT } });

test("a request without a trace gets one, or one that can't be read", () => {
  const traces = new RequestTraces(rememberingLog().log);
  expect(traces.of({ headers: {} })).toBeUndefined();
  expect(traces.of({ headers: { traceparent: `${SENT}!` } })).toBeUndefined();
});

test("a span that no line names stands between the client and the leader", () => {
  const log = pino({ level: "info" }, { write: () => {} });
  expect(new RequestTraces(log).of(request())).toEqual({ trace: SENT, log });
});

test("the lines of one request are of many spans, or of none", () => {
  const { log, lines } = rememberingLog();
  const traces = new RequestTraces(log);
  const asked = request();
  traces.of(asked)?.log.debug("received");
  traces.of(asked)?.log.debug("finished");
  traces.of(request())?.log.debug("another");
  const [received, finished, another] = lines;
  expect(received).toMatchObject({ traceId: ID, parentId: "00f067aa0ba902b7" });
  expect(finished).toMatchObject({ traceId: ID, spanId: received?.spanId });
  expect(another?.spanId).not.toBe(received?.spanId);
  expect(traces.of(asked)?.trace).toBe(`00-${ID}-${received?.spanId}-01`);
});
