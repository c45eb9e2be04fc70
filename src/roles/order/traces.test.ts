import pino from "pino";
import { expect, test } from "vitest";
import { rememberingLog } from "../../io/rpc/testing.ts";
import { TRACES_PER_CALL_MAX } from "../contract.ts";
import { FakePeer, trade } from "./test-support.ts";
import { tellTraces, withSpans } from "./traces.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENT = `00-${ID}-00f067aa0ba902b7-01`;
const plain = trade("plain", "FishCo", "buy", 1);
const traced = { ...trade("traced", "FishCo", "buy", 1), trace: SENT };

test("a question in a trace isn't logged, or goes on as if the client had asked it here", () => {
  const { log, lines } = rememberingLog();
  const [first, second] = withSpans([plain, traced], log, "Asked");
  expect(first).toEqual(plain);
  expect(lines).toMatchObject([{ msg: "Asked", traceId: ID, parentId: "00f067aa0ba902b7" }]);
  expect(second).toEqual({ ...traced, trace: `00-${ID}-${lines[0]?.spanId}-01` });
});

test("a log without debug lines costs a question its parent", () => {
  const log = pino({ level: "info" }, { write: () => {} });
  const questions = [plain, traced];
  expect(withSpans(questions, log, "Asked")).toBe(questions);
});

test("peers are told of a turn without traces, or of more than a call takes", () => {
  const peer = new FakePeer("order", "order-9092");
  const lookup = { kind: "lookup", name: "FishCo", trace: SENT } as const;
  tellTraces([[plain], [lookup]], () => [peer]);
  expect(peer.received).toEqual([]);
  tellTraces([[plain, traced], [traced]], () => [peer]);
  const request = { requestId: "traced", trace: SENT };
  expect(peer.received.splice(0)).toMatchObject([
    { name: "traced", argument: { requests: [request, request] } },
  ]);
  tellTraces([new Array(TRACES_PER_CALL_MAX + 1).fill(traced)], () => [peer]);
  const requests = new Array(TRACES_PER_CALL_MAX).fill(request);
  expect(peer.received).toMatchObject([{ argument: { requests } }]);
});
