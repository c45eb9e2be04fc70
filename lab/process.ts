// Child processes of whoever tests or measures: `bazaar` commands and others, to
// their end or left running, with what they print kept.
//
//   - None outlives this process: when it exits, what it started is killed; a
//     bazaar notices that its parent is gone even where nobody could do that.
//   - Settings that whoever runs this has for a bazaar of their own don't reach them.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { REPLICA_NODE_ARGS } from "../src/cli/processes.ts";
import { SOON_MS, until } from "./wait.ts";

export const ROOT = resolve(import.meta.dirname, "..");

/** Limit for a command that ends by itself. */
const COMMAND_LIMIT_MS = 60_000;
/** For a process to end after the signal; then it is killed. */
const STOP_LIMIT_MS = 10_000;
/** Of what a process printed, so much of the end is told with an error, characters. */
const PRINTED_SHOWN = 4_000;
/** A killed process may still be writing: each try waits a little longer than the one before. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 } as const;
const NOT_PASSED_ON = /^(BAZAAR_|VITEST|NODE_OPTIONS$|NODE_ENV$|ETCD_|PG)/;

/** A finished command. */
export interface Finished {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningOptions {
  /** Of its environment, what differs from this process's. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Default: the checkout. */
  readonly cwd?: string;
  /** Leads a process group of its own, which Ctrl-C doesn't reach. Default: no. */
  readonly isDetached?: boolean;
}

/** A process that was started. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<Finished>;
  stdout = "";
  stderr = "";
  #finished: Finished | null = null;

  constructor(command: string, args: readonly string[], options: RunningOptions = {}) {
    const { environment, cwd = ROOT, isDetached = false } = options;
    this.child = spawn(command, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      detached: isDetached,
      env: { ...cleanEnvironment(), ...environment },
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    const noLonger = atExit(() => this.child.kill("SIGKILL"));
    this.exited = new Promise((resolve, reject) => {
      const ended = (finished: Omit<Finished, "stdout" | "stderr">) => {
        noLonger();
        this.#finished ??= { ...finished, stdout: this.stdout, stderr: this.stderr };
        return this.#finished;
      };
      this.child.once("error", (error) => {
        if (this.child.pid !== undefined) return; // A signal that couldn't be sent is no end.
        this.stderr += String(error);
        ended({ status: null, signal: null });
        reject(error);
      });
      this.child.once("close", (status, signal) => resolve(ended({ status, signal })));
    });
    // A spawn that fails is reported to who waits; nobody has to.
    this.exited.catch(() => {});
  }

  /** Null while it runs. */
  get finished(): Finished | null {
    return this.#finished;
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error(`it didn't start: ${this.printed}`);
    return pid;
  }

  /** What it is, and what it printed last, for an error's message. */
  get printed(): string {
    const { status, signal } = this.#finished ?? { status: null, signal: null };
    const how = this.#finished === null ? "running" : (signal ?? `status ${status}`);
    const [stdout, stderr] = [this.stdout, this.stderr].map((text) => text.slice(-PRINTED_SHOWN));
    return `${this.child.spawnargs.join(" ")}: ${how}\n${stdout}${stderr}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for a condition; fails at once when the process ends before. */
  async ready(
    what: string,
    probe: () => boolean | Promise<boolean>,
    limitMs = SOON_MS,
  ): Promise<void> {
    const isOver = () => this.#finished !== null;
    try {
      await until(what, async () => isOver() || (await probe()), limitMs);
    } catch (error) {
      throw new Error(`${error}\n${this.printed}`, { cause: error });
    }
    if (isOver()) throw new Error(`ended before it was ready: ${this.printed}`);
  }

  /** Waits for its end, at most `limitMs`; then it is killed and the wait fails. */
  async end(limitMs = COMMAND_LIMIT_MS): Promise<Finished> {
    try {
      await until("its end", () => this.#finished, limitMs);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw new Error(`${error}\n${this.printed}`, { cause: error });
    }
    return this.exited;
  }

  /** Ends it with a signal, and kills it if that isn't obeyed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#finished !== null) return;
    this.child.kill(signal);
    try {
      await until("its end", () => this.#finished, STOP_LIMIT_MS);
    } catch {
      this.child.kill("SIGKILL");
      await this.exited;
    }
  }
}

/** Starts `bazaar ARGS` with the Node.js that runs this, a replica as `up` does. `environment`: what it has besides. */
export function startBazaar(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
  const nodeArgs = args[0] === "order" ? REPLICA_NODE_ARGS : [];
  return new Running(process.execPath, [...nodeArgs, resolve(ROOT, "bin/bazaar.js"), ...args], {
    // npm's own word, upon which a bazaar looks for its parent.
    environment: { npm_command: "exec", ...environment },
    isDetached: true,
  });
}

/** Runs `bazaar ARGS` to its end. */
export function runBazaar(
  args: readonly string[],
  limitMs?: number,
  environment?: NodeJS.ProcessEnv,
): Promise<Finished> {
  return startBazaar(args, environment).end(limitMs);
}

/** Runs a command to its end and returns what it printed; throws unless it ends with status 0. */
export async function run(
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<string> {
  const running = new Running(command, args);
  const { status, stdout } = await running.end(limitMs);
  if (status !== 0) throw new Error(running.printed);
  return stdout;
}

/** A folder among the system's temporary ones that is gone when this process is, also after Ctrl-C. */
export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #noLonger: () => void;

  /** In the system's folder for such, or in TMPDIR. */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `bazaar-${name}-`));
    this.#noLonger = atExit(() => this.#remove());
  }

  [Symbol.dispose](): void {
    this.#noLonger();
    this.#remove();
  }

  #remove(): void {
    rmSync(this.path, REMOVE);
  }
}

/** Where a program is; null when it isn't installed. `folders` are looked at before the PATH. */
export function findProgram(name: string, folders: readonly string[] = []): string | null {
  for (const folder of [...folders, ...(process.env.PATH ?? "").split(delimiter)]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  return null;
}

/** Sends it unless the process has ended meanwhile. */
export function signalIfThere(pid: number | null, signal: NodeJS.Signals): void {
  try {
    if (pid !== null) process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

/** Processes whose command line has `text` in it, other than this one. None where there is no `ps`. */
export function pidsNaming(text: string): readonly number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,stat=,args="], { encoding: "utf8" });
  return (stdout ?? "")
    .split("\n")
    .filter((line) => line.includes(text))
    .map((line) => /^\s*(\d+)\s+(\S+)/.exec(line))
    .flatMap((match) => (match && !match[2]?.startsWith("Z") ? [Number(match[1])] : []))
    .filter((pid) => pid !== process.pid);
}

/** Does it when this process exits, the newest first, so that nobody writes to a folder that is being removed. Returns what forgets it. */
function atExit(action: () => void): () => void {
  process.setMaxListeners(process.getMaxListeners() + 1);
  process.prependListener("exit", action);
  return () => {
    process.off("exit", action);
    process.setMaxListeners(process.getMaxListeners() - 1);
  };
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !NOT_PASSED_ON.test(name)),
  );
}
