// Makes sure that the browser of the tests starts on this machine.
//
// Starts: says nothing. Libraries missing: on Debian as root they are installed
// from the distribution; anywhere else one line says what to install, exit
// status 1.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromiumLaunch } from "./chromium.ts";

/** Limit on one apt-get run: a slow mirror must not hang the build forever. */
const APT_LIMIT_MS = 300_000;
/** What Chromium needs of a Debian. */
const LIBRARIES = ["libnss3", "libexpat1", "libfontconfig1"];

async function main(): Promise<number> {
  if (await chromiumLaunch()) return 0;
  if (!existsSync("/etc/debian_version") || process.getuid?.() !== 0) {
    console.error(
      `The tests' browser doesn't start: install its libraries (Debian: sudo apt-get install ${LIBRARIES.join(" ")}).`,
    );
    return 1;
  }
  console.log(`The tests' browser doesn't start: installing ${LIBRARIES.join(", ")} with apt-get`);
  const done =
    aptGet("-q", "update") &&
    aptGet("-q", "install", "--yes", "--no-install-recommends", ...LIBRARIES) &&
    (await chromiumLaunch()) !== null;
  if (!done) console.error("The tests' browser still doesn't start.");
  return done ? 0 : 1;
}

/** Runs apt-get and says whether it succeeded. */
function aptGet(...args: string[]): boolean {
  const { status } = spawnSync("apt-get", args, {
    stdio: "inherit",
    timeout: APT_LIMIT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return status === 0;
}

process.exitCode = await main();
