// The servers and load generators of the benchmark, as child processes that
// never outlive it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { until } from "../test/system/harness/wait.ts";
import { STOP_LIMIT_MS } from "./limits.ts";

/** The end of what a process printed, for errors. */
const PRINTED_SHOWN = 2_000;

/** A running process, with what it printed. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  stdout = "";
  stderr = "";
  /** How it ended; null while it runs. */
  end: string | null = null;

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: environment() });
    const kill = () => this.process.kill("SIGKILL");
    // Before the folders it writes to are removed.
    process.prependListener("exit", kill);
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      const finish = (how: string) => {
        process.off("exit", kill);
        this.end ??= how;
        resolve();
      };
      this.process.once("error", (error) => finish(String(error)));
      this.process.once("close", (status, signal) => finish(signal ?? `status ${status}`));
    });
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error("it didn't start");
    return pid;
  }

  /** What it printed last, for an error's message. */
  get printed(): string {
    return `${this.process.spawnargs.join(" ")}: ${this.end ?? "running"}\n${this.stdout.slice(-PRINTED_SHOWN)}${this.stderr.slice(-PRINTED_SHOWN)}`;
  }

  /** Waits for a condition; fails at once when the process ends before. */
  async ready(
    what: string,
    probe: () => boolean | Promise<boolean>,
    limitMs: number,
  ): Promise<void> {
    try {
      await until(what, async () => this.end !== null || (await probe()), limitMs);
    } catch (error) {
      throw new Error(`${error}\n${this.printed}`, { cause: error });
    }
    if (this.end !== null) throw new Error(`ended before it was ready: ${this.printed}`);
  }

  /** Ends it with a signal, and kills it if that isn't obeyed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.process.kill(signal);
    try {
      await until("its end", () => this.end !== null, STOP_LIMIT_MS);
    } catch {
      this.process.kill("SIGKILL");
      await this.ended;
    }
  }
}

/** Runs a command to its end and returns what it printed; throws unless it ends with status 0. */
export async function run(
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<string> {
  const child = new Child(command, args);
  try {
    await until(`the end of ${command}`, () => child.end !== null, limitMs);
  } catch (error) {
    child.process.kill("SIGKILL");
    throw new Error(`${error}\n${child.printed}`, { cause: error });
  }
  if (child.end !== "status 0") throw new Error(child.printed);
  return child.stdout;
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

/** First line of `program --version`, for the record. */
export function versionOf(program: string, option = "--version"): string {
  const { stdout, stderr } = spawnSync(program, [option], { encoding: "utf8" });
  return (stdout || stderr || "").split("\n")[0]?.trim() ?? "";
}

/** Without settings that whoever runs this may have for a bazaar of their own. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(BAZAAR_|VITEST|NODE_OPTIONS$|NODE_ENV$|ETCD_|PG)/.test(name),
    ),
  );
}
