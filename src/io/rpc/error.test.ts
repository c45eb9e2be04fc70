import { expect, test } from "vitest";
import { ERROR_TEXT_LENGTH_MAX, errorText, fromWire, RpcError, toWire } from "./error.ts";

test("the text of an error without a message is its code or its name", () => {
  const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
  expect(errorText(refused)).toBe("ECONNREFUSED");
  expect(errorText(new TypeError())).toBe("TypeError");
  expect(errorText("thrown text")).toBe("thrown text");
});

test("the text of a long error is cut", () => {
  expect(errorText(new Error("x".repeat(100_000)))).toHaveLength(ERROR_TEXT_LENGTH_MAX + 1);
});

test("a failure keeps its kind over the wire, and its message names the call", () => {
  const sent = toWire(new RpcError("busy", "full"));
  expect(fromWire(sent, "ask at order-9094")).toMatchObject({
    failure: "busy",
    message: "ask at order-9094: full",
  });
});

test.each([
  ["a kind that only this side can know", { failure: "closed", message: "no" }],
  ["an unknown kind", { failure: "sad", message: "no" }],
  ["no text", { failure: "failed", message: 7 }],
  ["nothing at all", null],
])("an error received with %s is read as failed", (_name, error) => {
  expect(fromWire(error, "ask")).toMatchObject({ failure: "failed" });
});
