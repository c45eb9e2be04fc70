// Signals, from an emitter in place of the process.

import { EventEmitter } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { SAME_WISH_MS, signalStatus, stopSignals } from "./stop-signals.ts";

async function after(...signals: readonly (readonly [atMs: number, signal: string])[]) {
  const source = Object.assign(new EventEmitter(), { ppid: 7, env: {} });
  let now = 0;
  const { asked, insisted } = stopSignals(source, () => now);
  const seen: string[] = [];
  void asked.then((signal) => seen.push(`asked ${signal}`));
  void insisted.then((signal) => seen.push(`insisted ${signal}`));
  for (const [at, signal] of signals) {
    now = at;
    source.emit(signal);
  }
  await new Promise((resolve) => setImmediate(resolve));
  return seen;
}

afterEach(() => {
  vi.useRealTimers();
});

test("one Ctrl-C that comes twice, from the terminal and through npm, counts once", async () => {
  expect(await after([0, "SIGINT"], [SAME_WISH_MS - 1, "SIGINT"])).toEqual(["asked SIGINT"]);
});

test("a second signal after a moment insists", async () => {
  const seen = await after([0, "SIGTERM"], [SAME_WISH_MS, "SIGINT"], [SAME_WISH_MS + 1, "SIGINT"]);
  expect(seen).toEqual(["asked SIGTERM", "insisted SIGINT"]);
});

test.each([
  ["npx", { npm_command: "exec" }, ["SIGTERM"]],
  ["npm start", { npm_command: "run-script" }, []],
  ["a shell", {}, []],
])(
  "a program whose parent is gone stops under npx, and under nothing else: %s",
  async (_, env, seen) => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const source = Object.assign(new EventEmitter(), { ppid: 7, env });
    const asked: string[] = [];
    void stopSignals(source).asked.then((signal) => asked.push(signal));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toEqual([]);
    source.ppid = 1;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toEqual(seen);
  },
);

test("a signal's exit status is 128 and its number, as shells have it", () => {
  expect(["SIGHUP", "SIGINT", "SIGTERM"].map((name) => signalStatus(name as "SIGHUP"))).toEqual([
    129, 130, 143,
  ]);
});
