// Children that are real, tiny processes.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { lastLine, spawnChild } from "./child.ts";
import type { Child } from "./supervisor.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "bazaar-child-"));
const started: Child[] = [];
afterAll(async () => {
  for (const child of started) child.kill();
  await Promise.all(started.map((child) => child.exited));
  rmSync(folder, { recursive: true });
});

let scripts = 0;
function child(code: string): Child {
  const script = join(folder, `${scripts++}.mjs`);
  writeFileSync(script, code);
  const spawned = spawnChild({ execPath: process.execPath, script, args: [] });
  started.push(spawned);
  return spawned;
}

const SERVES = `
  process.on("disconnect", () => process.exit(0));
  process.send({ kind: "ready" });
  setInterval(() => {}, 1000);
`;

test("a child is ready once it serves, and ends with status 0 when it is stopped", async () => {
  const serving = child(SERVES);
  await serving.ready;
  serving.stop();
  expect(await serving.exited).toMatchObject({ code: 0, signal: null, hopeless: null });
});

test("a killed child ends with the signal and without a reason", async () => {
  const killed = child(SERVES);
  await killed.ready;
  killed.kill();
  expect(await killed.exited).toMatchObject({ code: null, signal: "SIGKILL", lastWords: "" });
});

test("a failed child's reason is the last line that it wrote", async () => {
  const failed = child(
    `console.error("a warning\\nbazaar: the disk is full\\n"); process.exit(1);`,
  );
  expect(await failed.exited).toEqual({
    code: 1,
    signal: null,
    lastWords: "the disk is full",
    hopeless: null,
  });
});

test.each(["misconfigured", "damaged"])(
  "a child that can't start, %s, ends with that kind and its own reason",
  async (hopeless) => {
    const failed = child(`
    process.send({ kind: "nonsense" });
    const said = { kind: "cannot-start", hopeless: "${hopeless}", reason: "port 1 is in use" };
    process.send(said, () => process.exit(1));
    process.stderr.write("noise");
  `);
    expect(await failed.exited).toMatchObject({
      code: 1,
      lastWords: "port 1 is in use",
      hopeless,
    });
  },
);

test("a program that isn't there is reported as a child that ended", async () => {
  const missing = spawnChild({ execPath: join(folder, "nowhere"), script: "x", args: [] });
  expect(await missing.exited).toMatchObject({ code: null, signal: null });
  expect((await missing.exited).lastWords).toContain("ENOENT");
  missing.stop();
  missing.kill();
});

test("a role ends when its up is killed with -9", async () => {
  const role = join(folder, "role.mjs");
  const gone = join(folder, "gone");
  // It leaves a file: whether its number is gone depends on who collects orphans here.
  writeFileSync(
    role,
    `import { writeFileSync } from "node:fs";
     process.on("exit", () => writeFileSync(${JSON.stringify(gone)}, ""));
     ${SERVES}`,
  );
  const here = join(import.meta.dirname, "child.ts");
  const up = child(`
    import { spawnChild } from ${JSON.stringify(here)};
    const role = spawnChild({ execPath: process.execPath, script: ${JSON.stringify(role)}, args: [] });
    await role.ready;
    process.send({ kind: "ready" });
  `);
  await up.ready;
  expect(existsSync(gone)).toBe(false);
  up.kill();
  await vi.waitUntil(() => existsSync(gone), { timeout: 30_000 });
});

test("the last line is the last one that isn't empty", () => {
  expect(lastLine("first\nbazaar: second\n \n")).toBe("second");
  expect(lastLine("")).toBe("");
});
