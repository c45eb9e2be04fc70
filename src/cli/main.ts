// What bin/bazaar.js runs, and `up` for each of its processes.

import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Compiled code is kept between runs: halves the time to start and a third of the memory, most of
// it for stripping types. Where it can't be kept, everything works as without.
enableCompileCache(join(import.meta.dirname, "../../node_modules/.cache/bazaar"));
const { runProgram } = await import("./program.ts");
await runProgram(process.argv.slice(2));
