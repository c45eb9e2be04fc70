// Commands that run roles, where they must not run anything; and `format`.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { catalogCommand } from "./catalog.ts";
import { formatCommand } from "./format.ts";
import { frontendCommand } from "./frontend.ts";
import { orderCommand } from "./order.ts";
import { Bench } from "./testing.ts";
import { upCommand } from "./up.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

test.each<[string, string, () => Command, string]>([
  ["order", "9099", orderCommand, "no order replica 9099 is configured, only 9090, 9092, 9094"],
  ["catalog", "9097", catalogCommand, "no catalog 9097 is configured, only 9096: see --catalogs"],
  ["frontend", "9096", frontendCommand, "port 9096 is catalog's: choose another"],
  ["frontend", "web", frontendCommand, 'a port is a whole number from 1 to 65535, not "web"'],
])("%s %s, at a port that isn't the role's, is refused", async (_, port, command, line) => {
  await expect(bench.run(command(), port)).rejects.toThrow(line);
});

test("a role without the cluster's secret is refused", async () => {
  rmSync(join(bench.data, "secret"));
  await expect(bench.run(orderCommand(), "9094")).rejects.toThrow("secret is missing");
  expect(existsSync(join(bench.data, "logs"))).toBe(false);
});

test("up in a folder that lost a replica's files starts nothing", async () => {
  rmSync(join(bench.data, "secret"));
  await bench.run(formatCommand());
  rmSync(join(bench.data, "order-9092"), { recursive: true });
  await expect(bench.run(upCommand())).rejects.toThrow("bazaar format --replace order-9092");
  expect(existsSync(join(bench.data, "run"))).toBe(false);
});

test("format makes a cluster once, and a replacement of what was lost", async () => {
  rmSync(join(bench.data, "secret"));
  const made = await bench.run(formatCommand());
  expect(made.stdout).toMatch(/^made a new cluster with \d\d stocks in /);
  await expect(bench.run(formatCommand())).rejects.toThrow("holds a cluster already");
  rmSync(join(bench.data, "catalog"), { recursive: true });
  const replaced = await bench.run(formatCommand(), "--replace=catalog");
  expect(replaced.stdout).toContain("made an empty replacement for catalog");
  await expect(bench.run(formatCommand(), "--replace=order")).rejects.toThrow(
    'no role "order" is configured',
  );
});
