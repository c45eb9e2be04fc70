import { request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { InvariantViolation, invariant } from "../../core/invariant.ts";
import { HostNames } from "../host-names.ts";
import { clientHeaders } from "./handshake.ts";
import { mayLook } from "./listen.ts";
import {
  Bench,
  eventually,
  FRONTEND,
  ORDER,
  SECRET,
  TEST_CLUSTER,
  testContract,
  testHandlers,
} from "./testing.ts";
import type { Peer, Unreachable } from "./types.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

/** The status with which an upgrade request of these headers is refused. */
function refusal(port: number, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers });
    socket.on("error", () => {});
    socket.on("open", () => reject(new Error("the connection was accepted")));
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode);
      socket.terminate();
    });
  });
}

test("a client without the exact secret is refused", async () => {
  const listener = await bench.listen();
  const known = clientHeaders(SECRET, FRONTEND, "link");
  const { "bazaar-secret": _secret, ...without } = known;
  expect(await refusal(listener.port, without)).toBe(401);
  for (const secret of ["", SECRET.slice(1), `${SECRET}0`, SECRET.toUpperCase()]) {
    expect(await refusal(listener.port, { ...known, "bazaar-secret": secret })).toBe(401);
  }
  expect(listener.peers.size).toBe(0);
});

test("a client with an unknown role or an invalid name is refused", async () => {
  const listener = await bench.listen();
  const headers = clientHeaders(SECRET, FRONTEND, "link");
  expect(await refusal(listener.port, { ...headers, "bazaar-role": "king" })).toBe(400);
  expect(await refusal(listener.port, { ...headers, "bazaar-name": "a\tb" })).toBe(400);
});

test("a refused client's secret isn't logged", async () => {
  const listener = await bench.listen();
  const secret = "the-secret-of-some-other-cluster";
  await refusal(listener.port, clientHeaders(secret, FRONTEND, "link"));
  expect(bench.listenerLog.lines).toHaveLength(1);
  expect(JSON.stringify(bench.listenerLog.lines)).not.toContain(secret);
  expect(JSON.stringify(bench.listenerLog.lines)).not.toContain(SECRET);
});

test("a plain HTTP request is answered with status 426", async () => {
  const listener = await bench.listen();
  const response = await fetch(`http://127.0.0.1:${listener.port}/`);
  expect(response.status).toBe(426);
});

test("metrics are shown to requests from this machine and to those with the secret, and to no others", async () => {
  const metrics = async () => ({ contentType: "text/plain", text: "bazaar_leads 1\n" });
  const listener = await bench.listen({ metrics });
  const url = `http://127.0.0.1:${listener.port}/metrics`;
  const told = await fetch(url);
  expect(told.status).toBe(200);
  expect(await told.text()).toBe("bazaar_leads 1\n");
  expect((await fetch(url, { method: "POST" })).status).toBe(426);
  const knows = clientHeaders(SECRET, FRONTEND, "link");
  const look = (remoteAddress: string | undefined, headers: Record<string, string>) =>
    mayLook(
      { socket: { remoteAddress }, headers },
      new HostNames("10.0.0.3", ["m.example"]),
      SECRET,
    );
  expect(look("10.0.0.7", { host: "10.0.0.3" })).toBe(false);
  expect(look("10.0.0.7", { ...knows, host: "what.ever" })).toBe(true);
  expect(look(undefined, { host: "localhost" })).toBe(false);
  for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
    for (const host of [
      "127.0.0.1:9094",
      "localhost",
      "[::1]:9094",
      "10.0.0.3:9094",
      "m.example",
    ]) {
      expect(look(address, { host })).toBe(true);
    }
    for (const host of ["evil.example:9094", "localhost, evil.example", ""]) {
      expect(look(address, { host })).toBe(false);
    }
    expect(look(address, {})).toBe(false);
  }
  const rebound = await get(listener.port, "evil.example");
  expect(rebound).toMatchObject({ status: 403, type: "application/json" });
  expect(JSON.parse(rebound.text).error.message).toContain("--allowed-hosts");
});

test("listening on a port in use fails with EADDRINUSE", async () => {
  const listener = await bench.listen();
  await expect(bench.listen({ port: listener.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("a peer is listed while its connection lasts, and removed when that is killed", async () => {
  const closed: Peer[] = [];
  const listener = await bench.listen({ onClose: (peer) => closed.push(peer) });
  const raw = await bench.rawClient(listener.port);
  await eventually(() => expect(listener.peers.size).toBe(1));
  const [peer] = listener.peers;
  expect(peer?.identity).toEqual({ role: "catalog", name: "raw", cluster: TEST_CLUSTER });
  raw.terminate();
  await eventually(() => expect(closed).toEqual([peer]));
  expect(listener.peers.size).toBe(0);
});

test("closing a listener doesn't wait for a peer that has stopped reading, and frees the port", async () => {
  const { listener } = await bench.pair({ limits: { closeTimeoutMs: 50 } });
  const raw = await bench.rawClient(listener.port);
  raw.pause();
  await eventually(() => expect(listener.peers.size).toBe(2));
  const startedMs = performance.now();
  await Promise.all([listener.close(), listener.close()]);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(listener.peers.size).toBe(0);
  await bench.listen({ port: listener.port });
});

test("connections over the limit are refused and logged, and let in when there is room", async () => {
  const listener = await bench.listen({ limits: { connectionsMax: 2 } });
  const first = await bench.rawClient(listener.port);
  await bench.rawClient(listener.port);
  let failed = 0;
  const link = bench.link(listener.port, {
    onUnreachable: () => {
      failed += 1;
    },
  });
  await eventually(() => expect(failed).toBeGreaterThan(0));
  expect(bench.listenerLog.count("Too many connections")).toBe(1);
  first.terminate();
  await eventually(() => expect(link.peer).not.toBeNull());
});

test("a broken invariant in a handler is reported to the listener's owner, and fails the call", async () => {
  const broken: InvariantViolation[] = [];
  const { here } = await bench.pair({
    listen: {
      onInvariantViolation: (violation) => broken.push(violation),
      handlers: testHandlers({
        tell: () => invariant(1 > 2, "1 > 2"),
        double: async () => invariant(2 > 3, "2 > 3") as never,
      }),
    },
  });
  const calls = here.calls(testContract);
  calls.tell(1);
  await expect(calls.double({ number: 1 })).rejects.toThrow("2 > 3");
  expect(broken.map(({ message }) => message)).toEqual(["1 > 2", "2 > 3"]);
  expect(broken[0]).toBeInstanceOf(InvariantViolation);
});

test("a notification whose handler fails is logged", async () => {
  const { here } = await bench.pair({
    listen: {
      handlers: testHandlers({
        tell: async () => {
          throw new Error("no ears");
        },
      }),
    },
  });
  here.calls(testContract).tell(1);
  await eventually(() => expect(bench.listenerLog.count("A call's handler failed")).toBe(1));
});

test("listening without a handler for one of the contract's calls is refused at once", async () => {
  const handlers = { ...testHandlers(), tell: undefined } as never;
  await expect(bench.listen({ handlers })).rejects.toThrow("no handler for the call tell");
});

test("a process of another cluster, or of another set of replicas, is refused with the reason", async () => {
  const ours = { name: "ours", members: [9090, 9092, 9094] };
  const { listener } = await bench.pair({
    listen: { identity: { ...ORDER, cluster: ours } },
    link: { identity: { ...FRONTEND, cluster: { name: null, members: [9094, 9090, 9092] } } },
  });
  const others = [
    { name: null, members: [9090] },
    { name: null, members: [9090, 9092] },
    { name: null, members: [9090, 9092, 9094, 9096] },
    { name: "ours", members: [9090, 9092, 9098] },
    { name: "theirs", members: ours.members },
  ];
  for (const cluster of others) {
    const why = Promise.withResolvers<Unreachable>();
    bench.link(listener.port, {
      identity: { ...FRONTEND, cluster },
      onOpen: () => why.reject(new Error(`${cluster.members} was let in`)),
      onUnreachable: why.resolve,
    });
    expect(await why.promise).toMatchObject({
      kind: "other-cluster",
      message:
        cluster.name === "theirs"
          ? expect.stringContaining("cluster ours, not to theirs")
          : expect.stringContaining("cluster of the replicas 9090,9092,9094"),
    });
  }
  expect(listener.peers.size).toBe(1);
  expect(bench.listenerLog.count("Refused a connection: it is of another cluster")).toBeGreaterThan(
    0,
  );
});

test("a process without files learns its cluster from the first peer, and keeps to it", async () => {
  const identity = { ...FRONTEND, cluster: { name: null, members: [9094] } };
  await bench.pair({ link: { identity } });
  expect(identity.cluster.name).toBe("test");
  const other = await bench.listen({
    identity: { ...ORDER, cluster: { name: "other", members: [9094] } },
  });
  const why = Promise.withResolvers<Unreachable>();
  bench.link(other.port, { identity, onUnreachable: why.resolve });
  expect((await why.promise).kind).toBe("other-cluster");
});

/** GET /metrics under a host that fetch wouldn't send. */
function get(
  port: number,
  host: string,
): Promise<{ status?: number; type?: string; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path: "/metrics", headers: { host } });
    request.once("error", reject).once("response", async (response) => {
      const { statusCode: status, headers } = response;
      resolve({
        ...(status !== undefined && { status }),
        ...(headers["content-type"] !== undefined && { type: headers["content-type"] }),
        text: await text(response),
      });
    });
    request.end();
  });
}
