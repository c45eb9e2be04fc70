// The format step: all files of a new cluster, or none of them.
//
// Only here are first files made, for all replicas at once: a replica that made
// its own would be one with a lost disk, and could vote for what it forgot.
//
//   1. Everything is built and made durable in DIR/.format.
//   2. DIR/.format is renamed to DIR/.formatted. From here on the cluster exists.
//   3. The files are moved to their places, and DIR/.formatted is removed.
//
// A crash before 2 leaves a directory that counts as empty. After 2 whoever looks
// at the directory next does the rest of 3. Renaming a whole new directory to DIR
// would be one step less, but DIR may be there already: a mounted disk, say.
//
// A role that lost its disk gets a new file. A replica's is empty and a new
// incarnation: it votes for nothing until the others have admitted it, since the
// promises of the old one are forgotten. A catalog's is empty too, and reads
// everything again.

import { randomUUID } from "node:crypto";
import {
  chmodSync,
  type Dirent,
  existsSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { invariant } from "../../core/invariant.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Stock } from "../../core/market/types.ts";
import { FIRST_INCARNATION } from "../../core/replication/admissions.ts";
import type { FileCluster } from "../../core/replication/members.ts";
import type { Entry, EntryBody, Incarnation, ReplicaId } from "../../core/replication/types.ts";
import { expectOwner, FOLDER_MODE, privateFolder } from "../private-files.ts";
import { makeSecret, secretPath } from "../rpc/secret.ts";
import { createCatalogFile } from "./catalog-store.ts";
import {
  type ClusterRoles,
  catalogFile,
  clusterInFiles,
  LOCK_FILE,
  lockRole,
  orderFile,
  roleFiles,
} from "./data-directory.ts";
import { ClusterUnknown, DataFileExists, DataFileForeign } from "./errors.ts";
import {
  createJournalFile,
  journalFolder,
  placeJournalFile,
  removeJournalFile,
} from "./journal.ts";
import { placeDatabase, removeDatabase, syncPath } from "./sqlite.ts";

/** What is being built; worth nothing. */
const BUILDING = ".format";
/** What was built and not yet moved to its place; the cluster. */
const BUILT = ".formatted";

/** What roles, a disk of its own, and a database to try leave in a data directory beside the roles' folders. */
const BESIDE: ReadonlySet<string> = new Set([
  "run",
  "logs",
  "postgres",
  LOCK_FILE,
  BUILDING,
  "lost+found",
]);

/** What is in a data directory. */
export type DataState =
  /** Not there, or nothing in it: a new cluster may be made. */
  | { readonly kind: "absent" }
  | { readonly kind: "complete" }
  /** These roles have no file, others have: they lost a disk. */
  | { readonly kind: "partial"; readonly missing: readonly string[] };

/** The new cluster. */
export interface FormatOptions {
  readonly config: ClusterRoles;
  /** Become the first entries, one each, in this order. */
  readonly stocks: readonly Stock[];
  /** When the entries say they were made, milliseconds since 1970. */
  readonly nowMs: number;
}

/** What a new cluster begins with. */
export interface NewCluster {
  readonly cluster: string;
  readonly entries: readonly Entry[];
}

/** A random name and the first entries, the same bytes for every replica. */
export function newCluster({ config, stocks, nowMs }: FormatOptions): NewCluster {
  return { cluster: randomUUID(), entries: firstEntries(membersOf(config), stocks, nowMs) };
}

/**
 * Makes the files of a new cluster and its secret, and returns the cluster's
 * random name. With `inTables` they are the views of a log in a database, which
 * has these entries already. Throws DataFileExists unless the directory is absent or empty.
 */
export function formatCluster(options: FormatOptions, inTables?: NewCluster): string {
  const { config } = options;
  const { data } = config;
  const made = inTables ?? newCluster(options);
  if (inspectData(config).kind === "absent") takeFolder(data);
  const lock = lockRole(data, ".");
  try {
    if (inspectData(config).kind !== "absent") {
      throw new DataFileExists(
        `${data} holds a cluster already: choose another --data directory for a new one`,
      );
    }
    const building = join(data, BUILDING);
    rmSync(building, { recursive: true, force: true });
    // Nobody votes where a database says who leads.
    build({ ...config, data: building }, made, inTables === undefined);
    syncPath(dirname(resolve(data)));
    renameSync(building, join(data, BUILT));
    syncPath(data);
    finishFormat(data);
    return made.cluster;
  } finally {
    lock.release();
  }
}

/**
 * Tells what is in the data directory, after finishing a format that was cut
 * short once its cluster existed. Throws DataFileForeign for a directory of
 * something else, and OtherCluster where files are missing because those that are
 * there belong to a cluster of other replicas.
 */
export function inspectData(config: ClusterRoles): DataState {
  const { data } = config;
  if (!existsSync(data) || holdsNothing(data)) return { kind: "absent" };
  const files = roleFiles(config);
  const ours = [join(data, BUILT), secretPath(data), ...files.map(({ path }) => path)];
  if (!ours.some((path) => existsSync(path))) {
    throw new DataFileForeign(
      `${data} isn't empty and holds no bazaar: give an empty directory with --data`,
    );
  }
  privateFolder(data);
  finishFormat(data);
  const missing = files.filter(({ path }) => !existsSync(path)).map(({ role }) => role);
  if (missing.length === 0) return { kind: "complete" };
  clusterInFiles(config);
  return { kind: "partial", missing };
}

/** Makes the data directory. An empty one that its owner made for it is closed to others, as initdb of PostgreSQL does. */
function takeFolder(data: string): void {
  if (existsSync(data) && holdsNothing(data)) {
    expectOwner(data, statSync(data));
    chmodSync(data, FOLDER_MODE);
  }
  privateFolder(data);
}

function build(config: ClusterRoles, { cluster, entries }: NewCluster, voter: boolean): void {
  const { data, replicas, catalogs } = config;
  const members = membersOf(config);
  privateFolder(data);
  for (const { id, name } of replicas) {
    privateFolder(join(data, name));
    const identity = { cluster, members, replica: id, incarnation: FIRST_INCARNATION };
    const hardState = { promise: { epoch: 0, nominee: id }, voter };
    createJournalFile(orderFile(data, name), identity, hardState, entries);
  }
  for (const { name } of catalogs) {
    privateFolder(join(data, name));
    createCatalogFile(catalogFile(data, name), { name: cluster, members });
  }
  for (const { path } of roleFiles(config)) {
    syncPath(path);
    syncPath(dirname(path));
  }
  makeSecret(data);
  syncPath(data);
}

/** The request ids are random, so that no client's key can be one of them. */
function firstEntries(
  members: readonly ReplicaId[],
  stocks: readonly Stock[],
  at: number,
): Entry[] {
  const listed = stocks.map(({ name, price, quantity }): EntryBody => {
    const command = { kind: "list", requestId: randomUUID(), name, price, quantity } as const;
    return { kind: "command", bytes: encodeCommands([command]) };
  });
  const bodies: EntryBody[] = [{ kind: "members", members }, ...listed];
  return bodies.map((body, index) => ({ position: index + 1, epoch: 0, at, body }));
}

function membersOf({ replicas }: ClusterRoles): ReplicaId[] {
  return replicas.map(({ id }) => id).sort((a, b) => a - b);
}

/** Step 3. Several processes may do it at once: each file is moved by one of them. */
function finishFormat(data: string): void {
  const built = join(data, BUILT);
  if (!existsSync(built)) return;
  const folders = new Set<string>();
  for (const file of under(built, (entry) => entry.isFile())) {
    const to = join(data, file);
    privateFolder(dirname(to));
    unlessGone(() => renameSync(join(built, file), to));
    folders.add(dirname(to));
  }
  for (const folder of folders) syncPath(folder);
  syncPath(data);
  const emptied = under(built, (entry) => entry.isDirectory()).sort(longestFirst);
  for (const folder of [...emptied, "."]) unlessGone(() => rmdirSync(join(built, folder)));
  syncPath(data);
}

function longestFirst(a: string, b: string): number {
  return b.length - a.length;
}

/** Nothing but what roles leave before there is a cluster: their locks, logs and process ids. */
function holdsNothing(data: string): boolean {
  return readdirSync(data, { withFileTypes: true }).every(
    (entry) =>
      BESIDE.has(entry.name) ||
      (entry.isDirectory() &&
        readdirSync(join(data, entry.name)).every((inside) => inside === LOCK_FILE)),
  );
}

/** Relative paths of what is under a folder and of this kind. */
function under(folder: string, isOfKind: (entry: Dirent) => boolean): string[] {
  const entries = unlessGone(() => readdirSync(folder, { recursive: true, withFileTypes: true }));
  return (entries ?? [])
    .filter(isOfKind)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** What `run` gives; undefined if what it works on is gone, because another process was faster. */
function unlessGone<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Which role, of which cluster. */
export interface ReplaceOptions {
  readonly config: ClusterRoles;
  /** ROLE: `order-9094`, `catalog` … */
  readonly role: string;
}

/** Which replica, and as which incarnation. */
export interface ReplaceReplicaOptions extends ReplaceOptions {
  /** Greater than that of any file this replica ever had: the time, in milliseconds since 1970. */
  readonly incarnation: Incarnation;
}

/**
 * Makes the file of a replica that lost it. Throws DataFileExists if it has one,
 * DirectoryLocked if it runs, ClusterUnknown if nothing tells its cluster, and
 * OtherCluster if that has other replicas than the configured ones.
 */
export function replaceReplica({ incarnation, ...options }: ReplaceReplicaOptions): void {
  const { config, role } = options;
  invariant(incarnation > FIRST_INCARNATION, "a replacement is a later incarnation", {
    incarnation,
  });
  const replica = config.replicas.find(({ name }) => name === role)?.id;
  invariant(replica !== undefined, "the replica is configured", { role });
  const path = orderFile(config.data, role);
  replace(options, [path, journalFolder(path)], ({ name, members }) => {
    const made = `${path}.new`;
    const hardState = { promise: { epoch: 0, nominee: replica }, voter: false };
    removeJournalFile(made);
    createJournalFile(made, { cluster: name, members, replica, incarnation }, hardState, []);
    placeJournalFile(made, path);
  });
}

/** Makes the file of a catalog that lost it. Throws as replaceReplica() does. */
export function replaceCatalog(options: ReplaceOptions): void {
  const { config, role } = options;
  invariant(
    config.catalogs.some(({ name }) => name === role),
    "the catalog is configured",
    { role },
  );
  const path = catalogFile(config.data, role);
  replace(options, [path], (cluster) => {
    const made = `${path}.new`;
    removeDatabase(made);
    createCatalogFile(made, cluster);
    placeDatabase(made, path);
  });
}

/** `make` makes them under other names first, so that a crash leaves no half of a file. */
function replace(
  { config, role }: ReplaceOptions,
  paths: readonly string[],
  make: (cluster: FileCluster) => void,
): void {
  if (inspectData(config).kind === "absent") {
    throw new ClusterUnknown(
      `${config.data} holds no cluster of which to replace a part: run "bazaar format" for a new one`,
    );
  }
  const cluster = clusterInFiles(config);
  if (cluster === null) {
    throw new ClusterUnknown(
      `no file in ${config.data} tells which cluster this is: copy the folder of a catalog from another host first`,
    );
  }
  const lock = lockRole(config.data, role);
  try {
    const there = paths.find((path) => existsSync(path));
    if (there !== undefined) {
      throw new DataFileExists(
        `${there} is there: a replacement is only for a lost disk; to replace a damaged file, move it away first`,
      );
    }
    make(cluster);
    // The folders may be new, too: without them a power cut would take the file.
    syncPath(config.data);
    syncPath(dirname(resolve(config.data)));
  } finally {
    lock.release();
  }
}
