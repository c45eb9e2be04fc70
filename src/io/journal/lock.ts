// One process a role: two that write one replica's file, or answer for one
// catalog, would undo each other's promises.
//
// The lock is an exclusive transaction on a file of its own, DIR/ROLE/lock.db:
// the operating system drops it with the process, so that a kill -9 leaves
// nothing to clean up, which a file with a process id in it would.

import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { privateFolder } from "../private-files.ts";
import { DirectoryLocked } from "./errors.ts";
import { connect, explain, isBusy } from "./sqlite.ts";

/** The lock's file; it stays where it is, since to remove it would let two processes lock two files. */
export const LOCK_FILE = "lock.db";

export interface RoleLock {
  release(): void;
}

/** Locks the folder of a role in the data directory. Throws DirectoryLocked if another process holds it. */
export function lockRole(dataDir: string, role: string): RoleLock {
  const folder = join(dataDir, role);
  const path = join(folder, LOCK_FILE);
  privateFolder(folder);
  let database: DatabaseSync | null = null;
  try {
    database = connect(path, { timeout: 0 });
    // In memory, or a transaction that never ends would leave a journal beside the file.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    throw isBusy(error) ? new DirectoryLocked(folder) : explain(path, error);
  }
  const held = database;
  return {
    release() {
      if (held.isOpen) held.close();
    },
  };
}
