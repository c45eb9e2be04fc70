// The repository as the tests about it see it: its text files, what each
// imports, and its code with comments and literals blanked out.
//
// A scanner of our own, not a parser: it only has to tell code from comments and
// literals, and blanking keeps every offset and line number as it was.

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

/** One import or re-export: what it names, and where. */
export interface Import {
  readonly specifier: string;
  /** The file a relative specifier means, relative to the root; null for a package or a built-in. */
  readonly target: string | null;
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

/** Every import of a file: static, re-exported, dynamic with a literal, and `import(…)` types. */
export function importsOf(file: SourceFile): readonly Import[] {
  const code = blankComments(file.text);
  const found: Import[] = [];
  const statement =
    /\b(?:import|export)\s+(?:type\s+)?(?:[\w*${}\s,]+?\s+from\s*)?(["'])([^"'\n]+)\1/g;
  for (const match of code.matchAll(statement)) {
    found.push(importOf(file.path, match[2] ?? ""));
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*(["'])([^"'\n]+)\1/g)) {
    found.push(importOf(file.path, match[2] ?? ""));
  }
  return found;
}

function importOf(from: string, specifier: string): Import {
  const target = specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : null;
  return { specifier, target };
}

/** The text with comments blanked out. */
export function blankComments(text: string): string {
  return blank(text, false);
}

/** The text with comments, strings, template text and regular expressions blanked out. */
export function blankCommentsAndLiterals(text: string): string {
  return blank(text, true);
}

const TOKENS =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?<brace>[{}])|(?<tick>`)|(?<slash>\/)|(?<word>[\w$]+)|(?<other>\S)/y;
const SPACE = /\s+/y;
const TEMPLATE_TEXT = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;
const REGEXP = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
/** A slash after one of these starts a regular expression; after anything else it divides. */
const BEFORE_REGEXP = /^(?:[([{,;:=!&|?+\-*%<>~^}]|return|typeof|case|of|in|do|else|yield|await)$/;

function blank(text: string, literals: boolean): string {
  const out = [...text];
  const erase = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  const read = (expression: RegExp, at: number) => {
    expression.lastIndex = at;
    return expression.exec(text);
  };
  // One number for each open template: the braces open inside its present ${…}.
  const templates: number[] = [];
  let previous = ";";
  let at = 0;
  const templateText = (from: number) => {
    const end = from + (read(TEMPLATE_TEXT, from)?.[0].length ?? 0);
    if (literals) erase(from, end);
    if (text.startsWith("${", end)) {
      templates.push(0);
      previous = "{";
      return end + 2;
    }
    previous = "`";
    return end + 1;
  };
  while (at < text.length) {
    const space = read(SPACE, at);
    if (space) at += space[0].length;
    const token = read(TOKENS, at);
    if (!token?.groups) break;
    const { comment, string, brace, tick, slash } = token.groups;
    const end = at + token[0].length;
    const open = templates.at(-1);
    if (comment !== undefined) {
      erase(at, end);
      at = end;
    } else if (tick !== undefined) {
      at = templateText(end);
    } else if (brace === "}" && open === 0) {
      templates.pop();
      at = templateText(end);
    } else {
      if (brace !== undefined && open !== undefined) {
        templates[templates.length - 1] = open + (brace === "{" ? 1 : -1);
      }
      const expression = slash !== undefined && BEFORE_REGEXP.test(previous) && read(REGEXP, at);
      const stop = expression ? at + expression[0].length : end;
      if (literals && (string !== undefined || expression)) erase(at, stop);
      previous = expression ? "/x/" : string !== undefined ? '""' : token[0];
      at = stop;
    }
  }
  return out.join("");
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : walk(path);
    return entry.isFile() ? [path] : [];
  });
}
