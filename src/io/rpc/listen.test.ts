import { request as httpRequest } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InvariantViolation, invariant } from "../../core/invariant.ts";
import { HostNames } from "../host-names.ts";
import { newNonce } from "./handshake.ts";
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
import { type RawHandshake, rawSocket } from "./testing-sockets.ts";
import type { Peer, Unreachable } from "./types.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

/** The status with which a handshake is refused. */
async function refusal(port: number, how: RawHandshake): Promise<number | undefined> {
  const socket = await rawSocket(port, how);
  return new Promise((resolve, reject) => {
    socket.on("error", () => {});
    socket.on("open", () => reject(new Error("the connection was accepted")));
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode);
      socket.terminate();
    });
  });
}

describe("a client is refused", () => {
  test("that doesn't know the exact secret", async () => {
    const listener = await bench.listen();
    for (const secret of [SECRET.slice(1), `${SECRET}0`, SECRET.toUpperCase(), "another"]) {
      expect(await refusal(listener.port, { secret })).toBe(401);
    }
    expect(listener.peers.size).toBe(0);
  });

  test.each<[string, (headers: Record<string, string>) => Record<string, string>]>([
    ["without a proof", ({ "bazaar-proof": _, ...others }) => others],
    ["whose proof is cut", (headers) => ({ ...headers, "bazaar-proof": "0123" })],
    ["without a nonce of its own", ({ "bazaar-nonce": _, ...others }) => others],
    ["that proves another role than it claims", (all) => ({ ...all, "bazaar-role": "order" })],
    ["that proves another name than it claims", (all) => ({ ...all, "bazaar-name": "order-9092" })],
    ["that proves another cluster than it claims", (all) => ({ ...all, "bazaar-cluster": "its" })],
    ["that proves another link than it claims", (all) => ({ ...all, "bazaar-link": "another" })],
    [
      "that was sent here by a process that it looked for",
      (all) => ({ ...all, "bazaar-to": ORDER.name }),
    ],
  ])("%s", async (_what, changed) => {
    const listener = await bench.listen();
    expect(await refusal(listener.port, { to: "order-9092", changed })).toBe(401);
    expect(listener.peers.size).toBe(0);
  });

  test("that repeats what another sent, nonces included", async () => {
    const listener = await bench.listen();
    let overheard: Record<string, string> = {};
    const honest = await rawSocket(listener.port, {
      changed: (headers) => {
        overheard = headers;
        return headers;
      },
    });
    await new Promise((resolve) => honest.once("open", resolve));
    honest.terminate();
    expect(await refusal(listener.port, { changed: () => overheard })).toBe(401);
  });

  test("that was given no nonce", async () => {
    const listener = await bench.listen();
    expect(await refusal(listener.port, { listenerNonce: newNonce() })).toBe(400);
  });

  test("that looks for another process, which both sides are told", async () => {
    const listener = await bench.listen();
    const why = await new Promise<Unreachable>((onUnreachable) => {
      bench.link(listener.port, { name: "order-9092", onUnreachable });
    });
    expect(why).toMatchObject({ kind: "other-cluster" });
    expect(why.message).toContain("is order-9094, not order-9092");
    expect(JSON.stringify(bench.listenerLog.lines)).toContain("is order-9094, not order-9092");
  });

  test("with an unknown role or an invalid name", async () => {
    const listener = await bench.listen();
    for (const over of [{ role: "king" as never }, { name: "a\tb" }]) {
      expect(await refusal(listener.port, { client: { ...FRONTEND, ...over } })).toBe(400);
    }
  });
});

test("neither side sends the secret", async () => {
  const listener = await bench.listen();
  let passed = "";
  const between = createTcpServer((client) => {
    const server = connectTcp(listener.port, "127.0.0.1");
    for (const [from, to] of [[client, server] as const, [server, client] as const]) {
      from.on("data", (bytes) => {
        passed += bytes.toString("latin1");
      });
      from.on("error", () => {}).pipe(to);
    }
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  const link = bench.link((between.address() as AddressInfo).port);
  await eventually(() => expect(link.peer).not.toBeNull());
  await link.peer?.calls(testContract).echo("alive");
  expect(passed).toContain("bazaar-proof: ");
  expect(passed.toLowerCase()).not.toContain(SECRET);
  link.close();
  between.close();
});

test("a refused client's secret isn't logged", async () => {
  const listener = await bench.listen();
  const secret = "the-secret-of-some-other-cluster";
  await refusal(listener.port, { secret });
  expect(bench.listenerLog.lines).toHaveLength(1);
  expect(JSON.stringify(bench.listenerLog.lines)).not.toContain(secret);
  expect(JSON.stringify(bench.listenerLog.lines)).not.toContain(SECRET);
});

test("a plain HTTP request is answered with status 426", async () => {
  const listener = await bench.listen();
  const response = await fetch(`http://127.0.0.1:${listener.port}/`);
  expect(response.status).toBe(426);
});

test("metrics are shown to requests from this machine, and to no others", async () => {
  const metrics = async () => ({ contentType: "text/plain", text: "bazaar_leads 1\n" });
  const listener = await bench.listen({ metrics });
  const url = `http://127.0.0.1:${listener.port}/metrics`;
  const told = await fetch(url);
  expect(told.status).toBe(200);
  expect(await told.text()).toBe("bazaar_leads 1\n");
  expect((await fetch(url, { method: "POST" })).status).toBe(426);
  const look = (remoteAddress: string | undefined, headers: Record<string, string>) =>
    mayLook({ socket: { remoteAddress }, headers }, new HostNames("10.0.0.3", ["m.example"]));
  expect(look("10.0.0.7", { host: "10.0.0.3" })).toBe(false);
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
  const refused = "Refused a connection: it is of another cluster, or looks for another process";
  expect(bench.listenerLog.count(refused)).toBeGreaterThan(0);
});

test("a process without files may open several connections at once", async () => {
  const identity = { ...FRONTEND, cluster: { name: null, members: [9094] } };
  const listeners = await Promise.all([bench.listen(), bench.listen(), bench.listen()]);
  const failures: Unreachable[] = [];
  const onUnreachable = (why: Unreachable) => failures.push(why);
  const links = listeners.map(({ port }) => bench.link(port, { identity, onUnreachable }));
  await eventually(() => expect(links.every(({ peer }) => peer !== null)).toBe(true));
  expect(failures).toEqual([]);
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
