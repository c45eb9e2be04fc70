// What the linter is set to refuse in biome.json, shown by code that breaks it:
// imports point one way, cli → roles → io → core, and the core is pure, with no
// clock, no randomness, no input or output. The simulation is worth something only
// while this holds, since what it can't control it can't replay.

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "./sources.ts";

const LINT_LIMIT_MS = 60_000;

type Case = readonly [folder: string, code: string];

const importing = (folder: string, ...paths: readonly string[]): Case[] =>
  paths.map((path) => [folder, `import { a } from "${path}";\n\nexport const b = a;`]);

const REFUSED: readonly Case[] = [
  ...importing("src/core/market", "../../io/rpc/types.ts", "../../roles/words.ts", "zod"),
  ...importing("src/core/market", "node:fs", "fast-check", "../replication/types.ts"),
  ...importing("src/core/market/tests", "pino", "../../io/rpc/types.ts"),
  ...importing("src/core/replication", "../market/types.ts", "node:fs", "../../client/types.ts"),
  ...importing("src/io/rpc", "../../roles/words.ts", "../../cli/options.ts"),
  ...importing("src/io/log", "../../core/market/types.ts", "../../roles/words.ts"),
  ...importing("src/roles", "../cli/options.ts"),
  ...importing("src/client", "node:fs", "../io/within.ts", "../roles/words.ts"),
  ...importing("simulation", "../src/io/within.ts", "../src/roles/words.ts"),
  ...[
    "export const now = () => Date.now();",
    "export const now = () => performance.now();",
    "export const chance = () => Math.random();",
    "const { random } = Math;\n\nexport const chance = random;",
    "export const later = (run: () => void) => setTimeout(run, 1);",
    "export type Later = Promise<number>;",
    "export const later = async () => 1;",
    "export async function later() {\n  return 1;\n}",
    "export class Later {\n  async come() {\n    return 1;\n  }\n}",
    "export const where = () => import.meta.url;",
    "export const home = () => process.env;",
    "export const get = () => fetch;",
  ].map((code): Case => ["src/core/service", code]),
];

const TAKEN: readonly Case[] = [
  ...importing("src/core/market", "../invariant.ts", "./types.ts"),
  ...importing("src/core/market/tests", "fast-check", "vitest", "../../invariant.ts"),
  ...importing("src/core/service", "../market/types.ts", "../replication/types.ts"),
  ...importing("src/io/rpc", "../../core/invariant.ts", "node:fs", "zod"),
  ...importing("src/roles/order", "../../io/rpc/types.ts", "../../core/invariant.ts"),
  ...importing("src/cli", "../roles/words.ts", "../client/types.ts"),
  ...importing("src/client", "../core/invariant.ts"),
  ...importing("simulation", "../src/core/invariant.ts"),
];

/** Those of `cases` that the linter complains about, each as a file of its own in its folder. */
function refused(cases: readonly Case[]): readonly Case[] {
  const root = mkdtempSync(join(tmpdir(), "bazaar-lint-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const name of ["biome.json", "scripts/core-purity.grit"]) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    copyFileSync(join(ROOT, name), join(root, name));
  }
  const paths = cases.map(([folder, code], index) => {
    const isTest = folder.endsWith("/tests");
    const path = join(folder.replace(/\/tests$/, ""), `case-${index}${isTest ? ".test" : ""}.ts`);
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${code}\n`);
    return path;
  });
  const report = join(root, "report.json");
  const { error } = spawnSync(
    join(ROOT, "node_modules/.bin/biome"),
    ["lint", "--vcs-enabled=false", "--max-diagnostics=none", "--reporter=json"].concat(
      `--reporter-file=${report}`,
    ),
    { cwd: root, timeout: LINT_LIMIT_MS },
  );
  if (error) throw error;
  const { diagnostics } = JSON.parse(readFileSync(report, "utf8")) as {
    diagnostics: { location: { path: string } }[];
  };
  const complained = new Set(diagnostics.map(({ location }) => location.path));
  return cases.filter((_case, index) => complained.has(paths[index] ?? ""));
}

test("imports against the layers and machinery in the core are refused", () => {
  expect(refused(REFUSED)).toEqual(REFUSED);
});

test("imports along the layers are taken", () => {
  expect(refused(TAKEN)).toEqual([]);
});

test("the layers that the linter knows are all there are", () => {
  const layers = ["cli", "client", "core", "io", "roles"];
  expect(readdirSync(join(ROOT, "src")).toSorted()).toEqual(layers);
});
