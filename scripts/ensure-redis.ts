// Makes sure that redis-server is there for the tests that run a real one.
//
// Found: says nothing. Missing: on Debian as root it is installed from the
// distribution; anywhere else one line says what to install, exit status 1.
// No download of our own: the distribution's package is signed and kept up.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Limit on one apt-get run: a slow mirror must not hang the build forever. */
const APT_LIMIT_MS = 300_000;

function isInstalled(): boolean {
  return spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
}

/** Runs apt-get and says whether it succeeded. */
function aptGet(...args: string[]): boolean {
  const { status } = spawnSync("apt-get", args, {
    stdio: "inherit",
    timeout: APT_LIMIT_MS,
    // RUNLEVEL=1 keeps the package from starting a server of its own on port 6379.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
  });
  return status === 0;
}

function main(): number {
  if (isInstalled()) return 0;
  if (!existsSync("/etc/debian_version") || process.getuid?.() !== 0) {
    console.error(
      "redis-server is missing and the tests need it: install it (Debian: sudo apt-get install redis-server; macOS: brew install redis).",
    );
    return 1;
  }
  console.log("redis-server is missing: installing it with apt-get");
  const done =
    aptGet("-q", "update") &&
    aptGet("-q", "install", "--yes", "--no-install-recommends", "redis-server") &&
    isInstalled();
  if (!done) console.error("apt-get could not install redis-server; install it by hand.");
  return done ? 0 : 1;
}

process.exitCode = main();
