import { expect, test } from "vitest";
import { type Caller, refusedToCommand, refusedToRead } from "./playground.ts";

const TOKEN = "t".repeat(32);
const PAGE: Caller = {
  address: "127.0.0.1",
  host: "127.0.0.1:8000",
  origin: "http://127.0.0.1:8000",
  token: TOKEN,
};

test("the page itself is refused", () => {
  expect(refusedToCommand(PAGE, TOKEN)).toBeNull();
  const named = { ...PAGE, host: "localhost:8000", origin: "http://localhost:8000" };
  expect(refusedToCommand(named, TOKEN)).toBeNull();
  const v6 = { ...PAGE, address: "::1", host: "[::1]:8000", origin: "http://[::1]:8000" };
  expect(refusedToCommand(v6, TOKEN)).toBeNull();
  expect(refusedToCommand({ ...PAGE, address: "::ffff:127.0.0.1" }, TOKEN)).toBeNull();
  expect(refusedToRead({ ...PAGE, origin: undefined, token: undefined })).toBeNull();
});

test.each<[string, Partial<Caller>]>([
  ["another machine", { address: "10.0.0.7" }],
  ["an address that only begins alike", { address: "127.0.0.1.evil" }],
  ["no address", { address: undefined }],
  [
    "a name that is pointed here",
    { host: "evil.example:8000", origin: "http://evil.example:8000" },
  ],
  ["a name that only begins alike", { host: "localhost.evil.example" }],
  ["no host", { host: undefined }],
  ["another site", { origin: "https://evil.example" }],
  ["another port of this machine", { origin: "http://127.0.0.1:9999" }],
  ["another name of this machine", { origin: "http://localhost:8000" }],
  ["a page without origin", { origin: "null" }],
])("%s reads the token, or commands", (_who, difference) => {
  const caller = { ...PAGE, ...difference };
  expect(refusedToRead(caller)).not.toBeNull();
  expect(refusedToCommand(caller, TOKEN)).not.toBeNull();
});

test.each<[string, Partial<Caller>]>([
  ["no origin", { origin: undefined }],
  ["no token", { token: undefined }],
  ["another token", { token: "u".repeat(32) }],
  ["a part of the token", { token: TOKEN.slice(1) }],
])("a request with %s commands", (_what, difference) => {
  expect(refusedToCommand({ ...PAGE, ...difference }, TOKEN)).not.toBeNull();
});
