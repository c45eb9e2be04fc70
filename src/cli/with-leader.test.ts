// A command that asked the leader leaves nothing open.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { orderContract } from "../roles/contract.ts";
import { Bench } from "./commands/testing.ts";
import { resolveConfig } from "./resolve-config.ts";
import { withLeader } from "./with-leader.ts";

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
