#!/usr/bin/env node
// The command `bazaar`, which `up` runs for each of its processes too. Plain
// JavaScript, behind one import, so that any Node.js says in one line what is
// missing, not in a stack trace what it met; and so that what strips types,
// half a second of a start on a busy machine, is loaded only when a source changed.

import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 26;
const SERVER = new URL("../src/cli/program.ts", import.meta.url);
const COMPILED = new URL("../node_modules/.cache/bazaar", import.meta.url);

const problem = !existsSync(SERVER)
  ? "this package is the client library, stock-bazaar/client; the bazaar itself runs from its repository"
  : Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN
    ? `needs Node.js ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}: run "npm ci" once, then "npx bazaar …", which brings its own`
    : null;

if (problem === null) {
  // Compiled code is kept between runs: halves the time to start and a third of the memory, most of
  // it for stripping types. npm ci makes it beforehand (build:cache in package.json). Where it can't
  // be kept, everything works as without.
  module.enableCompileCache(fileURLToPath(COMPILED));
  const { runProgram } = await import("../src/cli/program.ts");
  await runProgram(process.argv.slice(2));
} else {
  process.stderr.write(`bazaar: ${problem}\n`);
  process.exitCode = 1;
}
