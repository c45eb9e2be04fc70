// Processes that know each other by certificates, over real connections: who has
// none, or one for something else, is let into no call.

import { mkdtempSync, rmSync } from "node:fs";
import { type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { issueCertificates, makeAuthority, retireAuthorities } from "../tls/authority.ts";
import { Certificates, certificatePaths } from "../tls/certificates.ts";
import { Bench, eventually, FRONTEND, ORDER, SECRET, testContract } from "./testing.ts";
import type { Credentials, Identity, Peer, Unreachable } from "./types.ts";

const YEAR_MS = 365 * 86_400_000;
const log = pino({ level: "silent" });
vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const NAMES = ["order-9090", "order-9094", "catalog", "frontend", "cli", "metrics"];

let folder: string;
/** Data folders, each with an authority of its own. */
let ours: string;
let theirs: string;
let expired: string;
let bench: Bench;
const opened: Certificates[] = [];

async function issue(data: string, nowMs = Date.now()): Promise<void> {
  await issueCertificates(
    data,
    NAMES.map((name) => ({ name, hosts: [] })),
    nowMs,
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "certified-"));
  ours = join(folder, "ours");
  theirs = join(folder, "theirs");
  expired = join(folder, "expired");
  for (const data of [ours, theirs]) {
    await makeAuthority(data, Date.now());
    await issue(data);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.close();
  for (const each of opened.splice(0)) each.close();
});

function credentials(name: string, data = ours, wallMs = Date.now): Credentials {
  const files = certificatePaths(data, name);
  const certificates = new Certificates({ files, purpose: "peers'", log, wallMs });
  opened.push(certificates);
  return { secret: SECRET, certificates };
}

const listening = () => bench.listen({ credentials: credentials(ORDER.name) });

/** Why a link with these credentials is refused. */
function refusal(port: number, how: Credentials, identity: Identity = FRONTEND, name = ORDER.name) {
  return new Promise<Unreachable>((onUnreachable, reject) => {
    bench.link(port, {
      credentials: how,
      identity,
      name,
      onUnreachable,
      onOpen: () => reject(new Error("it was let in")),
    });
  });
}

test("two processes with certificates of one authority call each other, under the names in them", async () => {
  const { here, there } = await bench.pair({
    listen: { credentials: credentials("order-9094") },
    link: { credentials: credentials("frontend") },
  });
  expect(await here.calls(testContract).double({ number: 21 })).toEqual({ number: 42 });
  expect(await there.calls(testContract).double({ number: 21 })).toEqual({ number: 42 });
  expect([here.identity.name, there.identity.name]).toEqual(["order-9094", "frontend"]);
});

test("a client with another authority's certificate is refused, logged by address", async () => {
  const listener = await listening();
  // It trusts ours: the listener is who refuses.
  const files = { ...certificatePaths(theirs, "frontend"), ca: null };
  const certificates = new Certificates({ files, purpose: "peers'", log });
  opened.push(certificates);
  const foreign = {
    secret: SECRET,
    certificates: Object.create(certificates, {
      texts: {
        value: { ...certificates.texts, ca: credentials("cli").certificates?.texts.ca },
      },
    }),
  };
  const why = await refusal(listener.port, foreign);
  expect(why.message).toContain("closed the connection once it saw our certificate");
  const line = "Refused a connection: it shows no certificate of ours";
  await eventually(() => expect(bench.listenerLog.count(line)).toBe(1));
  expect(listener.peers.size).toBe(0);
});

test("a client doesn't speak to a listener with another authority's certificate", async () => {
  const listener = await bench.listen({ credentials: credentials(ORDER.name, theirs) });
  const why = await refusal(listener.port, credentials("frontend"));
  expect(why).toMatchObject({ kind: "untrusted" });
  expect(why.message).toContain("npx bazaar certs");
});

test("a certificate that has ended is refused, whichever side has it", async () => {
  await makeAuthority(expired, Date.now() - 2 * YEAR_MS);
  await issue(expired, Date.now() - 2 * YEAR_MS);
  const before = () => Date.now() - 1.5 * YEAR_MS;
  const old = (name: string) => credentials(name, expired, before);
  const stale = await bench.listen({ credentials: old(ORDER.name) });
  expect(await refusal(stale.port, old("frontend"))).toMatchObject({ kind: "untrusted" });
  await issue(expired);
  const fresh = await bench.listen({ credentials: credentials(ORDER.name, expired) });
  const now = credentials("frontend", expired);
  await issue(expired, Date.now() - 2 * YEAR_MS);
  const why = await refusal(fresh.port, old("frontend"));
  expect(why.message).toContain("closed the connection once it saw our certificate");
  expect(fresh.peers.size).toBe(0);
  const opens = bench.link(fresh.port, { credentials: now });
  await eventually(() => expect(opens.peer).not.toBeNull());
});

test("a process can't take a name that isn't in its certificate", async () => {
  const listener = await listening();
  const replica = { ...ORDER, name: "order-9090" };
  for (const name of ["frontend", "catalog", "cli", "metrics", "order-9094"]) {
    const why = await refusal(listener.port, credentials(name), replica);
    expect(why).toMatchObject({ kind: "untrusted" });
    expect(why.message).toContain("refused our certificate");
  }
  expect(listener.peers.size).toBe(0);
});

test("a process can't take another role than its name's", async () => {
  const listener = await listening();
  const posing = { ...FRONTEND, role: "order" as const };
  expect(await refusal(listener.port, credentials("frontend"), posing)).toMatchObject({
    kind: "untrusted",
  });
});

test("a client doesn't speak to a process that isn't the one it looked for", async () => {
  const listener = await listening();
  const why = await refusal(listener.port, credentials("frontend"), FRONTEND, "order-9090");
  expect(why).toMatchObject({ kind: "untrusted" });
});

test("who knows the secret and has no certificate is refused, and so is who has one and speaks no TLS", async () => {
  const listener = await listening();
  const plain = { secret: SECRET, certificates: null };
  expect(await refusal(listener.port, plain)).toMatchObject({ kind: "unreachable" });
  const open = await bench.listen();
  expect(await refusal(open.port, credentials("frontend"))).toMatchObject({ kind: "unreachable" });
});

test("new certificates and a new authority are taken up while connections go on, and the old authority is refused in the end", async () => {
  const data = join(folder, "rotated");
  await makeAuthority(data, Date.now());
  await issue(data);
  const listenerSide = credentials(ORDER.name, data);
  const linkSide = credentials("frontend", data);
  const before = credentials("catalog", data);
  before.certificates?.close(); // it reads nothing anew
  const closed: Peer[] = [];
  const { listener, here } = await bench.pair({
    listen: { credentials: listenerSide, onClose: (peer) => closed.push(peer) },
    link: { credentials: linkSide },
  });
  const read = () => {
    for (const side of [listenerSide, linkSide]) side.certificates?.reload();
  };
  const opens = async (how: Credentials, identity: Identity) => {
    const link = bench.link(listener.port, { credentials: how, identity });
    await eventually(() => expect(link.peer).not.toBeNull());
    expect(await link.peer?.calls(testContract).echo("new")).toBe("new");
  };
  await makeAuthority(data, Date.now());
  read();
  before.certificates?.reload(); // the authorities: its own certificate is the one from before
  await issue(data);
  read();
  await opens(linkSide, FRONTEND);
  const catalog = { ...FRONTEND, role: "catalog" as const, name: "catalog" };
  await opens(before, catalog);
  retireAuthorities(data);
  read();
  await opens(linkSide, FRONTEND);
  const why = await refusal(listener.port, before, catalog);
  expect(why.message).toContain("closed the connection once it saw our certificate");
  expect(await here.calls(testContract).echo("still")).toBe("still");
  expect(closed).toEqual([]);
});

test("files that are replaced are read anew by themselves", async () => {
  const data = join(folder, "replaced");
  await makeAuthority(data, Date.now());
  await issue(data);
  const { certificates } = credentials("frontend", data);
  const { cert } = certificates?.texts ?? {};
  await issue(data);
  await eventually(() => expect(certificates?.texts.cert).not.toBe(cert));
});

test("no version of TLS before 1.3 is spoken between processes", async () => {
  const listener = await listening();
  const { texts } = credentials("frontend").certificates ?? {};
  const reached = (options: ConnectionOptions) =>
    new Promise((resolve) => {
      const socket = connectTls({
        host: "127.0.0.1",
        port: listener.port,
        servername: ORDER.name,
        ...texts,
        ...options,
      });
      socket.once("secureConnect", () => resolve(socket.getProtocol()));
      socket.once("error", () => resolve(null));
    });
  expect(await reached({})).toBe("TLSv1.3");
  expect(await reached({ maxVersion: "TLSv1.2" })).toBeNull();
});

test("metrics are shown to the certificates for them and for commands, and to no other process", async () => {
  const metrics = async () => ({ contentType: "text/plain", text: "bazaar_leads 1\n" });
  const listener = await bench.listen({ credentials: credentials(ORDER.name), metrics });
  const look = (over: RequestOptions) =>
    new Promise<{ status: number | undefined; said: string }>((resolve, reject) => {
      request({
        host: "127.0.0.1",
        port: listener.port,
        path: "/metrics",
        servername: ORDER.name,
        agent: false,
        ...over,
      })
        .once("error", reject)
        .once("response", async (response) =>
          resolve({ status: response.statusCode, said: await text(response) }),
        )
        .end();
    });
  for (const name of ["metrics", "cli"]) {
    const seen = await look(credentials(name).certificates?.texts ?? {});
    expect(seen).toEqual({ status: 200, said: "bazaar_leads 1\n" });
  }
  const refused = await look(credentials("frontend").certificates?.texts ?? {});
  expect(refused.status).toBe(403);
  const { ca } = credentials("cli").certificates?.texts ?? {};
  await expect(look({ ...(ca !== undefined && { ca }) })).rejects.toThrow();
});
