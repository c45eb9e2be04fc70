// DIR/run/ROLE.pid: the number of the process that runs a role.
//
// Written by the role itself once it holds its lock or its port, so a second
// one that fails to start doesn't take the first one's place. A stale file is
// simply replaced: what keeps two of a role apart is the lock, not this file.

import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function pidFilePath(data: string, role: string): string {
  return join(data, "run", `${role}.pid`);
}

/** Says that this process runs `role`. Returns what takes the file away again, if it is still ours. */
export function writePidFile(data: string, role: string, pid: number): () => void {
  mkdirSync(join(data, "run"), { recursive: true });
  const path = pidFilePath(data, role);
  // Renamed into place, so that nobody reads an empty file; made outside run/, which holds nothing else.
  const draft = join(data, `.${role}.pid`);
  writeFileSync(draft, `${pid}\n`);
  renameSync(draft, path);
  return () => removePidFile(data, role, pid);
}

/** Takes the file away if it names the process `pid`. */
export function removePidFile(data: string, role: string, pid: number): void {
  if (readPidFile(data, role) !== pid) return;
  try {
    unlinkSync(pidFilePath(data, role));
  } catch {
    // Someone else took it away: as wanted.
  }
}

/** The pid in the file; null when there is none, or it is no pid. The process may be long gone. */
export function readPidFile(data: string, role: string): number | null {
  let text: string;
  try {
    text = readFileSync(pidFilePath(data, role), "utf8").trim();
  } catch {
    return null;
  }
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  return pid > 1 ? pid : null;
}

/** The pid in the file if a process of that number runs. */
export function runningPid(data: string, role: string): number | null {
  const pid = readPidFile(data, role);
  if (pid === null) return null;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // It runs, as another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : null;
  }
}
