// Flags, environment, file and defaults, and what is said when they are wrong.

import { describe, expect, test } from "vitest";
import { resolveConfig, type Sources } from "./resolve-config.ts";
import { UserError } from "./user-error.ts";

const resolved = (sources: Partial<Sources> = {}) =>
  resolveConfig({
    flags: {},
    environment: {},
    file: null,
    cwd: "/start",
    stocksShipped: "/package/stocks.csv",
    ...sources,
  });
const inFile = (content: unknown) => ({ path: "/etc/bazaar/bazaar.json", content });
const line = (sources: Partial<Sources>) => {
  try {
    resolved(sources);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return "no error";
};

test("without options the ports are the reference program's: 8000, 9096, and 9090, 9092, 9094", () => {
  expect(resolved()).toEqual({
    data: "/start/data",
    frontends: [{ name: "frontend", host: "127.0.0.1", port: 8000 }],
    catalogs: [{ name: "catalog", host: "127.0.0.1", port: 9096 }],
    replicas: [
      { name: "order-9090", id: 9090, host: "127.0.0.1", port: 9090 },
      { name: "order-9092", id: 9092, host: "127.0.0.1", port: 9092 },
      { name: "order-9094", id: 9094, host: "127.0.0.1", port: 9094 },
    ],
    stocks: "/package/stocks.csv",
    cache: { kind: "memory", entriesMax: 1000 },
    corsOrigins: [],
    tls: null,
    peerCertificate: null,
    ca: null,
    insecure: false,
    engine: { kind: "builtin" },
    allowedHosts: [],
    rateLimit: { unitsPerS: 10_000, loopback: false },
    trustProxy: [],
    drainMs: 12_000,
    logLevel: "info",
  });
});

describe("precedence", () => {
  const file = inFile({ port: 1003 });
  const environment = { BAZAAR_PORT: "1002" };
  const flags = { port: "1001" };
  const port = (sources: Partial<Sources>) => resolved(sources).frontends[0]?.port;

  test("a flag overrules the environment and a file", () => {
    expect(port({ flags, environment, file })).toBe(1001);
  });
  test("the environment overrules a file", () => {
    expect(port({ environment, file })).toBe(1002);
  });
  test("a file overrules a default", () => {
    expect(port({ file })).toBe(1003);
  });
  test("an empty variable counts as not set", () => {
    expect(port({ environment: { BAZAAR_PORT: "" }, file })).toBe(1003);
  });
});

test("every option of the command line is also read from the environment and from a file", () => {
  const values = {
    data: "/d",
    host: "10.0.0.9",
    "internal-host": "10.0.0.8",
    "allowed-hosts": "shop.example, Bazaar.Example.",
    "rate-limit": "50",
    "trust-proxy": "10.0.0.1, 10.1.0.0/16, fd00::/8",
    port: "8100",
    frontends: "2",
    "catalog-port": "9200",
    catalogs: "2",
    replicas: "9101,9102,9103",
    stocks: "/s.csv",
    cache: "redis://fish@127.0.0.1:6379/3",
    "redis-password-file": "/run/secrets/redis",
    "redis-maxmemory": "10mb",
    "cors-origin": "https://shop.example, http://127.0.0.1:3000",
    "redis-maxmemory-policy": "volatile-ttl",
    "log-level": "debug",
  };
  const fromFlags = resolved({ flags: values });
  const environment = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `BAZAAR_${name.replaceAll("-", "_").toUpperCase()}`,
      value,
    ]),
  );
  expect(fromFlags.frontends).toEqual([
    { name: "frontend", host: "10.0.0.9", port: 8100 },
    { name: "frontend-8101", host: "10.0.0.9", port: 8101 },
  ]);
  expect(fromFlags.catalogs).toEqual([
    { name: "catalog", host: "10.0.0.8", port: 9200 },
    { name: "catalog-9201", host: "10.0.0.8", port: 9201 },
  ]);
  expect(fromFlags.replicas.map(({ host }) => host)).toEqual(["10.0.0.8", "10.0.0.8", "10.0.0.8"]);
  expect(fromFlags.rateLimit).toEqual({ unitsPerS: 50, loopback: true });
  expect(fromFlags.trustProxy).toEqual(["10.0.0.1", "10.1.0.0/16", "fd00::/8"]);
  expect(fromFlags.allowedHosts).toEqual(["shop.example", "bazaar.example"]);
  expect(fromFlags.cache).toEqual({
    kind: "redis",
    url: "redis://fish@127.0.0.1:6379/3",
    password: { file: "/run/secrets/redis" },
    maxmemory: "10mb",
    maxmemoryPolicy: "volatile-ttl",
  });
  expect(resolved({ environment })).toEqual(fromFlags);
  expect(resolved({ file: inFile(values) })).toEqual(fromFlags);
  expect(resolved({ file: inFile({ ...values, port: 8100, frontends: 2 }) })).toEqual(fromFlags);
});

test("--host opens the front ends, and catalogs and replicas stay on 127.0.0.1", () => {
  const config = resolved({ flags: { host: "0.0.0.0" } });
  expect(config.frontends[0]?.host).toBe("0.0.0.0");
  for (const { host } of [...config.catalogs, ...config.replicas]) expect(host).toBe("127.0.0.1");
});

test("an allowed host that isn't a host name is refused by the name of its option", () => {
  for (const given of ["http://shop.example", "shop.example:8000", "", "a b", "*"]) {
    expect(line({ flags: { "allowed-hosts": given } })).toMatch(
      /^--allowed-hosts must be host names/,
    );
  }
});

describe("files for many hosts", () => {
  const many = {
    frontends: [{ host: "10.0.0.1", port: 8000 }, "10.0.0.2:8001"],
    catalogs: [{ port: 9096 }],
    replicas: ["10.0.0.1:9090", { host: "10.0.0.2", port: 9092 }, "[fd00::3]:9094"],
    internalHost: "10.0.0.7",
  };

  test("each role has its address in the file, and the file's host where that names none", () => {
    const config = resolved({ file: inFile(many) });
    expect(config.frontends.map((each) => `${each.name} ${each.host}:${each.port}`)).toEqual([
      "frontend 10.0.0.1:8000",
      "frontend-8001 10.0.0.2:8001",
    ]);
    expect(config.catalogs[0]?.host).toBe("10.0.0.7");
    expect(config.replicas.map((each) => each.host)).toEqual(["10.0.0.1", "10.0.0.2", "fd00::3"]);
    expect(config.replicas.map((each) => each.id)).toEqual([9090, 9092, 9094]);
  });
  test("a flag that would change only a part of a list of addresses is refused", () => {
    expect(line({ file: inFile(many), flags: { port: "8080" } })).toBe(
      '--port does not go with the list of addresses that is "frontends" in bazaar.json: change it there',
    );
    expect(line({ file: inFile(many), environment: { BAZAAR_INTERNAL_HOST: "::1" } })).toContain(
      "BAZAAR_INTERNAL_HOST does not go with",
    );
  });
  test("a flag of the same name replaces the list as a whole", () => {
    const config = resolved({ file: inFile(many), flags: { replicas: "7001" } });
    expect(config.replicas).toEqual([
      { name: "order-7001", id: 7001, host: "10.0.0.7", port: 7001 },
    ]);
  });
  test("a relative path in a file is relative to the file's folder", () => {
    const file = inFile({ data: "state", stocks: "../first.csv" });
    expect(resolved({ file }).data).toBe("/etc/bazaar/state");
    expect(resolved({ file }).stocks).toBe("/etc/first.csv");
    expect(resolved({ file, flags: { data: "state" } }).data).toBe("/start/state");
  });
  test("names in camel case are read as well", () => {
    expect(resolved({ file: inFile({ catalogPort: 9300 }) }).catalogs[0]?.port).toBe(9300);
  });
});

describe("cache", () => {
  test("--no-cache, its variable and the file's false all switch the cache off", () => {
    const none = { kind: "none" };
    expect(resolved({ flags: { cache: false } }).cache).toEqual(none);
    expect(resolved({ environment: { BAZAAR_NO_CACHE: "1" } }).cache).toEqual(none);
    expect(resolved({ environment: { BAZAAR_CACHE: "none" } }).cache).toEqual(none);
    expect(resolved({ file: inFile({ cache: false }) }).cache).toEqual(none);
    expect(resolved({ environment: { BAZAAR_NO_CACHE: "0" } }).cache.kind).toBe("memory");
  });
  test("a size that the chosen cache would ignore is refused, unless it stands in a file and a flag overrules the cache", () => {
    const redis = "redis://h:1";
    expect(line({ flags: { cache: redis, "cache-size": "5" } })).toBe(
      "--cache-size goes with --cache memory only: leave one of them out",
    );
    expect(line({ flags: { "redis-maxmemory": "5" } })).toContain("redis://HOST:PORT only");
    const file = inFile({ "cache-size": 5 });
    expect(resolved({ file, flags: { cache: redis } }).cache.kind).toBe("redis");
    expect(resolved({ file }).cache).toEqual({ kind: "memory", entriesMax: 5 });
  });
});

describe("the password of Redis", () => {
  const BAZAAR_REDIS_PASSWORD = "pass";
  const cache = "redis://h:1";
  const password = (sources: Partial<Sources>) => {
    const { cache } = resolved(sources);
    return cache.kind === "redis" ? cache.password : cache;
  };

  test("is in the configuration only by the name of its variable or file", () => {
    expect(password({ flags: { cache }, environment: { BAZAAR_REDIS_PASSWORD } })).toEqual({
      variable: "BAZAAR_REDIS_PASSWORD",
    });
    const file = inFile({ cache, redisPasswordFile: "redis.pass" });
    expect(password({ file })).toEqual({ file: "/etc/bazaar/redis.pass" });
    expect(password({ file, environment: { BAZAAR_REDIS_PASSWORD } })).toEqual({
      variable: "BAZAAR_REDIS_PASSWORD",
    });
    const flags = { "redis-password-file": "/p" };
    expect(password({ file, flags, environment: { BAZAAR_REDIS_PASSWORD } })).toEqual({
      file: "/p",
    });
    expect(password({ flags: { cache } })).toBeUndefined();
  });

  test("is refused in two places of the same rank, or beside another cache", () => {
    const environment = { BAZAAR_REDIS_PASSWORD, BAZAAR_REDIS_PASSWORD_FILE: "/p" };
    expect(line({ flags: { cache }, environment })).toBe(
      "BAZAAR_REDIS_PASSWORD and BAZAAR_REDIS_PASSWORD_FILE are both set: leave one of them out",
    );
    expect(line({ environment: { BAZAAR_REDIS_PASSWORD } })).toBe(
      "BAZAAR_REDIS_PASSWORD goes with --cache redis://HOST:PORT only: leave one of them out",
    );
  });

  test("is refused in the URL, wherever that stands, and isn't shown", () => {
    const url = "redis://fish:pass@h:1";
    const hint =
      " must not have the password in it: put it into BAZAAR_REDIS_PASSWORD, " +
      "or into a file that --redis-password-file names";
    expect(line({ flags: { cache: url } })).toBe(`--cache${hint}`);
    expect(line({ environment: { BAZAAR_CACHE: url } })).toBe(`BAZAAR_CACHE${hint}`);
    expect(line({ file: inFile({ cache: url }) })).toBe(`"cache" in bazaar.json${hint}`);
    for (const wrong of [
      "redis://fish:pass@h:99999",
      "redis://fish:pass word@ h",
      "redis:fish:pass@h",
      "http://fish:pass@h",
      "redis://:pass@",
      "redis://fish:pass@h/first",
    ]) {
      const said = line({ flags: { cache: wrong } });
      expect(said, wrong).toContain("--cache must be memory, none or redis://HOST:PORT");
      expect(said, wrong).not.toContain("pass");
    }
    expect(line({ flags: { cache: "redis://fish@h" } })).toContain(
      "--cache names a user without a password: put it into BAZAAR_REDIS_PASSWORD",
    );
  });
});

test.each<[string, Partial<Sources>, string]>([
  [
    "a port that isn't a number",
    { flags: { port: "http" } },
    '--port must be a port, a whole number from 1 to 65535, not "http"',
  ],
  [
    "port 0",
    { environment: { BAZAAR_CATALOG_PORT: "0" } },
    'BAZAAR_CATALOG_PORT must be a port, a whole number from 1 to 65535, not "0"',
  ],
  [
    "a wrong kind of value in a file",
    { file: inFile({ "log-level": 3 }) },
    '"log-level" in bazaar.json must be one of trace, debug, info, warn, error, fatal, silent, not 3',
  ],
  [
    "an unknown option in a file",
    { file: inFile({ prot: 1 }) },
    'bazaar.json names "prot", which is no option; there are data, host, internal-host, port,',
  ],
  ["a file that holds no object", { file: inFile([1]) }, "bazaar.json must hold a JSON object"],
  [
    "replicas that aren't ids",
    { flags: { replicas: "9090;9092" } },
    '--replicas must be ids with commas between, like 9090,9092=127.0.0.1:9192,9094, not "9090;9092"',
  ],
  ["no replicas", { flags: { replicas: "" } }, "--replicas must be ids"],
  [
    "a replica twice",
    { flags: { replicas: "9090,9090" } },
    "replica 9090 is given twice: give each its own id",
  ],
  [
    "more replicas than the protocol was made for",
    { flags: { replicas: "1,2,3,4,5,6,7,8,9,10" } },
    "at most 9 replicas, not 10",
  ],
  [
    "two roles on one port",
    { flags: { port: "9096" } },
    "port 9096 is given to both frontend and catalog: give each its own",
  ],
  [
    "a front end counted up into a replica",
    { flags: { port: "9089", frontends: "2" } },
    "port 9090 is given to both frontend-9090 and order-9090",
  ],
  [
    "two catalogs of one name on two hosts",
    { file: inFile({ catalogs: ["a:9096", "b:9096"] }) },
    "port 9096 is given twice, to catalog-9096",
  ],
  ["a front end past the last port", { flags: { port: "65535", frontends: "2" } }, "go past 65535"],
  [
    "a site with a path, which no browser sends",
    { flags: { "cors-origin": "https://shop.example/" } },
    "--cors-origin must be origins with commas between, like https://shop.example, or *",
  ],
  ...["proxy.example", "10.0.0.1/33", "10.0.0.0/8/8", "fd00::/129", ""].map(
    (given): [string, Partial<Sources>, string] => [
      `a proxy that is no address, ${given},`,
      { flags: { "trust-proxy": given } },
      "--trust-proxy must be addresses or ranges with commas between, like 10.0.0.1,10.1.0.0/16",
    ],
  ),
  [
    "an unknown kind of cache",
    { flags: { cache: "disk" } },
    "--cache must be memory, none or redis",
  ],
])("%s is refused in one line that says what to do", (_, sources, expected) => {
  expect(line(sources)).toContain(expected);
  expect(line(sources)).not.toContain("\n");
});

test("the engine is an address of one host or several, without a password and with nothing of the other engine", () => {
  const url = "postgres://me@one:1,two:2/trades";
  const postgres = { kind: "postgres", url, acceptLoss: false, embedded: false };
  expect(resolved({ flags: { engine: url } }).engine).toEqual(postgres);
  const flags = { engine: url, "accept-loss": "yes" };
  expect(resolved({ flags }).engine).toEqual({ ...postgres, acceptLoss: true });
  expect(line({ flags: { engine: "postgres://me:secret@one/trades" } })).toBe(
    "--engine must not have the password in it: put it into PGPASSWORD, or into a .pgpass file",
  );
  expect(line({ flags: { "accept-loss": "yes" } })).toBe(
    "--accept-loss goes with --engine postgres://… only: leave it out",
  );
  expect(line({ flags: { engine: "mysql://one" } })).toContain("--engine");
  const sockets = ["5432", "5433", "5434"].map((port) => `%2Fdata%2Fpostgres:${port}`);
  expect(resolved({ flags: { engine: "postgres", data: "/data" } }).engine).toEqual({
    ...postgres,
    url: `postgres://postgres@${sockets.join(",")}/postgres`,
    embedded: true,
  });
});

test("a replica keeps its id wherever it listens, in every way to write that", () => {
  const replicas = [9090, { id: 9092, port: 9192 }, { id: 9094, host: "10.0.0.3", port: 9094 }];
  const places = (given: Parameters<typeof resolved>[0]) =>
    resolved(given).replicas.map(({ id, name, host, port }) => [id, name, host, port]);
  const expected = [
    [9090, "order-9090", "127.0.0.1", 9090],
    [9092, "order-9092", "127.0.0.1", 9192],
    [9094, "order-9094", "10.0.0.3", 9094],
  ];
  const text = "9090,9092=127.0.0.1:9192,9094=10.0.0.3:9094";
  expect(places({ flags: { replicas: text } })).toEqual(expected);
  expect(places({ flags: { replicas: text.replace("127.0.0.1:", "") } })).toEqual(expected);
  expect(places({ environment: { BAZAAR_REPLICAS: text } })).toEqual(expected);
  expect(places({ file: inFile({ replicas }) })).toEqual(expected);
  for (const wrong of ["9090=", "=9090", "9090=9091=9092", "0=9090", "70000=9090", "9090=host"]) {
    expect(() => resolved({ flags: { replicas: wrong } })).toThrow("--replicas must be ids");
  }
  expect(() => resolved({ flags: { replicas: "9092,9092=9192" } })).toThrow(
    "replica 9092 is given twice",
  );
  expect(() => resolved({ flags: { replicas: "9090,9092=9090" } })).toThrow("its own");
});
