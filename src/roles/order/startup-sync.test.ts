import pino from "pino";
import { expect, test } from "vitest";
import { StartupSync } from "./startup-sync.ts";

function starting(newest: number) {
  const messages: string[] = [];
  const log = pino(
    {
      level: "info",
    },
    {
      write: (line: string) => messages.push((JSON.parse(line) as { msg: string }).msg),
    },
  );
  const state = { newest, delivered: 20, ready: 0 };
  const sync = new StartupSync({
    log,
    newestNumber: () => state.newest,
    deliveredPosition: () => state.delivered,
    onReady: () => {
      state.ready += 1;
    },
  });
  return { sync, state, messages };
}

const STARTED = [
  "Existing Order Log File Found.",
  "TXN_NUM is initialized as 14",
  "Loading order log",
  "Order replica just started. Trying to sync",
  "Checking for leader at startup time",
];

test("a replica that returns isn't called synced before it has all that the leader had", () => {
  const { sync, state, messages } = starting(14);
  sync.searched({ replica: 9092, commitPosition: 37 });
  state.delivered = 36;
  sync.tick();
  expect(messages).toEqual([
    ...STARTED,
    "Leader found at startup time, syncing... 9092",
    "Calling get_order_log_diff from 9092 order leader",
  ]);
  state.delivered = 40;
  state.newest = 30;
  sync.tick();
  sync.tick();
  expect(messages.slice(7)).toEqual(["Sync done", "Updated TXN_NUM is 30", "Order service ready"]);
  expect(state.ready).toBe(1);
});

test("without a leader a replica is ready at once", () => {
  const { sync, state, messages } = starting(14);
  sync.tick();
  sync.searched(null);
  expect(messages).toEqual([
    ...STARTED,
    "No leader found at startup time, no sync required",
    "Order service ready",
  ]);
  expect(state.ready).toBe(1);
});
