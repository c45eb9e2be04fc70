#!/usr/bin/env node
// The command `bazaar`. Plain JavaScript, behind one import, so that any
// Node.js says in one line what is missing, not in a stack trace what it met.

import { existsSync } from "node:fs";

const NODE_MAJOR_MIN = 26;
const SERVER = new URL("../src/cli/program.ts", import.meta.url);

const problem = !existsSync(SERVER)
  ? "this package is the client library, stock-bazaar/client; the bazaar itself runs from its repository"
  : Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN
    ? `needs Node.js ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}: run "npm ci" once, then "npx bazaar …", which brings its own`
    : null;

if (problem === null) {
  await import("../src/cli/main.ts");
} else {
  process.stderr.write(`bazaar: ${problem}\n`);
  process.exitCode = 1;
}
