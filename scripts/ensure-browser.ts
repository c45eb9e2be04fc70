// Makes sure that the browser of the tests starts on this machine.
//
// Starts: says nothing. Libraries missing: on Debian as root they are installed
// from the distribution; anywhere else one line says what to install, exit
// status 1.

import { chromiumLaunch } from "./chromium.ts";
import { install, mayInstall } from "./ensure-packages.ts";

/** What Chromium needs of a Debian. */
const LIBRARIES = ["libnss3", "libexpat1", "libfontconfig1"];

async function main(): Promise<number> {
  if (await chromiumLaunch()) return 0;
  if (!mayInstall()) {
    console.error(
      `The tests' browser doesn't start: install its libraries (Debian: sudo apt-get install ${LIBRARIES.join(" ")}).`,
    );
    return 1;
  }
  console.log(`The tests' browser doesn't start: installing ${LIBRARIES.join(", ")} with apt-get`);
  const done = install(LIBRARIES) && (await chromiumLaunch()) !== null;
  if (!done) console.error("The tests' browser still doesn't start.");
  return done ? 0 : 1;
}

process.exitCode = await main();
