// `order`, `catalog` and `frontend`: one role in the foreground, logged to its
// file, and on a terminal to people too.

import { existsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join, relative } from "node:path";
import { createLogger } from "../io/logging/logger.ts";
import { privateFolder } from "../io/private-files.ts";
import { readSecret } from "../io/rpc/secret.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { credentialsOf, expectClosed, httpsOf, trustAuthorities } from "./closed.ts";
import { seenOverLinks } from "./playground-links.ts";
import { processNamed } from "./processes.ts";
import { type RoleRun, runRole } from "./role-process.ts";

export function logFilePath(data: string, role: string): string {
  return join(data, "logs", `${role}.log`);
}

/** A path as short as `cwd` allows: not through the folders above it. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}

const INSECURE =
  "Started with --insecure: where processes and clients are beyond this machine, what they say can be read and changed on the way, and anybody may trade";

/** Runs the role to its end; returns the exit status. Rejects when something that it needs is missing or not its own. */
export async function runRoleCommand(
  configured: ClusterConfig,
  name: string,
  start: RoleRun["start"],
): Promise<number> {
  const config = seenOverLinks(configured, name, process.env);
  // None yet is for the secret to say, which comes from where the cluster was made.
  if (existsSync(config.data)) privateFolder(config.data);
  readSecret(config.data); // says what to do where there is none, before a log is made
  expectClosed(configured, processNamed(configured, name));
  const log = await createLogger({
    name,
    level: config.logLevel,
    file: logFilePath(config.data, name),
    // Under `up` there is nobody to read it.
    pretty: process.stdout.isTTY === true && !process.connected,
  });
  if (config.insecure) log.warn(INSECURE);
  const https = httpsOf(configured, name, log);
  trustAuthorities(configured);
  https?.onChange(() => trustAuthorities(configured));
  return runRole({
    config,
    name,
    credentials: credentialsOf(config, name, log),
    https,
    log,
    start: async (options) => {
      const running = await start(options);
      // Kept now, not at the exit: a role that is killed would load slowly for ever.
      flushCompileCache();
      return running;
    },
  });
}
