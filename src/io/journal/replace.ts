// A new file for a role that lost its disk.
//
// A replica's is empty and a new incarnation: it votes for nothing until the
// others have admitted it, since the promises of the old one are forgotten. A
// catalog's is empty too, and reads everything again.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { invariant } from "../../core/invariant.ts";
import { FIRST_INCARNATION } from "../../core/replication/admissions.ts";
import type { FileCluster } from "../../core/replication/members.ts";
import type { Incarnation } from "../../core/replication/types.ts";
import { createCatalogFile } from "./catalog-store.ts";
import { type ClusterRoles, catalogFile, clusterInFiles, orderFile } from "./cluster-files.ts";
import { placeDatabase, removeDatabase, syncPath } from "./durable-names.ts";
import { ClusterUnknown, DataFileExists } from "./errors.ts";
import { inspectData } from "./format.ts";
import { createJournalFile } from "./journal.ts";
import { lockRole } from "./lock.ts";

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
  replace(options, orderFile(config.data, role), (path, { name, members }) => {
    const hardState = { promise: { epoch: 0, nominee: replica }, voter: false };
    createJournalFile(path, { cluster: name, members, replica, incarnation }, hardState, []);
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
  replace(options, catalogFile(config.data, role), createCatalogFile);
}

/** Made under another name first, so that a crash leaves no half of a file. */
function replace(
  { config, role }: ReplaceOptions,
  path: string,
  create: (path: string, cluster: FileCluster) => void,
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
    if (existsSync(path)) {
      throw new DataFileExists(
        `${path} is there: a replacement is only for a lost disk; to replace a damaged file, move it away first`,
      );
    }
    const made = `${path}.new`;
    removeDatabase(made);
    create(made, cluster);
    placeDatabase(made, path);
    // The folders may be new, too: without them a power cut would take the file.
    syncPath(config.data);
    syncPath(dirname(resolve(config.data)));
  } finally {
    lock.release();
  }
}
