import pino from "pino";
import { expect, test } from "vitest";
import { rememberingLog } from "../../io/rpc/testing.ts";
import { adjust, decoded } from "./test-support.ts";
import { CatalogTraces } from "./traces.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENT = `00-${ID}-00f067aa0ba902b7-01`;

test("a question in a trace is missing in the log, and one in none is there", () => {
  const { log, lines } = rememberingLog();
  const traces = new CatalogTraces(log);
  const onwards = traces.asked("Asked for a stock", "FishCo", SENT);
  expect(traces.asked("Asked for a stock", "FishCo", null)).toBeUndefined();
  traces.asked("Asked for all stocks", null, SENT);
  expect(lines).toMatchObject([
    { msg: "Asked for a stock", stock: "FishCo", traceId: ID, parentId: "00f067aa0ba902b7" },
    { msg: "Asked for all stocks", traceId: ID },
  ]);
  expect(onwards).toBe(`00-${ID}-${lines[0]?.spanId}-01`);
});

test("an entry that a traced request caused is logged without its trace, or twice", () => {
  const { log, lines } = rememberingLog();
  const traces = new CatalogTraces(log);
  const fish = adjust("FishCo", 1);
  traces.expect([{ requestId: fish.requestId, trace: SENT }]);
  traces.received([decoded(7), decoded(8, adjust("BoarCo", 1), fish)]);
  traces.received([decoded(8, fish)]);
  expect(lines).toMatchObject([{ msg: "Received entry 8", stock: "FishCo", traceId: ID }]);
  expect(lines).toHaveLength(1);
});

test("without debug lines the client's span is lost", () => {
  const traces = new CatalogTraces(pino({ level: "info" }, { write: () => {} }));
  expect(traces.asked("Asked for a stock", "FishCo", SENT)).toBe(SENT);
});
