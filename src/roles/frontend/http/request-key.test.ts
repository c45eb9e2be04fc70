import { expect, test } from "vitest";
import { requestKey } from "./request-key.ts";

/** As Node reads these lines: a header that comes twice is joined. */
function keyOf(...values: readonly string[]): string | null {
  return requestKey({
    headers: values.length === 0 ? {} : { "idempotency-key": values.join(", ") },
    rawHeaders: [
      "Host",
      "idempotency-key",
      ...values.flatMap((value) => ["Idempotency-Key", value]),
    ],
  });
}

test("each trade without a key gets one of its own, in order of time", () => {
  const keys = [keyOf(), keyOf()];
  for (const key of keys) {
    expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  expect(keys[0]).not.toBe(keys[1]);
});

test.each(["k", "my key: 1", "a, b", `~!"#$%&'()*+,-./:;<=>?@[]^_\`{|} ${"k".repeat(95)}~`])(
  "the client's key %j is taken as it is",
  (key) => {
    expect(keyOf(key)).toBe(key);
  },
);

test.each([
  ["", "empty"],
  ["x".repeat(129), "too long"],
  ["né", "not ASCII"],
  ["a\tb", "a tab"],
])("a key %j is refused: %s", (key) => {
  expect(keyOf(key)).toBeNull();
});

test("two keys are no key, even if each of them were one", () => {
  expect(keyOf("a", "b")).toBeNull();
  expect(keyOf("a", "a")).toBeNull();
});
