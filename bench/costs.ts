// What the bazaar costs, process by process: processor time, system calls, fsyncs,
// messages and wake-ups, of each trade and each batch, and of doing nothing.
//
// These hold on a machine that is busy besides, where a rate doesn't. They are
// counted from outside: by /proc, and by perf where that is installed and allowed;
// messages and batches by the roles' own metrics.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Role } from "../lab/cluster.ts";
import { HttpClient } from "../lab/http.ts";
import { findProgram, Running } from "../lab/process.ts";
import { expectAllUp, type Ground } from "./bazaar.ts";
import { IDLE_S, IDLE_SETTLED_S, STOCKS } from "./limits.ts";
import { trades } from "./requests.ts";
import type { Sample, Subject } from "./round.ts";
import { portOf, withBazaar } from "./subjects.ts";
import { warmUp, wrk, wrkCommand, wrkMissing } from "./wrk.ts";

/** Connections whose trades are looked at. */
export const CONNECTIONS_COSTED: readonly number[] = [1, 64, 256];
export const IDLE_SLOT = "costs.idle";
export const IDLE_FIRST_SLOT = "costs.idle-first";
export const COST_SLOTS: readonly string[] = [
  ...CONNECTIONS_COSTED.map((connections) => `costs.trades.${connections}`),
  IDLE_FIRST_SLOT,
  IDLE_SLOT,
];

const NS_PER_US = 1_000;
const NS_PER_MS = 1_000_000;
const CALLS_EVENT = "raw_syscalls:sys_enter";
const FSYNC_EVENTS = ["syscalls:sys_enter_fsync", "syscalls:sys_enter_fdatasync"] as const;

/** What a process has done since it started. */
interface Work {
  /** Processor time of all its threads, ns. */
  readonly cpuNs: number;
  /** How often one of its threads went to sleep and was woken. */
  readonly wakeUps: number;
  readonly messages: number;
  readonly frames: number;
  /** Entries that hold orders or what else is recorded, and how many of these; of a replica. */
  readonly entries: number;
  readonly commands: number;
}

const COUNTED = ["cpuNs", "wakeUps", "messages", "frames", "entries", "commands"] as const;

/** System calls of a process over some time; null where they can't be counted. */
interface SystemCalls {
  readonly calls: number;
  readonly fsyncs: number;
}

/** A bazaar at work, and then without any. */
export function costsSubject(ground: Ground): Subject {
  return {
    name: "bazaar, its costs",
    slots: COST_SLOTS,
    missing: wrkMissing,
    async run(round) {
      await withBazaar(
        await ground.bazaar(await ground.format("costs", STOCKS)),
        async (bazaar) => {
          await round.measure(IDLE_FIRST_SLOT, "bench/costs.ts", () => idle(bazaar));
          const requests = trades(STOCKS);
          for (const connections of CONNECTIONS_COSTED) {
            const slot = `costs.trades.${connections}`;
            if (!round.wants(slot)) continue;
            await warmUp(portOf(bazaar), requests, round.timing.warmUpS);
            const seconds = round.timing.slotS;
            const load = { port: portOf(bazaar), connections, requests, seconds };
            await round.measure(slot, wrkCommand(load), () =>
              perTrade(bazaar, seconds, async () => void (await wrk(load))),
            );
          }
          if (!round.wants(IDLE_SLOT)) return;
          await delay(IDLE_SETTLED_S * 1_000);
          await round.measure(IDLE_SLOT, "bench/costs.ts", () => idle(bazaar));
        },
      );
    },
  };
}

async function perTrade(
  bazaar: Cluster,
  seconds: number,
  load: () => Promise<void>,
): Promise<Sample> {
  const work = await workDuring(bazaar, seconds, load);
  const leader = work.find(({ part }) => part === "leader");
  if (!leader || leader.done.entries === 0) throw new Error("there was no leader, or no trade");
  const { entries, commands } = leader.done;
  const sample: Record<string, number> = {
    tradesPerBatch: commands / entries,
    trades: commands,
    cpuUsPerTrade: 0,
  };
  for (const { part, done, calls } of work) {
    const cpuUs = done.cpuNs / NS_PER_US;
    sample.cpuUsPerTrade = (sample.cpuUsPerTrade ?? 0) + cpuUs / commands;
    Object.assign(
      sample,
      prefixed(part, {
        cpuUsPerTrade: cpuUs / commands,
        cpuUsPerBatch: cpuUs / entries,
        messagesPerBatch: done.messages / entries,
        framesPerBatch: done.frames / entries,
        wakeUpsPerBatch: done.wakeUps / entries,
        ...(calls && {
          callsPerBatch: calls.calls / entries,
          fsyncsPerBatch: calls.fsyncs / entries,
        }),
      }),
    );
  }
  return sample;
}

async function idle(bazaar: Cluster): Promise<Sample> {
  const work = await workDuring(bazaar, IDLE_S, () => delay(IDLE_S * 1_000));
  const sample: Record<string, number> = { worstCpuMsPerSecond: 0 };
  for (const { part, done, calls } of work) {
    const cpuMsPerSecond = done.cpuNs / NS_PER_MS / IDLE_S;
    sample.worstCpuMsPerSecond = Math.max(sample.worstCpuMsPerSecond ?? 0, cpuMsPerSecond);
    Object.assign(
      sample,
      prefixed(part, {
        cpuMsPerSecond,
        messagesPerSecond: done.messages / IDLE_S,
        framesPerSecond: done.frames / IDLE_S,
        wakeUpsPerSecond: done.wakeUps / IDLE_S,
        ...(calls && { callsPerSecond: calls.calls / IDLE_S }),
      }),
    );
  }
  return sample;
}

/** What each process does while `load` is under way, which takes about so many seconds. */
async function workDuring(bazaar: Cluster, seconds: number, load: () => Promise<void>) {
  const parts = await partsOf(bazaar);
  const before = await Promise.all(parts.map(({ role }) => workOf(bazaar, role)));
  const counting = parts.map(({ role }) => countCalls(bazaar.pid(role.name), seconds));
  await load();
  const after = await Promise.all(parts.map(({ role }) => workOf(bazaar, role)));
  const calls = await Promise.all(counting);
  expectAllUp(bazaar);
  return parts.map(({ part }, index) => {
    const [from, to] = [before[index], after[index]];
    if (!from || !to) throw new Error(`${part} wasn't looked at`);
    const counted = COUNTED.map((what) => [what, to[what] - from[what]]);
    return {
      part,
      done: Object.fromEntries(counted) as unknown as Work,
      calls: calls[index] ?? null,
    };
  });
}

/** Each process by what it does; the followers are `follower-1` and `follower-2`. */
async function partsOf(bazaar: Cluster): Promise<readonly { part: string; role: Role }[]> {
  const { id } = await bazaar.leading();
  let followers = 0;
  return bazaar.roles.map((role) => {
    if (role.kind !== "order") return { part: role.kind, role };
    if (role.port === id) return { part: "leader", role };
    followers += 1;
    return { part: `follower-${followers}`, role };
  });
}

async function workOf(bazaar: Cluster, { name, port }: Role): Promise<Work> {
  const client = new HttpClient(`http://127.0.0.1:${port}`);
  const { text, status } = await client.get("/metrics").finally(() => client.close());
  if (status !== 200) throw new Error(`${name} told no metrics: ${status} ${text}`);
  return {
    ...threadsOf(bazaar.pid(name)),
    messages: metric(text, "bazaar_messages_sent_total"),
    frames: metric(text, "bazaar_frames_sent_total"),
    entries: metric(text, "bazaar_entry_commands_count"),
    commands: metric(text, "bazaar_entry_commands_sum"),
  };
}

/** The value of a metric in Prometheus' text; 0 where there is none. */
export function metric(text: string, name: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${name}{`));
  return Number(line?.slice(line.lastIndexOf(" ") + 1) ?? 0);
}

/** https://docs.kernel.org/scheduler/sched-stats.html, and proc(5): of each thread. */
function threadsOf(pid: number | null): Pick<Work, "cpuNs" | "wakeUps"> {
  let cpuNs = 0;
  let wakeUps = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    cpuNs += Number(readFileSync(`${folder}/schedstat`, "utf8").split(" ")[0]);
    const status = readFileSync(`${folder}/status`, "utf8");
    wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
  }
  return { cpuNs, wakeUps };
}

/** Counts for so many seconds, from now. */
async function countCalls(pid: number | null, seconds: number): Promise<SystemCalls | null> {
  if (findProgram("perf") === null) return null;
  const events = [CALLS_EVENT, ...FSYNC_EVENTS].join(",");
  const perf = ["stat", "-x", ";", "-e", events, "-p", String(pid), "--timeout"];
  const running = new Running("perf", [...perf, String(seconds * 1_000)]);
  const { status, stderr } = await running.end();
  return status === 0 ? parsePerf(stderr) : null;
}

/** What `perf stat -x ;` printed; null when it was allowed to count nothing. */
export function parsePerf(printed: string): SystemCalls | null {
  const counts = new Map<string, number>();
  for (const line of printed.split("\n")) {
    const [count = "", , event = ""] = line.split(";");
    if (event !== "") counts.set(event, Number(count));
  }
  const calls = counts.get(CALLS_EVENT);
  if (calls === undefined || Number.isNaN(calls)) return null;
  const fsyncs = FSYNC_EVENTS.reduce((sum, event) => sum + (counts.get(event) ?? 0), 0);
  return { calls, fsyncs };
}

function prefixed(part: string, numbers: Sample): Sample {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [`${part}.${name}`, value]),
  );
}
