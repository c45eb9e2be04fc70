// The data directory before anything runs in it: a new cluster's files, made
// once, and a replacement for those that a lost disk took.

import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  formatCluster,
  inspectData,
  newCluster,
  replaceCatalog,
  replaceReplica,
} from "../io/journal/format.ts";
import { readStocksCsv } from "../io/journal/stocks-csv.ts";
import { upgradeCluster } from "../io/journal/upgrade.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { createCertificates, needsCertificates } from "./closed.ts";
import { EMBEDDED_FOLDER, EmbeddedPostgres } from "./embedded-postgres.ts";
import type { ConfiguredProcess } from "./processes.ts";
import { UserError } from "./user-error.ts";

/** Makes a new cluster, for `bazaar format`; says so in a line, and in another that it has certificates. Throws when there is one already. */
export async function formatAlone(config: ClusterConfig): Promise<string> {
  const postgres = await startEmbedded(config);
  try {
    return await formatNew(config);
  } finally {
    await postgres?.stop();
  }
}

/** The same while the database runs that it may need. */
async function formatNew(config: ClusterConfig): Promise<string> {
  const stocks = readStocksCsv(config.stocks);
  const options = { config, stocks, nowMs: Date.now() };
  const { engine } = config;
  if (engine.kind === "postgres" && inspectData(config).kind === "absent") {
    // The tables first: a log there that no files belong to is no harm.
    const made = newCluster(options);
    const { formatTables } = await import("../io/log/postgres.ts");
    await formatTables(engine, made);
    formatCluster(options, made);
  } else formatCluster(options);
  const made = `made a new cluster with ${stocks.length} stocks in ${config.data}`;
  if (!needsCertificates(config)) return made;
  return `${made}\n${await createCertificates(config, options.nowMs)}`;
}

/**
 * Makes a new cluster where there is nothing yet; null where there is one.
 * Throws UserError when only some files are there: which are right then, the
 * ones that are there or the ones that are missing, only their owner knows.
 */
export async function formatIfNew(config: ClusterConfig): Promise<string | null> {
  const state = inspectData(config);
  if (state.kind === "complete") return null;
  if (state.kind === "absent") return formatNew(config);
  const [first = ""] = state.missing;
  const files = state.missing.length === 1 ? "its file is" : "their files are";
  throw new UserError(
    `${state.missing.join(", ")}: ${files} missing in ${config.data}; if a disk was lost, make a replacement with "npx bazaar format --replace ${first}"`,
  );
}

/** Starts the database in the data directory, if the configuration has it there; null if it hasn't. Throws before it made anything where there is something else. */
export async function startEmbedded(config: ClusterConfig): Promise<EmbeddedPostgres | null> {
  const { engine, data } = config;
  if (engine.kind !== "postgres" || !engine.embedded) return null;
  if (inspectData(config).kind !== "absent" && !existsSync(join(data, EMBEDDED_FOLDER))) {
    throw new UserError(
      `${data} holds a cluster of another engine, or whose database is elsewhere: leave --engine out or give its address, or choose another --data directory`,
    );
  }
  return EmbeddedPostgres.start(data, (line) => process.stderr.write(`bazaar: ${line}\n`));
}

/** Converts files of an older format; says so in one line. Throws while a role runs, and for damage. */
export function upgradeFiles(config: ClusterConfig): string {
  const upgraded = upgradeCluster(config);
  if (upgraded.length === 0) return `all files in ${config.data} have today's format already`;
  return `converted ${upgraded.join(", ")}: do the same on every host, then start all of them`;
}

/** Makes the file of one role that lost it; says so in one line. Throws when it has one, or keeps none. */
export function replaceRole(config: ClusterConfig, role: ConfiguredProcess): string {
  switch (role.kind) {
    case "order":
      // The time is greater than any incarnation before it, which is all that it must be.
      replaceReplica({ config, role: role.name, incarnation: Date.now() });
      return config.engine.kind === "postgres"
        ? `made an empty replacement for ${role.name}; once it runs, it reads everything from the database`
        : `made an empty replacement for ${role.name}; once it runs, it catches up, and votes when the others have admitted it`;
    case "catalog":
      replaceCatalog({ config, role: role.name });
      return `made an empty replacement for ${role.name}; once it runs, it catches up`;
    case "frontend":
      throw new UserError("a front end keeps no files: there is nothing to replace");
  }
}
