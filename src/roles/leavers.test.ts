import { expect, test, vi } from "vitest";
import type { Peer, RoleKind } from "../io/rpc/types.ts";
import { Leavers, STOP_TOGETHER_MS } from "./leavers.ts";

const peer = (role: RoleKind) => ({ identity: { role, name: role } }) as unknown as Peer;
const LIMIT_MS = 60_000;

/** Whether the wait is over. */
function waiting(leavers: Leavers, peers: ReadonlySet<Peer>, limitMs = LIMIT_MS) {
  const wait = { isOver: false, ms: 0 };
  const startMs = performance.now();
  void leavers.gone(peers, limitMs).then(() => {
    wait.isOver = true;
    wait.ms = performance.now() - startMs;
  });
  return wait;
}
const over = (wait: { isOver: boolean }) =>
  vi.waitFor(() => expect(wait.isOver).toBe(true), { timeout: 20_000, interval: 5 });

test("a stopping process goes on until the front ends that are leaving have left", async () => {
  const leavers = new Leavers();
  const [first, second] = [peer("frontend"), peer("frontend")];
  const peers = new Set([first, second, peer("order"), peer("catalog")]);
  leavers.leaves(first);
  const wait = waiting(leavers, peers);
  // The second says so a moment later.
  leavers.leaves(second);
  await new Promise((resolve) => setTimeout(resolve, STOP_TOGETHER_MS * 2));
  expect(wait.isOver).toBe(false);
  peers.delete(first);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(wait.isOver).toBe(false);
  peers.delete(second);
  await over(wait);
});

test("a stopping process that no front end is connected to ends at once", async () => {
  for (const peers of [new Set<Peer>(), new Set([peer("order"), peer("catalog"), peer("cli")])]) {
    const wait = waiting(new Leavers(), peers);
    await over(wait);
    expect(wait.ms).toBeLessThan(STOP_TOGETHER_MS);
  }
});

test("a front end that stays is waited for briefly, and one that never leaves though it said so up to the limit", async () => {
  const stays = waiting(new Leavers(), new Set([peer("frontend")]));
  await over(stays);
  expect(stays.ms).toBeGreaterThanOrEqual(STOP_TOGETHER_MS - 1);
  const leavers = new Leavers();
  const hangs = peer("frontend");
  leavers.leaves(hangs);
  const wait = waiting(leavers, new Set([hangs]), STOP_TOGETHER_MS * 2);
  await over(wait);
  expect(wait.ms).toBeGreaterThanOrEqual(STOP_TOGETHER_MS * 2 - 1);
});
