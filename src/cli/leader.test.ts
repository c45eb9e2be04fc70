// Commands that ask leaders, real listeners that answer or don't.

import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { readSecret } from "../io/rpc/secret.ts";
import { type AskResult, orderContract } from "../roles/contract.ts";
import { commandIdentity, Peers } from "../roles/peers.ts";
import { Bench } from "./commands/testing.ts";
import { Leader, withLeader } from "./leader.ts";
import { resolveConfig } from "./resolve-config.ts";
import { UserError } from "./user-error.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

test("connections are closed when the work is done or has failed", async () => {
  let peers: { readonly isOpen: boolean }[] = [];
  const port = await bench.serve(
    { ask: orderContract.ask },
    {
      ask: (_, peer) => {
        peers = [...peers, peer];
        return { kind: "answers" as const, answers: [{ kind: "order" as const, order: null }] };
      },
    },
  );
  bench.cluster.members = [port];
  const config = resolveConfig({
    flags: { data: bench.data, replicas: String(port) },
    environment: {},
    file: null,
    cwd: "/",
    stocksShipped: "",
  });
  const answer = await withLeader(config, (leader) => leader.ask({ kind: "order", number: 1 }));
  expect(answer).toEqual({ kind: "order", order: null });
  const failing = withLeader(config, async (leader) => {
    await leader.ask({ kind: "order", number: 1 });
    throw new Error("a bug");
  });
  await expect(failing).rejects.toThrow("a bug");
  expect(peers.length).toBe(2);
  await vi.waitUntil(() => peers.every((peer) => !peer.isOpen), { timeout: 30_000 });
});

const ADJUST = {
  kind: "request",
  requestId: "one",
  content: { kind: "adjust", name: "FishCo", by: 1 },
  recordRefusal: true,
} as const;
const ADJUSTED = { kind: "outcome", outcome: { kind: "adjusted" } } as const;

/** A leader asked over connections to these ports, which close with the test. */
function leaderAt(ports: readonly number[], limitMs?: number): Leader {
  const [highest = 0] = ports.toSorted((a, b) => b - a);
  bench.cluster.members = [highest];
  const peers = new Peers(
    { secret: readSecret(bench.data), certificates: null },
    commandIdentity([highest]),
  );
  onTestFinished(() => peers.close());
  const replicas = ports.map((port) => ({
    id: port,
    name: `order-${port}`,
    host: "127.0.0.1",
    port,
  }));
  return new Leader({ replicas, peers, ...(limitMs !== undefined && { limitMs }) });
}

test("a change is asked again until a leader has made it, as the same request", async () => {
  const results: AskResult[] = [
    { kind: "unknown" },
    { kind: "answers", answers: [{ kind: "busy" }] },
    { kind: "answers", answers: [ADJUSTED] },
  ];
  const asked: unknown[] = [];
  const port = await bench.serve(
    { ask: orderContract.ask },
    {
      ask({ questions }) {
        asked.push(...questions);
        return results.shift() ?? ({ kind: "unknown" } as const);
      },
    },
  );
  expect(await leaderAt([port, 1]).ask(ADJUST)).toEqual(ADJUSTED);
  expect(asked).toEqual([ADJUST, ADJUST, ADJUST]);
});

test("without a leader a question ends, with the reason and where to look", async () => {
  await expect(leaderAt([1], 500).ask(ADJUST)).rejects.toThrow(
    /^no order leader answered within 0.5 s \(order-1: .*\): see "npx bazaar status"$/,
  );
});

test("what is refused as it is, is not asked again", async () => {
  const port = await bench.serve(
    { ask: orderContract.ask },
    { ask: () => ({ kind: "unknown" as const }) },
  );
  const tooLong = { kind: "lookup", name: "A".repeat(1_000) } as const;
  await expect(leaderAt([port]).ask(tooLong)).rejects.toThrow(/^refused: /);
});

test("another cluster's replica ends the question at once", async () => {
  const port = await bench.serve(
    { ask: orderContract.ask },
    { ask: () => ({ kind: "unknown" as const }) },
  );
  const leader = leaderAt([port]);
  bench.cluster.members = [port, port + 1, port + 2];
  await expect(leader.ask(ADJUST)).rejects.toThrow(UserError);
});
