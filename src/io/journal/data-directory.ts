// The data directory: where each role keeps its file, which cluster the files
// belong to, and that one process a role uses them. Two that write one replica's
// file, or answer for one catalog, would undo each other's promises.
//
// The lock is an exclusive transaction on a file of its own, DIR/ROLE/lock.db:
// the operating system drops it with the process, so that a kill -9 leaves
// nothing to clean up, which a file with a process id in it would.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type FileCluster, OtherCluster, otherCluster } from "../../core/replication/members.ts";
import type { ReplicaId } from "../../core/replication/types.ts";
import { privateFolder } from "../private-files.ts";
import { clusterOfCatalogFile } from "./catalog-store.ts";
import { DirectoryLocked } from "./errors.ts";
import { clusterOfOrderFile } from "./journal.ts";
import { connect, explain, isBusy } from "./sqlite.ts";

/** The roles of a cluster that keep files: a part of its configuration. */
export interface ClusterRoles {
  /** The data directory; each role keeps to its own folder in it. */
  readonly data: string;
  readonly replicas: readonly { readonly id: ReplicaId; readonly name: string }[];
  readonly catalogs: readonly { readonly name: string }[];
}

/** The file of one role. */
export interface RoleFile {
  /** ROLE, which is also the name of its folder. */
  readonly role: string;
  readonly path: string;
}

/** The tables of a replica, whose journal is in the folder `journal` beside them: `DIR/order-9094/order.db`. */
export function orderFile(dataDir: string, role: string): string {
  return join(dataDir, role, "order.db");
}

/** The file of a catalog: `DIR/catalog/catalog.db`. */
export function catalogFile(dataDir: string, role: string): string {
  return join(dataDir, role, "catalog.db");
}

/** The files that a complete data directory has. */
export function roleFiles({ data, replicas, catalogs }: ClusterRoles): RoleFile[] {
  return [
    ...replicas.map(({ name }) => ({ role: name, path: orderFile(data, name) })),
    ...catalogs.map(({ name }) => ({ role: name, path: catalogFile(data, name) })),
  ];
}

/**
 * The cluster that the files in a data directory belong to, whatever roles are
 * configured, from the first that tells; null when none does. Throws OtherCluster
 * when it has other replicas than the configured ones.
 */
export function clusterInFiles({ data, replicas }: ClusterRoles): FileCluster | null {
  const ours = { name: null, members: replicas.map(({ id }) => id) };
  for (const [path, clusterOf] of filesIn(data)) {
    let cluster: FileCluster;
    try {
      cluster = clusterOf(path);
    } catch {
      continue; // Another file may still tell; its own role will complain about this one.
    }
    const refusal = otherCluster(path, cluster, ours);
    if (refusal !== null) throw new OtherCluster(refusal);
    return cluster;
  }
  return null;
}

/** The files of all roles that have a folder, and what tells their cluster. */
function filesIn(data: string): [path: string, clusterOf: (path: string) => FileCluster][] {
  if (!existsSync(data)) return [];
  const folders = readdirSync(data).toSorted();
  const files = (prefix: string, fileOf: typeof orderFile) =>
    folders
      .filter((folder) => folder.startsWith(prefix))
      .map((folder) => fileOf(data, folder))
      .filter((path) => existsSync(path));
  return [
    ...files("order-", orderFile).map((path) => [path, clusterOfOrderFile] as const),
    ...files("catalog", catalogFile).map((path) => [path, clusterOfCatalogFile] as const),
  ].map(([path, clusterOf]) => [path, clusterOf]);
}

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
