// `up` as a whole, with tiny processes in place of the roles and a signal that is only told.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { spawnChild } from "./child.ts";
import { readPidFile, writePidFile } from "./pid-file.ts";
import { resolveConfig } from "./resolve-config.ts";
import type { StopSignals } from "./stop-signals.ts";
import { runUp } from "./up.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder = "";
let server: Server;
let said = { out: "", err: "" };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-up-"));
  said = { out: "", err: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said.err += String(text);
    return true;
  });
  server = createServer((request, response) => {
    response.writeHead(request.url === "/readyz" ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  vi.restoreAllMocks();
  server.close();
  rmSync(folder, { recursive: true });
});

const SERVES = `
  process.on("disconnect", () => process.exit(0));
  process.send({ kind: "ready" });
  setInterval(() => {}, 1000);
`;
const REFUSES = `
  const said = { kind: "cannot-start", hopeless: "misconfigured", reason: "port 9092 is in use" };
  process.send(said, () => process.exit(1));
`;
const CRASHES = `setTimeout(() => { console.error("bazaar: a bad checksum"); process.exit(1); }, 50);`;

/** Runs `up` where each role is the script `code` says; the way to signal it, and its exit status. */
function up(code: (role: string) => string, restart = true) {
  const port = (server.address() as AddressInfo).port;
  const config = resolveConfig({
    flags: { port: String(port) },
    environment: {},
    file: null,
    cwd: folder,
    stocksShipped: join(import.meta.dirname, "../../stocks.csv"),
  });
  const asked = Promise.withResolvers<NodeJS.Signals>();
  const insisted = Promise.withResolvers<NodeJS.Signals>();
  const signals: StopSignals = { asked: asked.promise, insisted: insisted.promise };
  const pids: number[] = [];
  const status = runUp(
    config,
    {},
    {
      restart,
      signals,
      spawn: ({ name }) => {
        const script = join(folder, `${name}.mjs`);
        writeFileSync(script, code(name));
        const child = spawnChild({ execPath: process.execPath, script, args: [] });
        pids.push(child.pid ?? 0);
        return child;
      },
    },
  );
  return { port, status, pids, ask: asked.resolve, insist: insisted.resolve };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const LIMIT = { timeout: 30_000 };

test("up prints what runs where and what to open, and a signal ends everything", async () => {
  const { port, status, pids, ask } = up(() => SERVES);
  await vi.waitUntil(() => said.out.includes("open http"), LIMIT);
  const lines = said.out.trimEnd().split("\n");
  expect(lines[0]).toContain("made a new cluster");
  expect(lines[1]).toMatch(/^role +address +pid +log$/);
  expect(lines.slice(2, 7).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
    ["frontend", `127.0.0.1:${port}`, String(pids[0])],
    ["catalog", "127.0.0.1:9096", String(pids[1])],
    ["order-9090", "127.0.0.1:9090", String(pids[2])],
    ["order-9092", "127.0.0.1:9092", String(pids[3])],
    ["order-9094", "127.0.0.1:9094", String(pids[4])],
  ]);
  expect(lines[7]).toBe(`open http://127.0.0.1:${port}`);
  ask("SIGINT");
  expect(await status).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(said.err).toBe("");
});

test("a role that can't start ends everything, with its reason in one line", async () => {
  const { status, pids } = up((role) => (role === "order-9092" ? REFUSES : SERVES));
  expect(await status).toBe(1);
  expect(said.err).toBe("bazaar: order-9092 can't start: port 9092 is in use\n");
  expect(pids.filter(isAlive)).toEqual([]);
});

test("a crash is told in one line with the path of the log, and the rest goes on", async () => {
  const { status, ask } = up((role) => (role === "order-9090" ? CRASHES : SERVES), false);
  await vi.waitUntil(() => said.out.includes("open http") && said.err !== "", LIMIT);
  expect(said.err).toMatch(
    /^bazaar: order-9090 ended with status 1: a bad checksum; it stays down \(log: .*data\/logs\/order-9090\.log\)\n$/,
  );
  ask("SIGTERM");
  expect(await status).toBe(0);
});

test("up whose roles have all ended for good says so and ends with status 1", async () => {
  const { status } = up(() => CRASHES, false);
  expect(await status).toBe(1);
  const lines = said.err.trimEnd().split("\n");
  expect(lines).toHaveLength(6);
  expect(lines.at(-1)).toBe(
    "bazaar: nothing runs any more, and nothing will be started again: stopping",
  );
});

test("a second signal kills a role that hangs", async () => {
  const hangs = SERVES.replace("process.exit(0)", "{}");
  const { status, pids, ask, insist } = up(() => hangs);
  await vi.waitUntil(() => said.out.includes("open http"), LIMIT);
  writePidFile(join(folder, "data"), "catalog", pids[1] ?? 0);
  ask("SIGINT");
  insist("SIGINT");
  expect(await status).toBe(130);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(readPidFile(join(folder, "data"), "catalog")).toBeNull();
});
