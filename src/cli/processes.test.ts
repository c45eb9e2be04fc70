// Which process a name, a port or nothing stands for.

import { expect, test } from "vitest";
import { urlOf } from "../roles/config.ts";
import { commandOf, processAt, processesOf, processNamed, withFrontend } from "./processes.ts";
import { resolveConfig } from "./resolve-config.ts";
import { UserError } from "./user-error.ts";

const config = resolveConfig({
  flags: { frontends: "2", catalogs: "2" },
  environment: {},
  file: null,
  cwd: "/start",
  stocksShipped: "/stocks.csv",
});

test("every configured process is started, each by a command of its own", () => {
  expect(processesOf(config).map((each) => [each.name, ...commandOf(each)])).toEqual([
    ["frontend", "frontend", "8000"],
    ["frontend-8001", "frontend", "8001"],
    ["catalog", "catalog", "9096"],
    ["catalog-9097", "catalog", "9097"],
    ["order-9090", "order", "9090"],
    ["order-9092", "order", "9092"],
    ["order-9094", "order", "9094"],
  ]);
});

test("a command without a port means the first process of its kind", () => {
  expect(processAt(config, "catalog", undefined).name).toBe("catalog");
  expect(processAt(config, "catalog", "9097").name).toBe("catalog-9097");
  expect(processAt(config, "order", "9094").name).toBe("order-9094");
  expect(processNamed(config, "order-9092").port).toBe(9092);
});

test("a process that isn't configured is refused with the list of those that are", () => {
  expect(() => processAt(config, "order", "9099")).toThrow(
    new UserError("no order replica 9099 is configured, only 9090, 9092, 9094: see --replicas"),
  );
  expect(() => processAt(config, "order", "nine")).toThrow(
    new UserError('a port is a whole number from 1 to 65535, not "nine"'),
  );
  expect(() => processNamed(config, "order")).toThrow(/no role "order" is configured, only front/);
});

test("one more front end needs no configuration, but a port of its own", () => {
  expect(withFrontend(config, undefined)).toBe(config);
  expect(withFrontend(config, "8001")).toBe(config);
  const more = withFrontend(config, "8100");
  expect(processAt(more, "frontend", "8100").name).toBe("frontend-8100");
  expect(more.frontends.length).toBe(3);
  expect(() => withFrontend(config, "9096")).toThrow("port 9096 is catalog's: choose another");
});

test("the URL of a front end that listens on all addresses has the loopback address", () => {
  const plain = { tls: null, insecure: true };
  expect(urlOf(plain, { host: "0.0.0.0", port: 8000 })).toBe("http://127.0.0.1:8000");
  expect(urlOf(plain, { host: "::", port: 8000 })).toBe("http://127.0.0.1:8000");
  expect(urlOf(plain, { host: "::1", port: 8000 })).toBe("http://[::1]:8000");
});

test("a front end's URL is https beyond this machine, and where a certificate is given", () => {
  const none = { tls: null, insecure: false };
  const given = { tls: { cert: "c", key: "k" }, insecure: true };
  expect(urlOf(none, { host: "127.0.0.1", port: 8000 })).toBe("http://127.0.0.1:8000");
  expect(urlOf(none, { host: "localhost", port: 8000 })).toBe("http://localhost:8000");
  expect(urlOf(none, { host: "10.0.0.1", port: 8000 })).toBe("https://10.0.0.1:8000");
  expect(urlOf(none, { host: "0.0.0.0", port: 8000 })).toBe("https://127.0.0.1:8000");
  expect(urlOf(given, { host: "127.0.0.1", port: 8000 })).toBe("https://127.0.0.1:8000");
});
