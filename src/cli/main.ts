#!/usr/bin/env node
// The command `bazaar`. Everything is behind one import, so that an older
// Node.js says in one line what is missing, not in a stack trace what it met.

import { enableCompileCache } from "node:module";
import { join } from "node:path";

const NODE_MAJOR_MIN = 26;

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `bazaar: needs Node.js ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}: run "npm ci" once, then "npx bazaar …", which brings its own\n`,
  );
  process.exitCode = 1;
} else {
  // Compiled code is kept between runs: halves the time to start and a third of the memory, most of
  // it for stripping types. Where it can't be kept, everything works as without.
  enableCompileCache(join(import.meta.dirname, "../../node_modules/.cache/bazaar"));
  const { runProgram } = await import("./program.ts");
  await runProgram(process.argv.slice(2));
}
