// Roles in real processes of their own, with a role that does as it is told.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { readPidFile } from "./pid-file.ts";
import { CLOSE_LIMIT_MS } from "./role-process.ts";
import { SAME_WISH_MS } from "./stop-signals.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "bazaar-role-"));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const LIMIT = { timeout: 30_000 };
let count = 0;

/** Runs a role whose start() is `start`, as code; its folder, its process, and what it says. */
function role(start: string, underUp = false) {
  const data = join(folder, String(count++));
  const script = `${data}.mjs`;
  writeFileSync(
    script,
    `
    import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
    import { pino } from "pino";
    import { tellFailure } from ${JSON.stringify(join(import.meta.dirname, "misconfiguration.ts"))};
    import { runRole } from ${JSON.stringify(join(import.meta.dirname, "role-process.ts"))};
    import { UserError } from ${JSON.stringify(join(import.meta.dirname, "user-error.ts"))};
    const log = pino({ base: null, timestamp: false });
    const config = { data: ${JSON.stringify(data)} };
    const start = ${start};
    try {
      process.exit(await runRole({ config, name: "catalog", credentials: { secret: "", certificates: null }, log, start }));
    } catch (error) {
      await tellFailure(error);
      process.exit(1);
    }
    `.replaceAll('from "pino"', `from ${JSON.stringify(import.meta.resolve("pino"))}`),
  );
  const child = spawn(process.execPath, [script], {
    stdio: ["ignore", "pipe", "pipe", ...(underUp ? (["ipc"] as const) : [])],
  });
  started.push(child);
  const said = { out: "", err: "" };
  child.stdout?.on("data", (text) => {
    said.out += String(text);
  });
  child.stderr?.on("data", (text) => {
    said.err += String(text);
  });
  const messages: unknown[] = [];
  child.on("message", (message) => messages.push(message));
  const status = new Promise<number | null>((resolve) => child.once("close", resolve));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, data, said, messages, status, exited, pid: () => readPidFile(data, "catalog") };
}

const SERVES = `async () => {
  const timer = setInterval(() => {}, 1000);
  return { failed: new Promise(() => {}), close: async () => clearInterval(timer) };
}`;

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends a role with status 0 and without its pid file",
  async (signal) => {
    const { child, data, status, said, pid } = role(SERVES);
    await vi.waitUntil(() => pid() === child.pid, LIMIT);
    child.kill(signal);
    expect(await status).toBe(0);
    expect(said.out).toContain(`received ${signal}`);
    expect(said.err).toBe("");
    expect(readdirSync(join(data, "run"))).toEqual([]);
  },
);

test("a role says that it serves, and stops when its up is gone", async () => {
  const { child, messages, exited, pid } = role(SERVES, true);
  await vi.waitUntil(() => messages.length > 0, LIMIT);
  expect(messages).toEqual([{ kind: "ready" }]);
  expect(pid()).toBe(child.pid);
  child.disconnect();
  expect(await exited).toBe(0);
  expect(pid()).toBeNull();
});

/** One that drains until there is haste. */
const DRAINS = `async () => {
  const timer = setInterval(() => {}, 1000);
  return {
    failed: new Promise(() => {}),
    drain: (haste) => new Promise((resolve) => {
      console.log("drains");
      if (haste.aborted) resolve();
      haste.addEventListener("abort", resolve);
    }),
    close: async () => clearInterval(timer),
  };
}`;

test("SIGTERM lets a role drain, until a second one; Ctrl-C doesn't", async () => {
  const left = role(DRAINS);
  await vi.waitUntil(() => left.pid() === left.child.pid, LIMIT);
  left.child.kill("SIGTERM");
  await vi.waitUntil(() => left.said.out.includes("drains"), LIMIT);
  expect(left.child.exitCode).toBe(null);
  await new Promise((resolve) => setTimeout(resolve, SAME_WISH_MS));
  left.child.kill("SIGTERM");
  expect(await left.status).toBe(143);

  const interrupted = role(DRAINS);
  await vi.waitUntil(() => interrupted.pid() === interrupted.child.pid, LIMIT);
  interrupted.child.kill("SIGINT");
  expect(await interrupted.status).toBe(0);
});

test("a role that drains stops once its up is gone", async () => {
  const { child, said, exited, messages } = role(DRAINS, true);
  await vi.waitUntil(() => messages.length > 0, LIMIT);
  child.kill("SIGTERM");
  await vi.waitUntil(() => said.out.includes("drains"), LIMIT);
  child.disconnect();
  expect(await exited).toBe(0);
});

test("a role that can't start says why in one line, and makes no pid file", async () => {
  const start = `async () => { throw new UserError("the folder is locked"); }`;
  const { data, said, status, messages, exited } = role(start, true);
  expect(await exited).toBe(1);
  await vi.waitUntil(() => messages.length > 0 && said.err !== "", LIMIT);
  expect(said.err).toBe("bazaar: the folder is locked\n");
  const hopeless = "misconfigured";
  expect(messages).toEqual([{ kind: "cannot-start", hopeless, reason: "the folder is locked" }]);
  expect(existsSync(join(data, "run"))).toBe(false);
  void status;
});

test("a role whose pid file can't be written can't start, and is closed", async () => {
  const { data, child, said, messages, exited } = role(
    `async () => {
      mkdirSync(${JSON.stringify(join(folder, "linked"))});
      chmodSync(${JSON.stringify(join(folder, "linked"))}, 0o755);
      mkdirSync(config.data, { mode: 0o700 });
      symlinkSync(${JSON.stringify(join(folder, "linked"))}, config.data + "/run");
      return { failed: new Promise(() => {}), close: async () => console.log("closed") };
    }`,
    true,
  );
  expect(await exited).toBe(1);
  await vi.waitUntil(() => messages.length > 0 && said.err !== "", LIMIT);
  const run = join(data, "run");
  const reason = `${run} is open to other users (mode 0755): chmod -R go-rwx ${run}`;
  expect(messages).toEqual([{ kind: "cannot-start", hopeless: "misconfigured", reason }]);
  expect(said.err).toBe(`bazaar: ${reason}\n`);
  expect(said.out).toContain("closed");
  expect(child.pid).not.toBe(0);
});

test("a role that failed for another reason than its surroundings doesn't report that it can't start", async () => {
  const { messages, exited } = role(`async () => { throw new Error("a bad checksum"); }`, true);
  expect(await exited).toBe(1);
  expect(messages).toEqual([]);
});

test("a role that can't go on is closed and ends with its reason", async () => {
  const { said, status, pid } = role(`async () => ({
    failed: Promise.resolve(new Error("the disk is full")),
    close: async () => console.error("closed"),
  })`);
  expect(await status).toBe(1);
  expect(said.err).toBe("bazaar: the disk is full\nclosed\n");
  expect(said.out).toContain("Stopping: the disk is full");
  expect(pid()).toBeNull();
});

test.each([
  ["an uncaught exception", `setTimeout(() => { throw new Error("a bug"); }, 1)`],
  ["an unhandled rejection", `void Promise.reject(new Error("a bug"))`],
])("%s ends the role with its reason in the log, and no pid file", async (_, failing) => {
  const { said, status, pid } = role(`async () => {
    ${failing};
    return { failed: new Promise(() => {}), close: async () => {} };
  }`);
  expect(await status).toBe(1);
  expect(said.err).toBe("bazaar: a bug\n");
  expect(said.out).toContain('"level":60');
  expect(pid()).toBeNull();
});

test("a role that is told to stop before it serves stops", async () => {
  const { child, said, status } = role(`() => {
    console.log("starting");
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  }`);
  await vi.waitUntil(() => said.out.includes("starting"), LIMIT);
  child.kill("SIGTERM");
  expect(await status).toBe(0);
});

test(
  "a process whose close hangs ends at the limit",
  async () => {
    const { child, said, status, pid } = role(`async () => {
    setInterval(() => {}, 1000);
    return { failed: new Promise(() => {}), close: () => new Promise(() => {}) };
  }`);
    await vi.waitUntil(() => pid() === child.pid, LIMIT);
    child.kill("SIGTERM");
    expect(await status).toBe(0);
    expect(said.out).toContain("Stopped uncleanly");
  },
  CLOSE_LIMIT_MS + 10_000,
);
