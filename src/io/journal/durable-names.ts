// Names of files, as durable as their content.
//
// SQLite makes durable what is in a file. That a file is there, under its name,
// is the folder's content, and is made durable by an fsync of the folder.

import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** What SQLite leaves beside a database that wasn't closed. */
export const COMPANIONS = ["-wal", "-shm", "-journal"] as const;

/** Makes the content of a file, or the names in a folder, durable. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes a database and what may be left beside it. */
export function removeDatabase(path: string): void {
  rmSync(path, { force: true });
  removeCompanions(path);
}

/**
 * Gives a closed database its name, durably; one that has it is replaced. Logs
 * that this one, or a lost one, left behind go first: SQLite would replay them
 * into the new one.
 */
export function placeDatabase(from: string, to: string): void {
  syncPath(from);
  removeCompanions(to);
  renameSync(from, to);
  syncPath(dirname(to));
}

function removeCompanions(path: string): void {
  for (const companion of COMPANIONS) rmSync(path + companion, { force: true });
}
