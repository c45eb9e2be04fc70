// The cluster's secret: a file that the format step makes once, that every
// process of the cluster reads, and that nobody else may read. Whoever knows it
// may trade and replicate, so a file open to others stops the start.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expectOwner, privateFolder } from "../private-files.ts";

const SECRET_BYTES = 32;
const FILE_NAME = "secret";
const OWNER_ONLY = 0o600;
const GROUP_OR_OTHERS = 0o077;

/** The secret's file is missing, open to others, or no secret; the message says what to do. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

/** Where the secret of the cluster in `dataDir` is. */
export function secretPath(dataDir: string): string {
  return join(dataDir, FILE_NAME);
}

/** Whether the cluster was made, or its secret copied here. */
export function hasSecret(dataDir: string): boolean {
  return existsSync(secretPath(dataDir));
}

/**
 * Makes `dataDir`/secret, durable when this returns, and returns the secret: 64
 * hex digits. Throws SecretError if there is one already: other hosts may have it.
 */
export function makeSecret(dataDir: string): string {
  const secret = randomBytes(SECRET_BYTES).toString("hex");
  const path = secretPath(dataDir);
  privateFolder(dataDir);
  // Under another name first, so that a crash can't leave an empty secret; linked, not renamed,
  // so that one made meanwhile isn't replaced.
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", OWNER_ONLY);
  try {
    writeSync(file, `${secret}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (isCode(error, "EEXIST")) throw new SecretError(`${path} exists already; keep it`);
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dataDir);
  return secret;
}

/** The secret of the cluster in `dataDir`. Throws SecretError when there is none that can be relied on. */
export function readSecret(dataDir: string): string {
  const path = secretPath(dataDir);
  const secret = readSecretFile(
    path,
    '"bazaar format" makes it for a new cluster; on a further host, copy it from the first',
  ).trim();
  if (!/^[0-9a-f]{64}$/.test(secret)) {
    throw new SecretError(
      `${path} holds no secret (64 hex digits): copy it from another host of the cluster`,
    );
  }
  return secret;
}

/** The text of a file that only its owner may read. Throws SecretError; `ifMissing` says what to do where there is none. */
export function readSecretFile(path: string, ifMissing: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (isCode(error, "ENOENT")) {
      throw new SecretError(`${path} is missing: ${ifMissing}`);
    }
    if (isCode(error, "EACCES")) {
      throw new SecretError(`${path} can't be read by this user: run as the user who owns it`);
    }
    throw error;
  }
  try {
    // Of the open file, not of the name: they could differ by the time it is read.
    const found = fstatSync(file);
    expectOwner(path, found);
    const { mode } = found;
    if ((mode & GROUP_OR_OTHERS) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      throw new SecretError(`${path} is open to other users (mode ${octal}): chmod 600 ${path}`);
    }
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** Makes the names in a directory durable. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
