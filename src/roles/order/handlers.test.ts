import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import type { Envelope } from "../../core/replication/types.ts";
import { connect } from "../../io/rpc/connect.ts";
import { listen } from "../../io/rpc/listen.ts";
import { TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Identity, Peer, RoleKind } from "../../io/rpc/types.ts";
import { orderHandlers, servedContract } from "./handlers.ts";
import { silent, trade } from "./test-support.ts";

const SECRET = "only-this-test-knows-it";
const HEALTH = {
  replica: 9094,
  leads: true,
  leader: 9094,
  epoch: 3,
  lastPosition: 12,
  commitPosition: 11,
};

/** The served calls over a real connection, and what reached the parts behind them. */
async function served(role: RoleKind = "catalog", peerName: string = role) {
  const messages: string[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => messages.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const reached: unknown[] = [];
  const handlers = orderHandlers({
    name: "order-9094",
    replica: 9094,
    desk: {
      ask: (relayed, questions, settle) => {
        reached.push({ relayed, questions });
        settle({ kind: "unknown" });
      },
      nominate: (settled) => settled({ kind: "lost", reason: "no quorum" }),
      health: () => HEALTH,
      follow: (peer, { received }) => {
        reached.push({ follows: peer.identity.name, received });
        return { leads: true, epoch: 3, grant: null };
      },
      held: (peer, { held }) => reached.push({ holds: peer.identity.name, held }),
      exposed: 10,
    },
    replicated: {
      handlers: {
        message: (envelope) => reached.push(envelope),
        leads: (beat) => reached.push(beat),
      },
      status: () => ({
        ...HEALTH,
        voter: false,
        reign: null,
      }),
    },
    appliedPosition: () => 9,
    audit: (position, stocksAt) => Promise.reject(new Error(`audit ${position} ${stocksAt}`)),
    leaves: (peer) => reached.push({ leaves: peer.identity.name }),
    steps: (after) => ({ steps: [], next: after, missed: 0 }),
    log,
  });
  const identity: Identity = { role: "order", name: "order-9094", cluster: TEST_CLUSTER };
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    credentials: { secret: SECRET, certificates: null },
    identity,
    contract: servedContract,
    handlers,
    log: silent,
  });
  onTestFinished(() => listener.close());
  const peer = await new Promise<Peer>((onOpen) => {
    const link = connect({
      host: "127.0.0.1",
      port: listener.port,
      name: "order-9094",
      credentials: { secret: SECRET, certificates: null },
      identity: { role, name: peerName, cluster: TEST_CLUSTER },
      contract: {},
      handlers: {},
      log: silent,
      onOpen,
    });
    onTestFinished(() => link.close());
  });
  return { calls: peer.calls(servedContract), reached, messages };
}

test("each call reaches the part that does it", async () => {
  const { calls, reached } = await served();
  const questions = [trade("a", "FishCo", "buy", 1)];
  expect(await calls.ask({ relayed: true, questions })).toEqual({ kind: "unknown" });
  calls.held({ epoch: 3, received: 8, held: 6 });
  expect(await calls.follow({ received: 7, held: 0, epoch: 3, ask: 1, heardBefore: 0 })).toEqual({
    leads: true,
    epoch: 3,
    grant: null,
  });
  expect(reached).toEqual([
    { relayed: true, questions },
    { holds: "catalog", held: 6 },
    { follows: "catalog", received: 7 },
  ]);
  const { calls: asked } = await served("frontend");
  expect(await asked.health({})).toEqual(HEALTH);
  expect(await asked.nominate({})).toEqual({ kind: "lost", reason: "no quorum" });
  await expect(asked.audit({ position: 5, stocksAt: [3, 4] })).rejects.toThrow("audit 5 3,4");
});

test("a replication message of the wrong shape, or of another replica than its sender, never reaches the core", async () => {
  const { calls, reached } = await served("order", "order-9092");
  const good: Envelope = { from: 9092, incarnation: 1, message: { kind: "prepare", epoch: 4 } };
  calls.message({ ...good, message: { kind: "prepare", epoch: -1 } });
  calls.message({ ...good, from: 9090 });
  calls.message(good);
  await expect.poll(() => reached, { timeout: 2_000 }).toEqual([good]);
});

test("status says where the replica stands", async () => {
  const { calls } = await served("cli");
  expect(await calls.status({})).toEqual({
    role: "order-9094",
    pid: process.pid,
    up: true,
    leads: true,
    leader: 9094,
    vote: false,
    epoch: 3,
    last: 12,
    commit: 11,
    exposed: 10,
    applied: 9,
  });
});

test("a replica says in its log what the front end made of it", async () => {
  const { calls, messages } = await served("frontend");
  await calls.notifyLeader({ leader: 9094 });
  await calls.notifyLeader({ leader: 9092 });
  expect(messages).toEqual([
    "This process is the leader of the replicated order pool - Flag is True",
    "This process is a replica - Flag is False",
  ]);
});
