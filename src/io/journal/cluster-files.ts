// Where each role keeps its file in the data directory.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ReplicaId } from "../../core/replication/types.ts";
import { clusterOfCatalogFile } from "./catalog-store.ts";
import { clusterOfOrderFile } from "./meta.ts";

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
  /** The cluster that the file says it belongs to. Throws for a file that can't be read. */
  readonly cluster: () => string;
}

/** The file of a replica: `DIR/order-9094/order.db`. */
export function orderFile(dataDir: string, role: string): string {
  return join(dataDir, role, "order.db");
}

/** The file of a catalog: `DIR/catalog/catalog.db`. */
export function catalogFile(dataDir: string, role: string): string {
  return join(dataDir, role, "catalog.db");
}

/** The files that a complete data directory has. */
export function roleFiles({ data, replicas, catalogs }: ClusterRoles): RoleFile[] {
  const orders = replicas.map(({ name }) => {
    const path = orderFile(data, name);
    return { role: name, path, cluster: () => clusterOfOrderFile(path) };
  });
  const views = catalogs.map(({ name }) => {
    const path = catalogFile(data, name);
    return { role: name, path, cluster: () => clusterOfCatalogFile(path) };
  });
  return [...orders, ...views];
}

/** The cluster that the files in the data directory belong to, from the first that tells; null when none does. */
export function clusterInFiles(roles: ClusterRoles): string | null {
  for (const { path, cluster } of roleFiles(roles)) {
    if (!existsSync(path)) continue;
    try {
      return cluster();
    } catch {
      // Another file may still tell; its own role will complain about this one.
    }
  }
  return null;
}
