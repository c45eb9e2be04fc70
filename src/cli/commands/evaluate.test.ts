// What is refused before anything is started; test/system runs the whole.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../user-error.ts";
import { evaluateCommand } from "./evaluate.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-evaluate-test-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const run = (...args: readonly string[]) => evaluateCommand().parseAsync(args, { from: "user" });

test.each(["--clients=0", "--iterations=half", "--kills=1.5"])(
  "%s is refused before anything is started",
  async (option) => {
    const out = join(folder, "out");
    await expect(run(`--out=${out}`, option)).rejects.toThrow(UserError);
    expect(existsSync(out)).toBe(false);
  },
);

test("a place where no report can be written is refused before anything is started", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  await expect(run(`--out=${join(file, "out")}`)).rejects.toThrow("ENOTDIR");
});
