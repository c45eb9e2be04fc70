// Imports point one way, cli → roles → io → core, and the core is pure: no
// clock, no randomness, no input or output. The simulation is worth something
// only while this holds, since what it can't control it can't replay.

import { describe, expect, test } from "vitest";
import {
  blankCommentsAndLiterals,
  type Import,
  importsOf,
  isTest,
  type SourceFile,
  textFiles,
  typeScript,
} from "./sources.ts";

/** What each layer may import, itself included. `lab` starts whole bazaars; commands measure with it, and tests of any layer may use it. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: ["core"],
  io: ["io", "core"],
  roles: ["roles", "client", "io", "core"],
  client: ["client", "core"],
  cli: ["cli", "lab", "client", "roles", "io", "core"],
  lab: ["lab", "cli", "client", "roles", "io", "core"],
};

/** Globals that bring in time, chance, the machine or another turn of the event loop. */
const IMPURE =
  /(?<![.\w$])(?:Date|performance|process|globalThis|setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|queueMicrotask|crypto|fetch(?=\s*\()|console|Promise|async|await|WebSocket|Worker|Atomics|WeakRef|FinalizationRegistry|require)(?![\w$])|\bMath\s*\.\s*random\b|\bimport\s*\.\s*meta\b/g;

/** What a test inside the core may use besides. */
const CORE_TEST_PACKAGES: ReadonlySet<string> = new Set(["vitest", "fast-check"]);

const files = typeScript(textFiles());

function layerOf(path: string): string | null {
  return /^(?:src\/)?([^/]+)\//.exec(path)?.[1] ?? null;
}

function under(folder: string): readonly SourceFile[] {
  return files.filter(({ path }) => path.startsWith(`${folder}/`));
}

/** `path → specifier` for each import of `sources` that `allowed` refuses. */
function offenders(
  sources: readonly SourceFile[],
  allowed: (imported: Import, file: SourceFile) => boolean,
): string[] {
  return sources.flatMap((file) =>
    importsOf(file)
      .filter((imported) => !allowed(imported, file))
      .map((imported) => `${file.path} → ${imported.specifier}`),
  );
}

describe("layers", () => {
  test("a file outside the known layers escapes these rules", () => {
    const strays = files
      .filter(({ path }) => path.startsWith("src/"))
      .filter(({ path }) => !Object.hasOwn(MAY_IMPORT, layerOf(path) ?? ""))
      .map(({ path }) => path);
    expect(strays).toEqual([]);
    expect(under("src/core").length).toBeGreaterThan(0);
  });

  test("a lower layer that knows a higher one can't be used without it", () => {
    const wrong = offenders([...under("src"), ...under("lab")], ({ target }, { path }) => {
      if (target === null || target === "package.json") return true;
      const from = layerOf(path);
      const to = layerOf(target);
      if (to === "lab" && isTest(path)) return true;
      return from !== null && to !== null && (MAY_IMPORT[from] ?? []).includes(to);
    });
    expect(wrong).toEqual([]);
  });
});

describe("the core", () => {
  test("imports nothing outside itself", () => {
    const code = under("src/core").filter(({ path }) => !isTest(path));
    expect(offenders(code, ({ target }) => target?.startsWith("src/core/") ?? false)).toEqual([]);
    const tests = under("src/core").filter(({ path }) => isTest(path));
    const wrong = offenders(tests, ({ specifier, target }) =>
      target === null ? CORE_TEST_PACKAGES.has(specifier) : target.startsWith("src/core/"),
    );
    expect(wrong).toEqual([]);
  });

  test("has no clock, no chance, no promise and no machine", () => {
    const uses = under("src/core")
      .filter(({ path }) => !isTest(path))
      .flatMap(({ path, text }) =>
        blankCommentsAndLiterals(text)
          .split("\n")
          .flatMap((line, index) =>
            [...line.matchAll(IMPURE)].map(([name]) => `${path}:${index + 1} ${name}`),
          ),
      );
    expect(uses).toEqual([]);
  });

  test("replication that knows of stocks couldn't carry anything else", () => {
    const between = (from: string, to: string) =>
      offenders(under(`src/core/${from}`), ({ target }) => !target?.startsWith(`src/core/${to}/`));
    expect(between("replication", "market")).toEqual([]);
    expect(between("market", "replication")).toEqual([]);
    const log = offenders(
      under("src/io/log"),
      ({ target }) => !target?.startsWith("src/core/market/"),
    );
    expect(log).toEqual([]);
  });
});

test("a simulation that imports more of the source than its core touches the real machine", () => {
  const wrong = offenders(
    under("simulation"),
    ({ target }) =>
      target === null ||
      target.startsWith("src/core/") ||
      target.startsWith("simulation/") ||
      target === "src/io/cache/memory.ts", // a map, by the clock that it is given
  );
  expect(wrong).toEqual([]);
});

test("a client that needs Node.js or the server's code can't run in a page", () => {
  const code = under("src/client").filter(({ path }) => !isTest(path));
  const wrong = offenders(code, ({ specifier, target }) =>
    target === null
      ? !specifier.startsWith("node:")
      : target.startsWith("src/client/") || target.startsWith("src/core/"),
  );
  expect(wrong).toEqual([]);
});

test("the program doesn't depend on its tests", () => {
  const program = [...under("src"), ...under("lab"), ...under("simulation"), ...under("scripts")];
  const code = program.filter(({ path }) => !isTest(path));
  const wrong = offenders(
    code,
    ({ target }) => target === null || (!isTest(target) && !target.startsWith("test/")),
  );
  expect(wrong).toEqual([]);
});
