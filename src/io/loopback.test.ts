import { expect, test } from "vitest";
import { isLoopback } from "./loopback.ts";

test.each(["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])(
  "%s is another machine",
  (address) => {
    expect(isLoopback(address)).toBe(true);
  },
);

test.each([undefined, "", "10.0.0.7", "128.0.0.1", "::", "::ffff:10.0.0.7", "127.0.0.1.example"])(
  "%s is this machine",
  (address) => {
    expect(isLoopback(address)).toBe(false);
  },
);
