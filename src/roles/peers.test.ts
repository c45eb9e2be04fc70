// Connections to real listeners, to silence, and to nothing.

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { listen } from "../io/rpc/listen.ts";
import { TEST_CLUSTER } from "../io/rpc/testing.ts";
import { orderContract } from "./contract.ts";
import { attemptOver } from "./leader.ts";
import { commandIdentity, Peers } from "./peers.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function replica(secret = SECRET) {
  const contract = { ask: orderContract.ask };
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    credentials: { secret, certificates: null },
    identity: { role: "order", name: "order-9094", cluster: TEST_CLUSTER },
    contract,
    handlers: { ask: () => ({ kind: "not-leader" as const, leader: 9092 }) },
    log: pino({ level: "silent" }),
  });
  toClose.push(() => listener.close());
  return { listener, name: "order-9094", host: "127.0.0.1", port: listener.port };
}

function peers(): Peers {
  const made = new Peers(
    { secret: SECRET, certificates: null },
    commandIdentity(TEST_CLUSTER.members),
  );
  toClose.push(() => made.close());
  return made;
}

test("a connection is opened once and used again", async () => {
  const place = await replica();
  const some = peers();
  const first = await some.reach(place, 5_000);
  const second = await some.reach(place, 5_000);
  expect(first.kind === "reached" && second.kind === "reached" && second.peer === first.peer).toBe(
    true,
  );
  expect(place.listener.peers.size).toBe(1);
  if (first.kind !== "reached") throw new Error("it was reached");
  const calls = first.peer.calls(orderContract);
  expect(await attemptOver(calls, { kind: "stocks", after: "", limit: 10 })).toEqual({
    kind: "not-leader",
    leader: 9092,
  });
});

test("a process that isn't there is reported as unreachable at once, and may be tried again", async () => {
  const place = await replica();
  await place.listener.close();
  expect(await peers().reach(place, 60_000)).toMatchObject({ kind: "unreachable", isFinal: false });
});

test("a process of another cluster is reported as unreachable for good", async () => {
  const place = await replica("another-secret-of-another-cluster");
  const reached = await peers().reach(place, 60_000);
  expect(reached).toMatchObject({ kind: "unreachable", isFinal: true });
  expect(reached.kind === "unreachable" && reached.why).toContain("another cluster");
});

test("a process that says nothing is reported as unreachable at the time-out", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  toClose.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const reached = await peers().reach({ name: "order-9094", host: "127.0.0.1", port }, 100);
  expect(reached).toEqual({
    kind: "unreachable",
    why: `127.0.0.1:${port} doesn't answer within 100 ms`,
    isFinal: false,
  });
});
