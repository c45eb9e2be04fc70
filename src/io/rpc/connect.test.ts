import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { freePorts } from "../../../lab/ports.ts";
import { newNonce } from "./handshake.ts";
import { Bench, eventually, frameOf, testContract, testHandlers } from "./testing.ts";
import type { Peer, Unreachable } from "./types.ts";

let bench: Bench;
const servers: { close(): unknown }[] = [];
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.close();
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("a link connects again to a listener that comes back", async () => {
  const opened: Peer[] = [];
  const closed: Peer[] = [];
  const { listener, link, here } = await bench
    .pair({
      link: { onOpen: (peer) => opened.push(peer), onClose: (peer) => closed.push(peer) },
      listen: {},
    })
    .catch(async () => {
      throw new Error("no pair");
    });
  expect(here).toBe(link.peer);
  await listener.close();
  await eventually(() => expect(closed).toEqual([here]));
  expect(link.peer).toBeNull();
  await bench.listen({ port: listener.port });
  await eventually(() => expect(opened).toHaveLength(2));
  expect(link.peer).toBe(opened[1]);
  expect(await link.peer?.calls(testContract).echo("again")).toBe("again");
});

test("a link can be opened before its listener, and says once that nothing answers", async () => {
  const [port = 0] = await freePorts(1);
  const failures: Unreachable[] = [];
  const opened = Promise.withResolvers<Peer>();
  const link = bench.link(port, {
    onUnreachable: (why) => failures.push(why),
    onOpen: opened.resolve,
  });
  await eventually(() => expect(failures.length).toBeGreaterThanOrEqual(3));
  expect(link.peer).toBeNull();
  expect(failures.slice(0, 3)).toMatchObject([
    { kind: "unreachable", attempts: 1 },
    { kind: "unreachable", attempts: 2 },
    { kind: "unreachable", attempts: 3 },
  ]);
  expect(failures[0]?.message).toContain(`127.0.0.1:${port}`);
  expect(bench.linkLog.count("Can't connect")).toBe(1);
  await bench.listen({ port });
  expect(await opened.promise).toBe(link.peer);
});

test("a link with another cluster's secret is refused, logged once by each side, and goes on trying", async () => {
  const listener = await bench.listen({
    credentials: { secret: "another-cluster's-secret", certificates: null },
  });
  const failures: Unreachable[] = [];
  const opened = Promise.withResolvers<Peer>();
  bench.link(listener.port, {
    onUnreachable: (why) => failures.push(why),
    onOpen: opened.resolve,
  });
  await eventually(() => expect(failures.length).toBeGreaterThanOrEqual(3));
  expect(failures[0]).toMatchObject({ kind: "untrusted" });
  expect(listener.peers.size).toBe(0);
  const refused = "Refused a connection: it doesn't know the cluster's secret";
  expect(bench.listenerLog.count(refused)).toBe(1);
  expect(bench.linkLog.lines.filter((line) => line.msg === "Can't connect")).toMatchObject([
    { level: 50, why: expect.stringContaining("secret") },
  ]);
  await listener.close();
  await bench.listen({ port: listener.port });
  await opened.promise;
});

test("a web server on the port is reported as not a bazaar", async () => {
  const port = await portOf(createHttpServer((_request, response) => response.end("a web page")));
  const why = await new Promise<Unreachable>((resolve) => {
    bench.link(port, { onUnreachable: resolve });
  });
  expect(why).toMatchObject({ kind: "not-a-bazaar", attempts: 1 });
});

test("a WebSocket server that doesn't identify itself is reported as not a bazaar", async () => {
  const other = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  servers.push(other);
  await new Promise((resolve) => other.once("listening", resolve));
  const why = await new Promise<Unreachable>((resolve) => {
    bench.link((other.address() as AddressInfo).port, { onUnreachable: resolve });
  });
  expect(why.kind).toBe("not-a-bazaar");
});

test("a listener that can't prove that it knows the secret gets no frame", async () => {
  const taken: string[] = [];
  const other = new WebSocketServer({ noServer: true });
  other.on("headers", (headers) => {
    headers.push("bazaar-role: order", "bazaar-name: order-9094", "bazaar-members: 9094");
    headers.push(`bazaar-proof: ${"0".repeat(64)}`);
  });
  const http = createHttpServer((_request, response) => {
    response.writeHead(200, { "bazaar-nonce": newNonce() }).end();
  });
  http.on("upgrade", (request, socket, head) => {
    other.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("message", () => taken.push("a frame"));
      webSocket.send(frameOf([{ t: "q", i: "x", m: "echo", a: ["mine"] }]));
      webSocket.on("close", () => taken.push("closed"));
    });
  });
  const port = await portOf(http);
  const why = await new Promise<Unreachable>((resolve) => {
    bench.link(port, {
      onUnreachable: resolve,
      handlers: testHandlers({ echo: () => taken.push("was called") }),
    });
  });
  expect(why).toMatchObject({ kind: "untrusted" });
  expect(why.message).toContain("doesn't know our secret");
  await eventually(() => expect(taken).toEqual(["closed"]));
});

test("an attempt ends at its time-out when the other side accepts and says nothing", async () => {
  const port = await portOf(createServer((socket) => socket.on("error", () => {})));
  const failures: Unreachable[] = [];
  bench.link(port, {
    limits: { handshakeTimeoutMs: 30 },
    onUnreachable: (why) => failures.push(why),
  });
  await eventually(() => expect(failures.length).toBeGreaterThanOrEqual(2));
  expect(failures[0]?.kind).toBe("unreachable");
});

test("a closed link makes no further attempt", async () => {
  const [port = 0] = await freePorts(1);
  const backoff = { firstMs: 1, maxMs: 2, lostMs: 0 };
  let attempts = 0;
  const link = bench.link(port, {
    backoff,
    onUnreachable: () => {
      attempts += 1;
      if (attempts === 3) link.close();
    },
  });
  await eventually(() => expect(attempts).toBe(3));
  // Another link that waits as long is the clock: it has had ten attempts meanwhile.
  let clock = 0;
  bench.link(port, {
    backoff,
    onUnreachable: () => {
      clock += 1;
    },
  });
  await eventually(() => expect(clock).toBeGreaterThan(10));
  expect(attempts).toBe(3);
});

test("a link closed while it shakes hands never opens", async () => {
  const accepted: Peer[] = [];
  let opened = false;
  const listener = await bench.listen({ onOpen: (peer) => accepted.push(peer) });
  const link = bench.link(listener.port, {
    onOpen: () => {
      opened = true;
    },
  });
  link.close();
  const later = bench.link(listener.port);
  await eventually(() => expect(later.peer).not.toBeNull());
  expect(accepted).toHaveLength(1);
  expect(opened).toBe(false);
  expect(link.peer).toBeNull();
});

test("a link whose connections close at once waits longer before each next one", async () => {
  const listener = await bench.listen({ onOpen: (peer) => peer.close() });
  const startedMs = performance.now();
  let opened = 0;
  bench.link(listener.port, {
    backoff: { firstMs: 1, maxMs: 1_000, lostMs: 0 },
    random: () => 1,
    onOpen: () => {
      opened += 1;
    },
  });
  await eventually(() => expect(opened).toBe(7));
  // 2 + 4 + 8 + 16 + 32 + 64 ms between them; a millisecond each without.
  expect(performance.now() - startedMs).toBeGreaterThan(120);
});

test("a peer closed by its user is replaced by a new connection", async () => {
  const { here, link } = await bench.pair();
  here.close();
  expect(link.peer).toBeNull();
  await eventually(() => expect(link.peer).not.toBeNull());
  expect(link.peer).not.toBe(here);
});

test("an empty secret is refused at once", () => {
  expect(() => bench.link(1, { credentials: { secret: "", certificates: null } })).toThrow(
    "secret",
  );
});
