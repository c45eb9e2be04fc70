// What no formatter checks: that every file says what it is for, stays of a
// size to read, and leaves nothing open or switched off; and that the
// documentation names only what exists.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { isTest, ROOT, type SourceFile, textFiles, typeScript } from "./sources.ts";

/** A header shorter than this many letters says nothing. */
const HEADER_MIN = 20;
/** Above this many lines a header must say why the file isn't two. */
const LINES_MAX = 400;

/** For `bazaar --help` to print; longer than it ever takes. */
const HELP_LIMIT_MS = 30_000;

// Every file is read and taken apart, which takes longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000 });

const files = textFiles();
const sources = typeScript(files);
const pages = files.filter(({ path }) => path.endsWith(".md"));
const prose = pages.filter(({ path }) => path !== "CHANGELOG.md");

/** `path:line` of each line of `among` that `expression` matches. */
function linesWith(among: readonly SourceFile[], expression: RegExp): string[] {
  return among.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) => (expression.test(line) ? [`${path}:${index + 1}`] : [])),
  );
}

function paths(among: readonly SourceFile[]): string[] {
  return among.map(({ path }) => path);
}

/** The comment a file begins with, after a shebang if there is one, as one line. */
function headerOf({ text }: SourceFile): string {
  const comment = /^(?:#![^\n]*\n)?((?:\/\/[^\n]*\n)*)/.exec(text)?.[1] ?? "";
  return comment.replaceAll(/\n?\/\/ ?/g, " ").trim();
}

describe("a source file", () => {
  test("says in its header what it is for", () => {
    // A test beside its source is for what that one's header says.
    const bare = sources
      .filter(({ path }) => !path.endsWith(".test.ts") || path.startsWith("test/"))
      .filter((file) => headerOf(file).length < HEADER_MIN);
    expect(paths(bare)).toEqual([]);
  });

  test("over the limit of lines says in its header why it isn't two", () => {
    const long = sources.filter(
      (file) =>
        file.text.split("\n").length - 1 > LINES_MAX &&
        !headerOf(file).includes(`Longer than ${LINES_MAX} lines because`),
    );
    expect(paths(long)).toEqual([]);
  });
});

test("the program doesn't depend on its tests", () => {
  const program = sources.filter(
    ({ path }) => /^(?:src|lab|simulation|scripts)\//.test(path) && !isTest(path),
  );
  const ofTests = /from "[./][^"]*(?:\.test|\/test-[\w-]+|\/testing)\.ts"|from "[./]+\/test\//;
  expect(linesWith(program, ofTests)).toEqual([]);
});

describe("nothing is left open or switched off:", () => {
  // Put together, so that this file doesn't find itself.
  const word = (...parts: string[]) => parts.join("");
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      "a note to do it later",
      new RegExp(`\\b(?:${word("TO", "DO")}|${word("FIX", "ME")}|X{3})\\b`),
    ],
    ["a test that runs alone or not at all", /\.(?:only|skip|todo|fails)\s*\(/],
    ["a retry that hides a flaw", new RegExp(word("\\bre", "try:\\s*\\d"))],
    ["a linter told to look away", new RegExp(word("biome-", "ignore"))],
    ["a compiler told to look away", new RegExp(word("@ts-", "(?:ignore|nocheck|expect-error)"))],
    ["a debugger's stop", new RegExp(word("^\\s*debug", "ger;"))],
  ];
  test.each(cases)("%s", (_what, expression) => {
    const among = files.filter(({ path }) => !path.startsWith("test/system/lab-document/"));
    expect(linesWith(among, expression)).toEqual([]);
  });
});

describe("text", () => {
  test("has the line ends of one system, the last one included", () => {
    const wrong = files.filter(
      ({ text }) => text.includes("\r") || (text !== "" && !text.endsWith("\n")),
    );
    expect(paths(wrong)).toEqual([]);
  });

  test("names no folder of one machine", () => {
    const folders = ["(?:home|Users)/(?!me\\b)", "(?:root|work|tmp)/"].join("|");
    const expression = new RegExp(`(?<![\\w.~*)\\]}])/(?:${folders})\\w`);
    expect(linesWith(files, expression)).toEqual([]);
  });

  test("has no blanks at the end of a line", () => {
    const among = files.filter(({ path }) => !path.startsWith("test/system/lab-document/"));
    expect(linesWith(among, /[ \t]$/)).toEqual([]);
  });
});

describe("documentation", () => {
  test("has no link that leads nowhere", () => {
    const dead = pages.flatMap((page) =>
      linksOf(page)
        .filter((link) => !resolves(page, link))
        .map((link) => `${page.path} → ${link}`),
    );
    expect(dead).toEqual([]);
  });

  test("names only npm scripts that are there", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const named = namedBy(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g);
    expect(named.filter(({ name }) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test("names only bazaar commands that are there", () => {
    const named = namedBy(/\b(?:npx bazaar|`bazaar) ([a-z]+)/g);
    const known = bazaarCommands();
    expect(known).toContain("up");
    expect(named.filter(({ name }) => !known.includes(name))).toEqual([]);
  });
});

/** Link targets of a page, code left out. */
function linksOf({ text }: SourceFile): string[] {
  const plain = text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
  return [...plain.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
}

/** True for other sites, and for a file of ours that exists and has the heading named. */
function resolves(page: SourceFile, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return true;
  const [file = "", heading] = link.split("#");
  const path = file === "" ? page.path : posix.join(posix.dirname(page.path), file);
  if (!existsSync(join(ROOT, path))) return false;
  if (heading === undefined) return true;
  const target = pages.find((other) => other.path === path);
  return target !== undefined && headingsOf(target).includes(heading);
}

/** The anchors of a page's headings, made as code hosts make them. */
function headingsOf({ text }: SourceFile): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** What the pages name in the first group that matched, with where. */
function namedBy(expression: RegExp): { path: string; name: string }[] {
  return prose.flatMap(({ path, text }) =>
    [...text.matchAll(expression)].map((match) => ({
      path,
      name: match.slice(1).find(Boolean) ?? "",
    })),
  );
}

/** The commands as the program itself lists them. */
function bazaarCommands(): string[] {
  const { stdout } = spawnSync(process.execPath, [join(ROOT, "bin/bazaar.js"), "--help"], {
    encoding: "utf8",
    timeout: HELP_LIMIT_MS,
  });
  const listed = stdout.slice(stdout.indexOf("Commands:"));
  return [...listed.matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1] ?? "");
}
