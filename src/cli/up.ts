// Everything on this machine: the files if there are none, a process a role,
// and to the person who started it what runs where, and what happened to it.
//
// `up` holds no state and no port of its own, so its end, however it comes, is
// only that: the roles notice and stop. With --playground it also does to the
// roles what a page asks for, and drives a client (playground.ts).

import { join } from "node:path";
import { BazaarClient } from "../client/index.ts";
import { type ClusterConfig, urlOf } from "../roles/config.ts";
import { type SpawnOptions, spawnChild, type TalkingChild } from "./child.ts";
import { expectAllClosed, hasTls, trustAuthorities } from "./closed.ts";
import { columns } from "./columns.ts";
import { formatIfNew, startEmbedded } from "./data-files.ts";
import { EmbeddedPostgres } from "./embedded-postgres.ts";
import { type Flags, flagArguments } from "./options.ts";
import { otherPidFiles, readPidFile, removePidFile, runningPid } from "./pid-file.ts";
import { checkPlaygroundHosts, PlaygroundHost } from "./playground.ts";
import { PlaygroundLinks } from "./playground-links.ts";
import { PlaygroundLoad } from "./playground-load.ts";
import { type ConfiguredProcess, commandOf, processesOf, REPLICA_NODE_ARGS } from "./processes.ts";
import { logFilePath, shortPath } from "./role-command.ts";
import { type StopSignals, signalStatus, stopSignals } from "./stop-signals.ts";
import { type Child, type Clock, Supervisor } from "./supervisor.ts";
import { upLine } from "./up-text.ts";

/** What the roles run: this program. */
const SCRIPT = join(import.meta.dirname, "../../bin/bazaar.js");
/** Between two questions to a front end whether it is open, milliseconds. */
const OPEN_POLL_MS = 50;
/** A bazaar that isn't open by then has a reason that its user should look for, milliseconds. */
const OPEN_PATIENCE_MS = 10_000;

export interface UpOptions {
  /** Start again what crashes. */
  readonly restart: boolean;
  /** Let the page kill, pause and start processes, cut links, and make load. Default: no. */
  readonly playground?: boolean;
  /** Default: a process of this program. */
  readonly spawn?: (role: ConfiguredProcess) => Child;
  /** Default: this process's. */
  readonly signals?: StopSignals;
}

/** Runs everything until a signal. Returns the exit status. Throws UserError when there is nothing to run. */
export async function runUp(
  config: ClusterConfig,
  flags: Flags,
  options: UpOptions,
): Promise<number> {
  if (options.playground) checkPlaygroundHosts(config);
  const postgres = await startEmbedded(config);
  if (postgres !== null) print(EmbeddedPostgres.told(shortPath(config.data, process.cwd())));
  try {
    return await runRoles(config, flags, options);
  } finally {
    await postgres?.stop();
  }
}

async function runRoles(config: ClusterConfig, flags: Flags, options: UpOptions): Promise<number> {
  const made = await formatIfNew(config);
  if (made !== null) print(made);
  expectAllClosed(config);
  trustAuthorities(config);
  // A terminal that is closed stops all; who runs without one asks for certificates to be read anew.
  const hangup = hasTls(config) && !process.stdin.isTTY ? () => tellRoles("SIGHUP") : null;
  const { asked, insisted } = options.signals ?? stopSignals(process, undefined, hangup);

  const links = options.playground ? await PlaygroundLinks.open(config) : null;
  const processes = processesOf(config);
  removeStalePidFiles(config.data, processes);
  const urls = config.frontends.map((frontend) => urlOf(config, frontend));
  const startFailed = Promise.withResolvers<string>();
  const noneLeft = Promise.withResolvers<string>();
  const isOver = new AbortController();
  const logOf = (role: string) => shortPath(logFilePath(config.data, role), process.cwd());
  const load: PlaygroundLoad = new PlaygroundLoad({
    bazaars: urls.map((url) => new BazaarClient({ url, key: () => load.key })),
    random: Math.random,
    onSecond: () => host?.changed(),
  });
  /** The front ends that a page's commands come from, and that are told what became of them. */
  const talking = new Map<string, TalkingChild>();
  const spawnHere = (role: ConfiguredProcess): Child => {
    const env = links?.environmentOf(role.name);
    if (host === null || role.kind !== "frontend") {
      return spawnRole(role, flags, { ...(env && { env }) });
    }
    const child = spawnRole(role, flags, {
      env: { ...env, ...host.environment },
      play: (command, key) => host.play(command, key),
    });
    talking.set(role.name, child);
    void child.ready.then(() => host.changed());
    return child;
  };
  const supervisor = new Supervisor({
    roles: processes,
    clock: processClock,
    restart: options.restart,
    spawn: (role) => {
      const child = options.spawn?.(role) ?? spawnHere(role);
      // One that was killed leaves its file, which would name whoever gets its number next.
      const { pid } = child;
      if (pid !== undefined) {
        void child.exited.then(() => removePidFile(config.data, role.name, pid));
      }
      return child;
    },
    report: (event) => {
      host?.changed();
      if (event.kind === "frontends-serve") {
        // Not sooner: the port may be another bazaar's, which would answer for ours.
        print(whatRunsWhere());
        void whenOpen(urls, isOver.signal).then((isOpen) => {
          clearTimeout(impatience);
          if (!isOpen) return;
          print(`open ${urls.join(" ")}`);
          if (host === null) return;
          print("to play, open this address; whoever has it may kill, pause and start processes:");
          for (const url of urls) print(`  ${host.urlOf(url)}`);
        });
      } else if (event.kind === "none-left") {
        // Whoever supervises this process should know, and nothing here would ever change.
        noneLeft.resolve("nothing runs any more, and nothing will be started again: stopping");
      } else if (event.kind === "ended" && event.next.kind === "start-failed") {
        startFailed.resolve(upLine(event, logOf(event.role.name)));
      } else {
        complain(upLine(event, logOf(event.role.name)));
      }
    },
  });
  const tellRoles = (signal: NodeJS.Signals): void => {
    for (const pid of supervisor.pids().values()) if (pid !== null) process.kill(pid, signal);
  };
  const whatRunsWhere = () => {
    const pids = supervisor.pids();
    const rows = processes.map(({ name, host, port }) => [
      name,
      `${host}:${port}`,
      String(pids.get(name) ?? "-"),
      logOf(name),
    ]);
    return columns([["role", "address", "pid", "log"], ...rows]).trimEnd();
  };

  const host: PlaygroundHost | null = links
    ? new PlaygroundHost({
        supervisor,
        links,
        load,
        tell: (state) => {
          for (const child of talking.values()) child.tell({ kind: "playground-state", state });
        },
        frontends: config.frontends.map(({ name }) => name),
        after: processClock.after,
      })
    : null;

  supervisor.start();
  const impatience = setTimeout(() => {
    complain('not open yet: "npx bazaar status" tells who is missing, the logs tell why');
  }, OPEN_PATIENCE_MS);
  const end = await Promise.race([
    asked.then((signal) => ({ kind: "asked", signal }) as const),
    startFailed.promise.then((line) => ({ kind: "failed", line }) as const),
    noneLeft.promise.then((line) => ({ kind: "failed", line }) as const),
  ]);
  isOver.abort();
  clearTimeout(impatience);
  if (end.kind === "asked" && process.stdout.isTTY) print("stopping");
  let status = end.kind === "asked" ? 0 : 1;
  void insisted.then((signal) => {
    status = signalStatus(signal);
    void supervisor.kill();
  });
  load.close();
  await supervisor.stop();
  links?.close();
  if (end.kind === "failed") complain(end.line);
  return status;
}

/** Takes away what killed processes of roles left that nothing here will start again. */
function removeStalePidFiles(data: string, processes: readonly ConfiguredProcess[]): void {
  const known = processes.map(({ name }) => name);
  for (const role of otherPidFiles(data, known)) {
    const pid = readPidFile(data, role);
    if (pid !== null && runningPid(data, role) === null) removePidFile(data, role, pid);
  }
}

/** The role as a process of this program, with the options that this one was given. */
function spawnRole(
  role: ConfiguredProcess,
  flags: Flags,
  more: Pick<SpawnOptions, "env" | "play">,
): TalkingChild {
  const args = [...commandOf(role), ...flagArguments(flags)];
  const nodeArgs = role.kind === "order" ? REPLICA_NODE_ARGS : [];
  return spawnChild({ execPath: process.execPath, nodeArgs, script: SCRIPT, args, ...more });
}

/** True once a trade could be answered at all of them; false when `signal` ends the wait. */
async function whenOpen(urls: readonly string[], signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const areReady = await Promise.all(urls.map((url) => isReady(url, signal)));
    if (!signal.aborted && areReady.every(Boolean)) return true;
    await new Promise((resolve) => setTimeout(resolve, OPEN_POLL_MS));
  }
  return false;
}

async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

const processClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`bazaar: ${line}\n`);
}
