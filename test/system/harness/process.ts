// Child processes of the tests: `bazaar` commands, in the foreground to their
// end or left running, with what they print kept.

import { type ChildProcess, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { REPLICA_NODE_ARGS } from "../../../src/cli/up.ts";
import { until } from "./wait.ts";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Limit for a command that ends by itself. */
const COMMAND_LIMIT_MS = 60_000;

/** A finished command. */
export interface Finished {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that a test started. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<Finished>;
  stdout = "";
  stderr = "";
  #finished: Finished | null = null;

  /** In `cwd`, the checkout unless told. */
  constructor(
    command: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv = {},
    cwd = ROOT,
  ) {
    this.child = spawn(command, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...environment },
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (status, signal) => {
        this.#finished = { status, signal, stdout: this.stdout, stderr: this.stderr };
        resolve(this.#finished);
      });
    });
    // A spawn that fails is reported to who waits; nobody has to.
    this.exited.catch(() => {});
  }

  /** Null while it runs. */
  get finished(): Finished | null {
    return this.#finished;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for its end, at most `limitMs`; then it is killed and the wait fails. */
  async end(limitMs = COMMAND_LIMIT_MS): Promise<Finished> {
    try {
      await until(`the end of ${this.child.spawnargs.join(" ")}`, () => this.#finished, limitMs);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw new Error(`${error}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`, { cause: error });
    }
    return this.exited;
  }
}

/** Starts `bazaar ARGS` with the Node.js that runs the tests, a replica as `up` does. */
export function startBazaar(args: readonly string[]): Running {
  const nodeArgs = args[0] === "order" ? REPLICA_NODE_ARGS : [];
  return new Running(process.execPath, [...nodeArgs, resolve(ROOT, "bin/bazaar.js"), ...args]);
}

/** Runs `bazaar ARGS` to its end. */
export function runBazaar(args: readonly string[], limitMs?: number): Promise<Finished> {
  return startBazaar(args).end(limitMs);
}

/** Whether a process of this id is there (a zombie still is, until its parent looks). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The environment without settings that whoever runs the tests may have for a bazaar of their own. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(BAZAAR_|VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(name),
    ),
  );
}
