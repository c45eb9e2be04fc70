// The repository as the tests about it see it: its text files.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Folders that hold nothing of ours, or only what was made. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  ".git",
  "node_modules",
  "data",
  "coverage",
  "dist",
  "docs-site",
]);

const TEXT_FILE =
  /(\.(ts|tsx|js|json|md|txt|csv|html|css|yml|yaml|sh)|\/(run|LICENSE|\.gitignore))$/;

/** One text file; `path` is relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** All text files of the checkout, sorted by path. */
export function textFiles(): readonly SourceFile[] {
  return walk("")
    .filter((path) => TEXT_FILE.test(`/${path}`))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** The TypeScript files among `files`. */
export function typeScript(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ path }) => /\.tsx?$/.test(path));
}

/** A test, or what only tests use: `test-support.ts` and the like. */
export function isTest(path: string): boolean {
  return /\.test\.tsx?$|\/test(?:ing|-[\w-]+)\.ts$/.test(path);
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : walk(path);
    return entry.isFile() ? [path] : [];
  });
}
