import { describe, expect, test } from "vitest";
import { canonicalHost, HostNames, isLoopback } from "./host-names.ts";

test.each(["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])(
  "%s is a loopback address",
  (address) => {
    expect(isLoopback(address)).toBe(true);
  },
);

test.each([undefined, "", "10.0.0.7", "128.0.0.1", "::", "::ffff:10.0.0.7", "127.0.0.1.example"])(
  "%s is no loopback address",
  (address) => {
    expect(isLoopback(address)).toBe(false);
  },
);

const LOOPBACK = [
  "127.0.0.1",
  "127.0.0.1:8000",
  "127.0.0.1:",
  "127.9.9.9:1",
  "localhost",
  "LocalHost:8000",
  "localhost.:8000",
  "bazaar.localhost",
  "[::1]",
  "[::1]:8000",
  "[0:0:0:0:0:0:0:1]:8000",
];

/** What a page of a site that points a name here may send, and what is no host at all. */
const NEVER = [
  "evil.example",
  "evil.example:8000",
  "127.0.0.1.evil.example",
  "localhost.evil.example:8000",
  "evillocalhost",
  "localhost@evil.example",
  "evil.example/localhost",
  "localhost, evil.example",
  "127.0.0.1, 127.0.0.1",
  "localhost:80a",
  "localhost:8000:8000",
  "localhost:800000",
  "[::1",
  "::1",
  "[::1]evil",
  "[evil.example]",
  "",
  " ",
  ":8000",
  ".",
  "..",
  "localhost evil",
  "x".repeat(300),
];

describe("a process that listens on one address", () => {
  const names = new HostNames("127.0.0.1", [
    "Shop.Example",
    "10.0.0.9",
    "fd00::3",
    "bücher.example.",
  ]);

  test.each(LOOPBACK)("answers to %s", (host) => {
    for (let again = 0; again < 2; again++) expect(names.has(host)).toBe(true);
  });
  test.each([
    "shop.example",
    "SHOP.example.:443",
    "10.0.0.9",
    "[FD00:0::3]:8000",
    "xn--bcher-kva.example",
  ])("answers to %s, which it was told", (host) => {
    expect(names.has(host)).toBe(true);
  });
  test.each([undefined, ...NEVER, "10.0.0.8", "a.shop.example", "shop.example.evil", "[fd00::4]"])(
    "doesn't answer to %s",
    (host) => {
      for (let again = 0; again < 2; again++) expect(names.has(host)).toBe(false);
    },
  );
});

test("a process answers to the address or the name that it listens on", () => {
  expect(new HostNames("10.0.0.3", []).has("10.0.0.3:9094")).toBe(true);
  expect(new HostNames("10.0.0.3", []).has("10.0.0.4:9094")).toBe(false);
  expect(new HostNames("fd00::3", []).has("[fd00::3]:9094")).toBe(true);
  expect(new HostNames("Stall.Example", []).has("stall.example")).toBe(true);
});

describe.each(["0.0.0.0", "::"])("a process that listens on %s", (host) => {
  const names = new HostNames(host, []);
  test.each([...LOOPBACK, "10.1.2.3:8000", "[fd00::4]", "192.168.0.7"])(
    "answers to %s",
    (header) => {
      expect(names.has(header)).toBe(true);
    },
  );
  test.each(NEVER)("doesn't answer to the name %s", (header) => {
    expect(names.has(header)).toBe(false);
  });
});

test("hosts are judged the same after more good ones than are remembered", () => {
  const names = new HostNames("127.0.0.1", []);
  for (let port = 0; port < 1_000; port++) expect(names.has(`localhost:${port}`)).toBe(true);
  expect(names.has("evil.example:8000")).toBe(false);
});

test.each(["", " ", "a b", "a/b", "http://a", "a@b", "a:8000", "[::1", "*", "*.a"])(
  "%j is refused as a host in an option",
  (host) => {
    expect(canonicalHost(host)).toBe(null);
  },
);
