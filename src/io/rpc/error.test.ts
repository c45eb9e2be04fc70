import { expect, test } from "vitest";
import { ERROR_TEXT_LENGTH_MAX, errorText, fromWire, RpcError, toWire } from "./error.ts";

test("an error without a message still says something", () => {
  const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
  expect(errorText(refused)).toBe("ECONNREFUSED");
  expect(errorText(new TypeError())).toBe("TypeError");
  expect(errorText("thrown text")).toBe("thrown text");
});

test("a long error can't fill frames and logs", () => {
  expect(errorText(new Error("x".repeat(100_000)))).toHaveLength(ERROR_TEXT_LENGTH_MAX + 1);
});

test("a failure keeps its kind on the way, and is told with its call", () => {
  const sent = toWire(new RpcError("busy", "full"));
  expect(fromWire(sent, "ask at order-9094")).toMatchObject({
    failure: "busy",
    message: "ask at order-9094: full",
  });
});

test.each([
  ["a failure that only this side can know", { failure: "closed", message: "no" }],
  ["a failure of no kind", { failure: "sad", message: "no" }],
  ["no text", { failure: "failed", message: 7 }],
  ["nothing at all", null],
])("the other side can't report %s", (_name, error) => {
  expect(fromWire(error, "ask")).toMatchObject({ failure: "failed" });
});
