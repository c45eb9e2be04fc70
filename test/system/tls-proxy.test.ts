// nginx in front of the front ends, which ends TLS itself, as docs/security.md has it:
// the front ends stay on loopback, and everything goes through it, with keys.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { HttpClient, numberOf } from "../../lab/http.ts";
import { freePorts } from "../../lab/ports.ts";
import { type Running, run } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { BazaarClient } from "../../src/client/index.ts";
import { useClusters } from "./harness/lifetime.ts";
import { startNginx } from "./harness/proxies.ts";

const clusters = useClusters("file");
const COMMAND_LIMIT_MS = 30_000;
/** Units a second that an address may ask one of the bazaars for; a lookup is one, twice as many may come at once. */
const RATE = 1;
/** More than a slow machine sends so slowly that none is too much. */
const LOOKUPS_BEYOND = 60;

let cluster: Cluster;
let folder = "";
/** Of few requests for each address. */
let limited: Cluster;
let nginx: Running;
let url = "";
let limitedUrl = "";
let key = "";
let client: HttpClient;
const authorization = () => ({ authorization: `Bearer ${key}` });

/** A server for each of these ports, before the front ends at those. */
const config = (servers: readonly (readonly [port: number, frontends: readonly number[]])[]) => `
  ssl_certificate ${folder}/stall.crt;
  ssl_certificate_key ${folder}/stall.key;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
${servers
  .map(
    ([port, frontends]) => `
  upstream bazaar-${port} {
    ${frontends.map((each) => `server 127.0.0.1:${each};`).join("\n    ")}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port} ssl;
    location / {
      proxy_pass http://bazaar-${port};
    }
  }`,
  )
  .join("\n")}
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-tls-proxy-"));
  cluster = await clusters.prepare({
    secured: false,
    frontends: 2,
    logLevel: "info",
    options: ["--allowed-hosts=stall.example"],
  });
  limited = await clusters.prepare({
    secured: false,
    logLevel: "info",
    options: ["--trust-proxy=127.0.0.1", `--rate-limit=${RATE}`],
  });
  await Promise.all([cluster.up(), limited.up()]);
  const subject = ["-subj", "/CN=stall.example", "-days", "10"];
  const names = ["-addext", "subjectAltName=DNS:stall.example,IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "stall.key"), "-out", join(folder, "stall.crt")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run(
    "openssl",
    ["req", "-x509", ...curve, ...subject, ...names, ...files],
    COMMAND_LIMIT_MS,
  );
  const own = readFileSync(join(folder, "stall.crt"), "utf8");
  setDefaultCACertificates([...getCACertificates("default"), own]);

  const [port = 0, limitedPort = 0] = await freePorts(2);
  const servers = [
    [port, cluster.frontendPorts],
    [limitedPort, limited.frontendPorts],
  ] as const;
  nginx = startNginx(folder, config(servers));
  url = `https://127.0.0.1:${port}`;
  limitedUrl = `https://127.0.0.1:${limitedPort}`;
  client = new HttpClient(url);
  await nginx.ready("nginx", async () => (await client.get("/readyz")).status === 200);

  const { stdout, stderr, status } = await cluster.run("key add", "shop", "--may=read,trade");
  expect(status, stderr).toBe(0);
  key = stdout.trim();
  for (const each of cluster.frontendPorts) {
    const direct = new HttpClient(`http://127.0.0.1:${each}`);
    await until("the key known", async () => (await direct.get("/stocks/FishCo")).status === 401);
    direct.close();
  }
});
afterAll(async () => {
  client?.close();
  await nginx?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("trades and lookups go through it under a key, by the name that clients know it by", async () => {
  const headers = { ...authorization(), Host: "stall.example" };
  const trade = { name: "FishCo", type: "buy", quantity: 43 };
  const traded = await client.trade(trade, { ...headers, "Idempotency-Key": "one" });
  expect(numberOf(traded)).toBe(1);
  expect(traded.answered["idempotency-key"]).toBe("one");
  expect(numberOf(await client.trade(trade, { ...headers, "Idempotency-Key": "one" }))).toBe(1);
  const looked = await client.send({ method: "GET", path: "/stocks/FishCo", headers });
  expect(looked.text).toBe('{"data":{"name":"FishCo","price":17.99,"quantity":557}}');
});

test("who has no key, or a wrong one, is told so with what a client understands", async () => {
  const none = await client.get("/stocks/FishCo");
  expect(none.status).toBe(401);
  expect(none.answered["www-authenticate"]).toBe('Bearer realm="bazaar"');
  const wrong = { authorization: "Bearer shop.wrong" };
  const refused = await client.trade({ name: "FishCo", type: "buy", quantity: 1 }, wrong);
  expect(refused.status).toBe(401);
  expect(refused.answered["www-authenticate"]).toContain('error="invalid_token"');
});

test("events come through it as they happen, and end when their key is revoked", async () => {
  const made = await cluster.run("key add", "watcher", "--may=read");
  const watcher = made.stdout.trim();
  const asked = { method: "GET", path: "/stocks/FishCo" };
  const headers = { authorization: `Bearer ${watcher}` };
  const isKnown = async () => (await client.send({ ...asked, headers })).status === 200;
  await until("the key known", isKnown);
  const bazaar = new BazaarClient({ url, key: watcher });
  const seen: number[] = [];
  const watching = (async () => {
    for await (const { kind, data } of bazaar.events()) {
      if (kind === "state") seen.push(0);
      for (const { number } of data.orders?.rows ?? []) seen.push(number);
    }
  })();
  const ended = expect(watching).rejects.toMatchObject({ kind: "unauthorized" });
  await until("the first picture", () => seen.length > 0);
  const trade = { name: "BoarCo", type: "buy", quantity: 1 };
  const number = numberOf(await client.trade(trade, authorization()));
  await until("the trade among the events", () => seen.includes(number));
  expect((await cluster.run("key revoke", "watcher")).status).toBe(0);
  await ended;
});

/** The statuses of lookups without a pause from this address of the machine, each with a header that says another. */
async function statuses(from: string, to: string): Promise<ReadonlySet<string>> {
  const asked = Array.from({ length: LOOKUPS_BEYOND }, (_, nth) => [
    ...(nth === 0 ? [] : ["--next"]),
    ...["-s", "--interface", from, "--cacert", join(folder, "stall.crt")],
    ...["-H", `X-Forwarded-For: 203.0.113.${nth}`],
    ...["-o", "/dev/null", "-w", "%{http_code}\n", `${to}/stocks/FishCo`],
  ]);
  const lines = (await run("curl", asked.flat(), COMMAND_LIMIT_MS)).trim().split("\n");
  expect(lines).toHaveLength(LOOKUPS_BEYOND);
  return new Set(lines);
}

test("behind it each client has its own address: who asks too much is told so, others aren't, and nobody is believed another", async () => {
  expect(await statuses("127.0.0.7", limitedUrl)).toEqual(new Set(["200", "429"]));
  const other = ["-s", "--interface", "127.0.0.8", "--cacert", join(folder, "stall.crt")];
  const status = ["-o", "/dev/null", "-w", "%{http_code}", `${limitedUrl}/stocks/FishCo`];
  expect(await run("curl", [...other, ...status], COMMAND_LIMIT_MS)).toBe("200");
  // Past the proxy, too: only the proxy's word is taken.
  expect(await statuses("127.0.0.9", limited.url)).toEqual(new Set(["200", "429"]));
});
