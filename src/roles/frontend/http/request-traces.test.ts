import { expect, test } from "vitest";
import type { Question } from "../../../core/service/types.ts";
import { rememberingLog } from "../../../io/rpc/testing.ts";
import { TRACES_PER_CALL_MAX } from "../../trace.ts";
import { RequestTraces } from "./request-traces.ts";

const SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CONTENT = { kind: "trade", name: "FishCo", type: "buy", quantity: 1 } as const;
const change = (requestId: string): Question => ({
  kind: "request",
  requestId,
  content: CONTENT,
  recordRefusal: false,
});

test.each<[request: string, Question]>([
  ["a-1", change("a-1")],
  ["/orders/7", { kind: "order", number: 7 }],
  ["/orders", { kind: "orders", after: 0, limit: 10 }],
  ["/stocks/FishCo", { kind: "lookup", name: "FishCo" }],
  ["/stocks", { kind: "stocks", after: "", limit: 10 }],
])("the call that %s makes carries its trace until it is answered", (request, question) => {
  const { log, lines } = rememberingLog();
  const traces = new RequestTraces(log);
  const answered = traces.begins(SENT, request);
  const trace = { traceparent: SENT, request };
  expect(lines).toMatchObject([{ msg: "Part of a trace", ...trace }]);
  expect(traces.of([change("another"), question])).toEqual({ traces: [trace] });
  expect(traces.of([change("another")])).toEqual({});
  answered();
  expect(traces.of([question])).toEqual({});
});

test("of two who ask for the same, each has its own trace", () => {
  const traces = new RequestTraces(rememberingLog().log);
  const other = SENT.replace("4bf", "5bf");
  const answered = traces.begins(SENT, "/stocks/FishCo");
  traces.begins(other, "/stocks/FishCo");
  answered();
  expect(traces.of([{ kind: "lookup", name: "FishCo" }])).toEqual({
    traces: [{ traceparent: other, request: "/stocks/FishCo" }],
  });
});

test("a request without a trace, or with one that can't be read, is in none", () => {
  const { log, lines } = rememberingLog();
  const traces = new RequestTraces(log);
  for (const header of [undefined, "", `${SENT}!`]) traces.begins(header, "a")();
  expect(traces.of([change("a")])).toEqual({});
  expect(lines).toEqual([]);
});

test("no more traces are kept than a call carries", () => {
  const traces = new RequestTraces(rememberingLog().log);
  for (let n = 0; n <= TRACES_PER_CALL_MAX; n += 1) traces.begins(SENT, "a");
  expect(traces.of([change("a")]).traces).toHaveLength(TRACES_PER_CALL_MAX);
});
