// DIR/run/ROLE.pid: the number of the process that runs a role.
//
// Written by the role itself once it holds its lock or its port, so a second
// one that fails to start doesn't take the first one's place. A stale file is
// simply replaced: what keeps two of a role apart is the lock, not this file.

import {
  closeSync,
  constants,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { checkPrivateFile, openPrivateFile, privateFolder } from "../io/private-files.ts";

const ENDING = ".pid";

export function pidFilePath(data: string, role: string): string {
  return join(data, "run", `${role}${ENDING}`);
}

/**
 * Says that this process runs `role`. Returns what takes the file away again, if it
 * is still ours. Throws UnusablePath or the system's error when it can't be written.
 */
export function writePidFile(data: string, role: string, pid: number): () => void {
  privateFolder(join(data, "run"));
  const path = pidFilePath(data, role);
  checkPrivateFile(path);
  // Renamed into place, so that nobody reads an empty file.
  const draft = join(data, "run", `.${role}.pid`);
  rmSync(draft, { force: true });
  const file = openPrivateFile(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    writeSync(file, `${pid}\n`);
  } finally {
    closeSync(file);
  }
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

/** The pid in the file if that process runs and, as far as the system tells, runs the role. */
export function runningPid(data: string, role: string): number | null {
  const pid = readPidFile(data, role);
  if (pid === null) return null;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // With EPERM it runs, as another user's.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return null;
  }
  return isOfRole(pid, role) ? pid : null;
}

/** The roles in run/ that aren't among those `known`: their processes are strays, or were killed. */
export function otherPidFiles(data: string, known: readonly string[]): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(join(data, "run"));
  } catch {
    return []; // Nothing has run here yet.
  }
  return names
    .filter((name) => /^[^.].*\.pid$/.test(name))
    .map((name) => name.slice(0, -ENDING.length))
    .filter((role) => !known.includes(role))
    .sort();
}

/**
 * Whether the process was started as that role. The number of one that was killed
 * may be somebody else's by now. Where there is no /proc, it is believed.
 */
function isOfRole(pid: number, role: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return role.split("-").every((word) => words.includes(word));
  } catch {
    return true;
  }
}
