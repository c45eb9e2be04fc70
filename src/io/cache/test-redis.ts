// A real redis-server for tests: on a free port, with nothing on disk.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The server must accept connections within this time. */
const START_LIMIT_MS = 5_000;

export interface RedisServer {
  readonly url: string;
  start(): Promise<void>;
  /** SIGKILL: connections break, copies are gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** Kills it and removes its directory. */
  remove(): Promise<void>;
}

/** A server that isn't started yet; its port stays the same over restarts. */
export async function redisServer(...flags: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "bazaar-redis-"));
  let child: ChildProcess | null = null;

  async function kill(): Promise<void> {
    if (!child) return;
    if (child.exitCode !== null) {
      child = null;
      return;
    }
    const gone = new Promise((resolve) => child?.once("exit", resolve));
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await gone;
    child = null;
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const plain = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir"];
      child = spawn("redis-server", [...plain, directory, ...flags], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await said(child, "Ready to accept connections");
    },
    kill,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    async remove() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function said(child: ChildProcess, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    const limit = setTimeout(() => reject(new Error(`no Redis: ${output}`)), START_LIMIT_MS);
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`Redis ended: ${output}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk;
      if (!output.includes(line)) return;
      clearTimeout(limit);
      resolve();
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
