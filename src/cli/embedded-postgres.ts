// PostgreSQL for trying `--engine postgres`: a primary and two standbys of this
// machine's own programs, in the data directory, for as long as `up` runs.
//
// All three are on one disk, and nobody fails over: what it shows is how the bazaar
// works on PostgreSQL, not what PostgreSQL is for. So it is never called anything
// but a trial, and whoever has a database gives its address.
//
//   - They listen on sockets in the data directory, which is its owner's alone: no port
//     is taken, and nobody else on the machine can connect.
//   - One that ends is started again. When this process ends, however, they end, too,
//     where the system can do that (Linux); else the next start stops them first.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { privateFolder } from "../io/private-files.ts";
import { anyPrograms, PostgresServer, postgresUrl, type RunAs } from "./postgres-server.ts";
import { UserError } from "./user-error.ts";

/** In the data directory. */
export const EMBEDDED_FOLDER = "postgres";
const NAMES = ["pg1", "pg2", "pg3"];
/** Of the sockets' names; they are in a folder of their own. */
const FIRST_PORT = 5432;
/** Of a path to a socket, bytes: what Linux and macOS have room for. */
const SOCKET_PATH_MAX = 103;
const AGAIN_MS = 1_000;
/** For a server that an earlier `up` left to end. */
const LEFT_LIMIT_MS = 10_000;
/** Who is nobody, on every system: inside the servers' namespace their user has this number. */
const NOBODY = 65_534;
const SETTINGS = [`synchronous_standby_names=ANY 1 (${NAMES.join(", ")})`, "shared_buffers=32MB"];

/** For order processes: where the servers of this data directory are, whether or not they run. */
export function embeddedUrl(data: string): string {
  const host = join(data, EMBEDDED_FOLDER);
  return postgresUrl(NAMES.map((_, index) => ({ host, port: FIRST_PORT + index })));
}

export class EmbeddedPostgres {
  readonly #servers: readonly PostgresServer[];
  readonly #folder: string;
  readonly #complain: (line: string) => void;
  readonly #stopping = new AbortController();

  private constructor(data: string, complain: (line: string) => void) {
    this.#folder = join(data, EMBEDDED_FOLDER);
    this.#complain = complain;
    const programs = anyPrograms();
    const runAs = withoutRoot();
    this.#servers = NAMES.map(
      (name, index) =>
        new PostgresServer({
          ...{ name, programs, runAs, settings: SETTINGS },
          folder: join(this.#folder, name),
          host: this.#folder,
          port: FIRST_PORT + index,
        }),
    );
  }

  /** Makes the servers if there are none yet, and starts them. Throws UserError. */
  static async start(data: string, complain: (line: string) => void): Promise<EmbeddedPostgres> {
    const embedded = new EmbeddedPostgres(data, complain);
    await embedded.#start();
    return embedded;
  }

  /** What runs where, in a line; in a path as short as this. */
  static told(folder: string): string {
    return `PostgreSQL to try it with, ${NAMES.length} servers on this machine's one disk: ${join(folder, EMBEDDED_FOLDER)}`;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  async #start(): Promise<void> {
    const longest = Buffer.byteLength(join(this.#folder, `.s.PGSQL.${FIRST_PORT}.lock`));
    if (longest > SOCKET_PATH_MAX) {
      throw new UserError(
        `${this.#folder} is too long a path for PostgreSQL's sockets: give a --data directory with a shorter one`,
      );
    }
    privateFolder(this.#folder);
    const [primary, ...standbys] = this.#servers;
    if (primary === undefined) return;
    // The last one that is made: before, a crash left parts, which are worth nothing.
    const isMade = existsSync(join(standbys.at(-1)?.folder ?? "", "standby.signal"));
    if (!isMade) {
      for (const { folder } of this.#servers) rmSync(folder, { recursive: true, force: true });
      await primary.make();
      for (const standby of standbys) await standby.copy(primary);
    }
    try {
      for (const server of this.#servers) await endLeft(server.folder);
      const all = this.#servers.map((server) => this.#keep(server));
      await Promise.all(all);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Starts one, and starts it again whenever it ends by itself. */
  async #keep(server: PostgresServer): Promise<void> {
    const { exited } = await server.start();
    void exited.then(async (words) => {
      const { signal } = this.#stopping;
      for (let why = words; !signal.aborted; ) {
        this.#complain(`PostgreSQL's ${server.name} ended (${why}); starting it again`);
        await delay(AGAIN_MS);
        if (signal.aborted) return;
        try {
          return await this.#keep(server);
        } catch (error) {
          why = (error as Error).message;
        }
      }
    });
  }
}

/** Ends the server that an `up` left which was killed where nothing tells its children. */
async function endLeft(folder: string): Promise<void> {
  const file = join(folder, "postmaster.pid");
  const pid = () => (existsSync(file) ? Number.parseInt(readFileSync(file, "utf8"), 10) : null);
  const left = pid();
  if (left === null || !runsFor(left, folder)) return;
  process.kill(left, "SIGINT");
  const limit = performance.now() + LEFT_LIMIT_MS;
  while (pid() === left && performance.now() < limit) await delay(AGAIN_MS / 20);
}

/** Whether this process is a server of that folder, and not whoever got its number next. */
function runsFor(pid: number, folder: string): boolean {
  const { stdout } = spawnSync("ps", ["-o", "args=", "-p", `${pid}`], { encoding: "utf8" });
  return (stdout ?? "").includes(folder);
}

/** PostgreSQL refuses root: then its servers are nobody in a user namespace of their own, in which root's files are theirs. */
function withoutRoot(): RunAs {
  const ends = ["setpriv", "--pdeathsig", "INT"];
  const namespace = ["unshare", "--user", `--map-user=${NOBODY}`];
  if (process.geteuid?.() !== 0) return { through: canRun(ends) ? ends : [] };
  if (canRun(namespace)) return { through: [...namespace, ...(canRun(ends) ? ends : [])] };
  throw new UserError(
    "PostgreSQL doesn't run as root: run this as another user, or give --engine the address of a server",
  );
}

function canRun(through: readonly string[]): boolean {
  const [command = "", ...args] = through;
  return spawnSync(command, [...args, "true"]).status === 0;
}
