// The checkers are checked: each deliberate bug is found again, by real runs of
// the simulation in a process of their own, by the rule that it breaks; the same
// seed without it is clean.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BUGS, bugNamed } from "./bugs.ts";
import { run } from "./run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const TICKS = 4_000;
/** A few runs on a busy machine. */
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

describe("a simulation that a deliberate bug passes, or that finds it by accident, is too weak", () => {
  for (const { name, breaks, found } of BUGS) {
    if (found === null) continue;
    test(
      name,
      async () => {
        const { code, output } = await simulate(
          ...["--seeds", `${found.seeds}`, "--seed", `${found.first}`, "--bug", name],
          ...["--ticks", `${TICKS}`],
        );
        const violation = /^seed (\d+): (.*)$/m.exec(output);
        expect(
          breaks.some((rule) => violation?.[2]?.startsWith(ruleText(rule))),
          output,
        ).toBe(true);
        expect(output).toContain(`--bug ${name}`);
        expect(code).toBe(1);
        expect(run(Number(violation?.[1]), TICKS).violation).toBe(null);
      },
      LIMIT_MS,
    );
  }
});

/** How what breaks a rule is told: by a checker, or by an invariant of the core. */
function ruleText(rule: string): string {
  return /^[A-Z]\d$/.test(rule) ? `Violation: ${rule}: ` : `InvariantViolation: ${rule}`;
}

test("a bug that no longer applies to the code is an error, not a clean run", () => {
  for (const { name } of BUGS) expect(bugNamed(name).edits.length).toBeGreaterThan(0);
  expect(() => bugNamed("no-such-bug")).toThrow("there are: ack-before-fsync");
});

test("a bug that the guarantees don't list, or with other rules or numbers, is one that nobody knows of", () => {
  const page = readFileSync(new URL("../docs/guarantees.md", import.meta.url), "utf8");
  const lines = BUGS.map(
    ({ name, breaks, found }) =>
      `| \`${name}\` | ${breaks.join(", ") || "–"} | ${found ? `${found.seeds} from ${found.first}` : "–"} |`,
  );
  expect(page.match(/^\| `[a-z-]+` \|.*(?:from \d+|–) \|$/gm)).toEqual(lines);
});
