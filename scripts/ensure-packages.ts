// Makes sure that the programs are there which the tests run beside the bazaar:
//
//   node scripts/ensure-packages.ts redis-server haproxy nginx iproute2=ip
//
// A package whose program has another name is given as PACKAGE=PROGRAM.
//
// Found: says nothing. Missing: on Debian as root their packages are installed
// from the distribution; anywhere else one line says what to install, exit
// status 1. No download of our own: the distribution's packages are signed and
// kept up.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Limit on one apt-get run: a slow mirror must not hang the build forever. */
const APT_LIMIT_MS = 300_000;
/** Where Debian puts what isn't for everybody. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/sbin"];

/** Where a program is; null when it isn't installed. */
export function programPath(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** Whether this process may install packages of a Debian. */
export function mayInstall(): boolean {
  return existsSync("/etc/debian_version") && process.getuid?.() === 0;
}

/** Installs packages of a Debian. Returns whether apt-get succeeded. */
export function install(packages: readonly string[]): boolean {
  return (
    aptGet("-q", "update") &&
    aptGet("-q", "install", "--yes", "--no-install-recommends", ...packages)
  );
}

function aptGet(...args: string[]): boolean {
  const { status } = spawnSync("apt-get", args, {
    stdio: "inherit",
    timeout: APT_LIMIT_MS,
    // RUNLEVEL=1 keeps a package from starting a server of its own.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
  });
  return status === 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Takes PACKAGE or PACKAGE=PROGRAM; returns the exit status. */
function ensure(specs: readonly string[]): number {
  const pairs = specs.map((spec) => spec.split("="));
  const missing = () =>
    pairs.flatMap(([name = "", program = name]) => (programPath(program) === null ? [name] : []));
  const wanted = missing();
  if (wanted.length === 0) return 0;
  const names = wanted.join(" ");
  if (!mayInstall()) {
    console.error(
      `The tests need ${names}: install it (Debian: sudo apt-get install ${names}; macOS: brew install ${names.replace("redis-server", "redis")}).`,
    );
    return 1;
  }
  console.log(`The tests need ${names}: installing with apt-get`);
  if (install(wanted) && missing().length === 0) return 0;
  console.error(`apt-get could not install ${missing().join(" ")}; install it by hand.`);
  return 1;
}

if (import.meta.main) process.exitCode = ensure(process.argv.slice(2));
