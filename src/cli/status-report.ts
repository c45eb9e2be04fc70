// What each process says of itself, put together for people and for programs.

import type { RoleStatus } from "../roles/contract.ts";
import { columns } from "./columns.ts";
import type { ConfiguredProcess } from "./processes.ts";

/** One process of `bazaar status --json`. What a role doesn't have is left out. */
export interface ProcessStatus {
  readonly role: string;
  /** Null when it is down, or runs on another host and hasn't said. */
  readonly pid: number | null;
  readonly up: boolean;
  readonly leads?: boolean;
  readonly leader?: number | null;
  /** Of a replica: whether it votes; a replacement doesn't before it is admitted. */
  readonly vote?: boolean;
  readonly epoch?: number;
  /** Positions in the journal: the newest entry, and those held by a quorum, shown, and applied. */
  readonly last?: number;
  readonly commit?: number;
  readonly exposed?: number;
  readonly applied?: number;
}

export interface StatusReport {
  /** Null when no replica leads. */
  readonly leader: number | null;
  /** The highest that any replica has promised; 0 when none answers. */
  readonly epoch: number;
  readonly processes: readonly ProcessStatus[];
  /** Roles that have a pid file here and aren't configured; `pid` is null when that process is gone. */
  readonly notConfigured: readonly { readonly role: string; readonly pid: number | null }[];
}

/** A replica leads, and every process that is configured answers. */
export function isAllUp({ leader, processes }: StatusReport): boolean {
  return leader !== null && processes.every(({ up }) => up);
}

/** How a process answered; null when it didn't. */
export type Told = Omit<Partial<RoleStatus>, "pid"> & { readonly pid: number | null };

export function statusReport(
  processes: readonly ConfiguredProcess[],
  told: readonly (Told | null)[],
  notConfigured: StatusReport["notConfigured"] = [],
): StatusReport {
  const rows = processes.map(({ name }, index): ProcessStatus => {
    const answer = told[index];
    if (!answer) return { role: name, pid: null, up: false };
    const { pid, leads, leader, vote, epoch, last, commit, exposed, applied } = answer;
    return definedOnly({
      role: name,
      pid,
      up: true,
      leads,
      leader,
      vote,
      epoch,
      last,
      commit,
      exposed,
      applied,
    });
  });
  // Of two that say they lead, the older one doesn't know yet that it was deposed.
  const leading = rows
    .map((row, index) => ({ row, port: processes[index]?.port ?? null }))
    .filter(({ row }) => row.leads)
    .sort((a, b) => (b.row.epoch ?? 0) - (a.row.epoch ?? 0))[0];
  return {
    leader: leading?.port ?? null,
    epoch: leading?.row.epoch ?? Math.max(0, ...rows.map((row) => row.epoch ?? 0)),
    processes: rows,
    notConfigured,
  };
}

/** The report as a table. */
export function statusText(report: StatusReport, processes: readonly ConfiguredProcess[]): string {
  const rows = report.processes.map((row, index) => {
    const process = processes[index];
    return [
      row.role,
      process ? `${process.host}:${process.port}` : "",
      row.up ? (row.pid === null ? "?" : String(row.pid)) : "-",
      stateOf(row),
      positionsOf(row),
    ];
  });
  const others = report.notConfigured.map(({ role, pid }) => {
    return [role, "", pid === null ? "-" : String(pid), "not configured", ""];
  });
  const leader =
    report.leader === null
      ? "no leader"
      : `order replica ${report.leader} leads, epoch ${report.epoch}`;
  return `${columns([["role", "address", "pid", "state", "journal"], ...rows, ...others])}${leader}\n`;
}

function stateOf(row: ProcessStatus): string {
  if (!row.up) return "down";
  if (row.leads) return "leads";
  if (row.leads === undefined) return "up";
  const follows = row.leader ? `follows ${row.leader}` : "hears no leader";
  return row.vote === false ? `${follows}, no vote yet` : follows;
}

function positionsOf(row: ProcessStatus): string {
  const positions = [
    ["last", row.last],
    ["commit", row.commit],
    ["exposed", row.exposed],
    ["applied", row.applied],
  ] as const;
  return positions
    .filter(([, position]) => position !== undefined)
    .map(([name, position]) => `${name} ${position}`)
    .join(", ");
}

function definedOnly(
  row: {
    readonly [K in keyof ProcessStatus]: ProcessStatus[K] | undefined;
  },
): ProcessStatus {
  const entries = Object.entries(row).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as ProcessStatus;
}
