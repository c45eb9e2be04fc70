// `status` and `verify` against made-up processes on real ports, one of them down.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { catalogContract, orderContract } from "../../roles/contract.ts";
import { writePidFile } from "../pid-file.ts";
import { statusCommand } from "./status.ts";
import { Bench } from "./testing.ts";
import { verifyCommand } from "./verify.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

const { audit, health, status } = orderContract;

function replica(leads: boolean, ordersDigest = "o"): Promise<number> {
  return bench.serve(
    { audit, health, status },
    {
      status: () => ({ role: "order", pid: 42, up: true as const, leads, epoch: 3, last: 7 }),
      health: () => ({
        replica: 1,
        leads,
        leader: null,
        epoch: 3,
        lastPosition: 7,
        commitPosition: 7,
      }),
      audit: ({ position, stocksAt }) => ({
        position,
        entries: position,
        orders: 5,
        requests: 5,
        journalDigest: "j",
        ordersDigest,
        requestsDigest: "r",
        stocksDigests: stocksAt.map(String),
        problems: [],
      }),
    },
  );
}

function catalog(): Promise<number> {
  return bench.serve(
    { audit: catalogContract.audit, status: catalogContract.status },
    {
      audit: () => ({ position: 8, stocks: 1, stocksDigest: "8" }),
      status: () => ({ role: "catalog", pid: 43, up: true as const, applied: 8 }),
    },
    "catalog",
  );
}

/** A port that nothing listens on. */
async function nobody(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("verify says that all copies agree, and at which position", async () => {
  const ports = [await replica(false), await replica(true)];
  const options = [`--replicas=${ports.join(",")}`, `--catalog-port=${await catalog()}`];
  const json = await bench.run(verifyCommand(), "--json", ...options);
  expect(JSON.parse(json.stdout)).toEqual({ ok: true, position: 8, orders: 5, differences: [] });
  expect(json.status).toBe(0);
  const text = await bench.run(verifyCommand(), ...options);
  expect(text.stdout).toBe("All agree at position 8: 5 orders.\n");
});

test("verify fails while a copy differs or is down, and names each", async () => {
  const ports = [await replica(true), await replica(false, "x"), await nobody()];
  const options = [`--replicas=${ports.join(",")}`, `--catalog-port=${await catalog()}`];
  const { stdout, status: exitStatus } = await bench.run(verifyCommand(), "--json", ...options);
  expect(exitStatus).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    differences: [
      `order-${ports[2]} is not reachable`,
      `order-${ports[1]} has other orders than order-${ports[0]}: x, not o`,
    ],
  });
  const text = await bench.run(verifyCommand(), ...options);
  expect(text.stdout).toContain("2 differences found at position 8.");
});

test("status shows which replica leads, and which process is down", async () => {
  const frontend = createServer((_, response) => response.end("{}"));
  await new Promise<void>((resolve) => frontend.listen(0, "127.0.0.1", resolve));
  const { port } = frontend.address() as AddressInfo;
  const removePidFile = writePidFile(bench.data, "frontend", process.pid);
  const ports = [await replica(false), await replica(true), await nobody()];
  const options = [
    `--port=${port}`,
    `--replicas=${ports.join(",")}`,
    `--catalog-port=${await catalog()}`,
  ];
  try {
    const json = await bench.run(statusCommand(), "--json", ...options);
    expect(json.status).toBe(3); // something is down
    expect(JSON.parse(json.stdout)).toEqual({
      leader: ports[1],
      epoch: 3,
      processes: [
        { role: "frontend", pid: null, up: true }, // the test's process is no front end
        { role: "catalog", pid: 43, up: true, applied: 8 },
        { role: `order-${ports[0]}`, pid: 42, up: true, leads: false, epoch: 3, last: 7 },
        { role: `order-${ports[1]}`, pid: 42, up: true, leads: true, epoch: 3, last: 7 },
        { role: `order-${ports[2]}`, pid: null, up: false },
      ],
      notConfigured: [],
    });
    const text = await bench.run(statusCommand(), ...options);
    expect(text.stdout).toContain(`order replica ${ports[1]} leads, epoch 3`);
  } finally {
    removePidFile();
    frontend.close();
  }
});
