// The checkers are checked: each deliberate bug is found again, by real runs of
// the simulation in a process of their own, but for those that are found too seldom.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BUGS, bugNamed } from "./bugs.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** A run of some hundred seeds on a busy machine. */
const LIMIT_MS = 120_000;

async function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  const [code] = await once(child, "close");
  return { code, output };
}

describe("a simulation with a deliberate bug that finds nothing is too weak", () => {
  for (const { name, found } of BUGS) {
    if (found === null) continue;
    test(
      name,
      async () => {
        const { code, output } = await simulate(
          "--seeds",
          `${found.seeds}`,
          "--seed",
          `${found.first}`,
          "--bug",
          name,
        );
        expect(output).toMatch(/^seed \d+: \w*Violation: /m);
        expect(output).toContain(`--bug ${name}`);
        expect(code).toBe(1);
      },
      LIMIT_MS,
    );
  }
});

test("a bug that no longer applies to the code is an error, not a clean run", () => {
  for (const { name } of BUGS) expect(bugNamed(name).edits.length).toBeGreaterThan(0);
  expect(() => bugNamed("no-such-bug")).toThrow("there are: ack-before-fsync");
});

test("a bug that the guarantees don't list, or with other numbers, is one that nobody knows of", () => {
  const page = readFileSync(new URL("../docs/guarantees.md", import.meta.url), "utf8");
  for (const { name, found } of BUGS) {
    const numbers = found ? `${found.seeds} from ${found.first}` : "too seldom for a test";
    expect(page).toContain(`| \`${name}\` | ${numbers} |`);
  }
});
