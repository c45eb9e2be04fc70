// A cluster that only the evaluation knows: `bazaar up` on free ports, in a
// temporary folder, with the means to kill a replica and bring it back.
//
//   E1. Nothing that the environment says of another bazaar reaches it.
//   E2. Whatever was started is stopped, and the folder removed, by close().
//   E3. `up` doesn't bring the dead back here, since it gives up a role that
//       crashes five times in a minute: who kills starts it again.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { BazaarClient } from "../../client/index.ts";
import { readSecret } from "../../io/rpc/secret.ts";
import { orderContract, type RoleStatus } from "../../roles/contract.ts";
import type { Verdict } from "../../roles/verification.ts";
import { lastLine } from "../child.ts";
import { STOCKS_SHIPPED } from "../command.ts";
import { Peers } from "../peers.ts";
import { runningPid } from "../pid-file.ts";
import { freePorts } from "./ports.ts";
import { readReplicaFile } from "./replica-files.ts";
import type { ReplicaFile } from "./results.ts";

const SCRIPT = join(import.meta.dirname, "../../../bin/bazaar.js");
const HOST = "127.0.0.1";
const POLL_MS = 25;
/** Limits for a bazaar to open, a killed replica to be level again, and a process to be gone. */
const OPEN_LIMIT_MS = 60_000;
const LEVEL_LIMIT_MS = 60_000;
const GONE_LIMIT_MS = 10_000;
const STATUS_LIMIT_MS = 1_500;
const VERIFY_LIMIT_MS = 180_000;
/** Of what a process writes to stderr, this much of the end is kept, characters. */
const SAID_KEPT = 4_096;
/** How often a folder is tried to be removed that somebody still writes to. */
const REMOVALS_MAX = 5;
/** Entries that a replica may be behind and still be level with a leader that goes on. */
const BEHIND_MAX = 200;

/** The options of a cluster: its files in `data`, and five neighbouring ports. */
export function clusterOptions(
  data: string,
  ports: readonly number[],
  more: readonly string[],
): readonly string[] {
  const [frontend, catalog, ...replicas] = ports;
  return [
    `--data=${data}`,
    `--host=${HOST}`,
    `--internal-host=${HOST}`,
    `--port=${frontend}`,
    "--frontends=1",
    `--catalog-port=${catalog}`,
    "--catalogs=1",
    `--replicas=${replicas.join(",")}`,
    `--stocks=${STOCKS_SHIPPED}`,
    ...(more.includes("--no-cache") ? [] : ["--cache=memory"]),
    "--log-level=info",
    ...more,
  ];
}

export class OwnCluster {
  readonly replicas: readonly number[];
  readonly url: string;
  readonly folder: string;
  readonly #data: string;
  readonly #options: readonly string[];
  readonly #started: Started[] = [];
  #peers: Peers | null = null;
  #isClosed = false;

  private constructor(ports: readonly number[], more: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), "bazaar-evaluate-"));
    this.#data = join(this.folder, "data");
    this.#options = clusterOptions(this.#data, ports, more);
    this.url = `http://${HOST}:${ports[0]}`;
    this.replicas = ports.slice(2);
  }

  /** Ports and a folder, nothing started. `more`: further options, --no-cache say. */
  static async prepare(more: readonly string[]): Promise<OwnCluster> {
    return new OwnCluster(await freePorts(5, Math.random), more);
  }

  /** Starts everything and waits until a trade could be answered. Throws with the reason when it can't. */
  async open(): Promise<void> {
    const up = this.#start("up", "--no-restart"); // E3
    await this.#until("a bazaar that is open", OPEN_LIMIT_MS, async () => {
      if (hasEnded(up.child)) throw new Error(lastLine(up.said) || "bazaar up ended");
      return isReady(this.url);
    });
    this.#peers = new Peers(readSecret(this.#data), this.replicas);
  }

  /** A client of its front end, over `fetch` if one is given. */
  client(fetchGiven: typeof fetch = fetch): BazaarClient {
    return new BazaarClient({ url: this.url, fetch: fetchGiven });
  }

  /** The id of the replica that leads and that all others follow; waits until all are level. */
  level(): Promise<number> {
    return this.#until("all replicas level", LEVEL_LIMIT_MS, async () => {
      const all = await Promise.all(this.replicas.map((id) => this.#status(id)));
      return levelLeader(all, this.replicas);
    });
  }

  /** kill -9, and waits until the process is gone. */
  async kill(replica: number): Promise<void> {
    const role = `order-${replica}`;
    const pid = runningPid(this.#data, role);
    if (pid === null) throw new Error(`${role} isn't running`);
    process.kill(pid, "SIGKILL");
    await this.#until(`the end of ${role}`, GONE_LIMIT_MS, async () => {
      return runningPid(this.#data, role) !== pid;
    });
  }

  /** Starts a replica that was killed. */
  restart(replica: number): void {
    this.#start("order", String(replica));
  }

  /** What `bazaar verify --json` says. */
  verify(): Promise<Verdict> {
    const args = [SCRIPT, "verify", "--json", ...this.#options];
    const options = { timeout: VERIFY_LIMIT_MS, env: environment(process.env) };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, args, options, (_error, stdout, stderr) => {
        try {
          resolve(JSON.parse(stdout));
        } catch {
          reject(new Error(`verify told nothing: ${stderr.trim()}`));
        }
      });
    });
  }

  /** Stops everything, then reads what the replicas' files hold at `position`. */
  async stoppedFiles(position: number): Promise<readonly ReplicaFile[]> {
    await this.#stop();
    return Promise.all(
      this.replicas.map((id) => readReplicaFile(this.#data, `order-${id}`, position)),
    );
  }

  /** E2. May be called at any time, and again. */
  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: REMOVALS_MAX });
  }

  async #stop(): Promise<void> {
    this.#isClosed = true;
    this.#peers?.close();
    for (const { child } of this.#started) child.kill("SIGTERM");
    const exits = Promise.all(this.#started.map(({ exited }) => exited));
    const isLate = pause(GONE_LIMIT_MS, "late", { ref: false });
    if ((await Promise.race([exits, isLate])) === "late") {
      for (const { child } of this.#started) child.kill("SIGKILL"); // Roles end when their `up` is gone.
      await exits;
    }
  }

  #start(...command: readonly string[]): Started {
    if (this.#isClosed) throw new Error("the cluster is closed");
    const child = spawn(process.execPath, [SCRIPT, ...command, ...this.#options], {
      stdio: ["ignore", "ignore", "pipe"],
      // A group of its own: Ctrl-C reaches the evaluation alone, which stops what it started.
      detached: true,
      env: environment(process.env),
    });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const started: Started = { child, exited, said: "" };
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      started.said = (started.said + text).slice(-SAID_KEPT);
    });
    this.#started.push(started);
    return started;
  }

  async #status(replica: number): Promise<RoleStatus | null> {
    const reached = await this.#peers?.reach({ host: HOST, port: replica }, STATUS_LIMIT_MS);
    if (reached?.kind !== "reached") return null;
    const calls = reached.peer.calls(orderContract, { timeoutMs: STATUS_LIMIT_MS });
    return calls.status({}).catch(() => null);
  }

  /** Asks until the answer is neither false nor null. Throws at the limit, and when closed meanwhile. */
  async #until<T>(what: string, limitMs: number, ask: () => Promise<T | false | null>): Promise<T> {
    const end = performance.now() + limitMs;
    while (performance.now() < end) {
      if (this.#isClosed) throw new Error("the cluster is closed");
      const answer = await ask();
      if (answer !== false && answer !== null) return answer;
      await pause(POLL_MS);
    }
    throw new Error(`no sign of ${what} after ${limitMs / 1_000} s`);
  }
}

/** A process of the cluster, and the end of what it said on stderr. */
interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  said: string;
}

function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}

/**
 * What a process of the cluster is told: nothing of another bazaar (E1); and, in
 * npm's own words, to stop when its parent is gone, even if that was killed.
 */
export function environment(ours: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(ours).filter(([name]) => !name.startsWith("BAZAAR_"));
  return { ...Object.fromEntries(kept), npm_command: "exec" };
}

/** The leader, if all are there and level with it; null otherwise. */
export function levelLeader(
  statuses: readonly (Pick<RoleStatus, "leads" | "leader" | "last"> | null)[],
  ids: readonly number[],
): number | null {
  const leading = statuses.findIndex((status) => status?.leads);
  const leader = ids[leading];
  const newest = Math.max(...statuses.map((status) => status?.last ?? 0));
  if (leader === undefined) return null;
  const areLevel = statuses.every(
    (status, index) =>
      status !== null &&
      newest - (status.last ?? 0) < BEHIND_MAX &&
      (index === leading || (!status.leads && status.leader === leader)),
  );
  return areLevel ? leader : null;
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(STATUS_LIMIT_MS) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
