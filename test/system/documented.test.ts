// What the documentation has a newcomer type, typed: README's two minutes and the
// tutorial, block by block, with what they say is printed.
//
// In a folder of its own, to which this checkout is what its packages are, and on
// free ports: only the numbers 8000, 8080, 9090, 9092, 9094 and 9096 are exchanged.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { freePorts } from "../../lab/ports.ts";
import { ROOT, Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { engine } from "./harness/lifetime.ts";

const PORTS = ["8000", "8080", "9090", "9092", "9094", "9096"] as const;
/** For a bazaar or a shop to open on a busy machine, and to stop, milliseconds. */
const OPEN_LIMIT_MS = 90_000;
const STEP_LIMIT_MS = 120_000;

interface Block {
  /** `sh`, `sh background`, `js FILE`, or nothing for what is printed. */
  readonly info: string;
  readonly text: string;
  /** The prose up to the next block. */
  readonly after: string;
}

const left: { readonly folder: string; readonly background: Running[] }[] = [];
afterEach(async () => {
  for (const { folder, background } of left.splice(0)) {
    for (const { finished, child } of background.toReversed()) {
      if (!finished && child.pid) process.kill(-child.pid, "SIGINT"); // Ctrl-C: to all of the group
    }
    for (const running of background) await running.end(OPEN_LIMIT_MS);
    rmSync(folder, { recursive: true, force: true });
  }
}, OPEN_LIMIT_MS);

/** A folder in which `npx bazaar` and `stock-bazaar/client` are this checkout's. */
async function newcomer() {
  const folder = mkdtempSync(join(tmpdir(), "bazaar-newcomer-"));
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  symlinkSync(ROOT, join(modules, "stock-bazaar"));
  symlinkSync(join(ROOT, "bin/bazaar.js"), join(modules, ".bin/bazaar"));
  symlinkSync(process.execPath, join(modules, ".bin/node"));
  writeFileSync(join(folder, ".curlrc"), "silent\n");
  const free = (await freePorts(PORTS.length)).map(String);
  const [frontend, , low, middle, high, catalog] = free;
  const background: Running[] = [];
  left.push({ folder, background });
  const environment = {
    PATH: `${join(modules, ".bin")}:${process.env.PATH}`,
    CURL_HOME: folder, // with a .curlrc that is as silent as a terminal that is looked at
    BAZAAR_PORT: frontend,
    BAZAAR_REPLICAS: [low, middle, high].join(),
    BAZAAR_CATALOG_PORT: catalog,
  };
  return {
    folder,
    /** The text with the ports of this folder in it. */
    here: (text: string) =>
      text.replace(/\b(?:80[08]0|909[0246])\b/g, (port) => {
        return free[PORTS.indexOf(port as (typeof PORTS)[number])] ?? port;
      }),
    /** In a group of its own, as a terminal's. */
    shell: (text: string) =>
      new Running("setsid", ["sh", "-c", text], { environment, cwd: folder }),
    background,
  };
}

function blocksOf(markdown: string): readonly Block[] {
  return markdown
    .split(/^```/m)
    .slice(1)
    .flatMap((part, index, parts) => {
      if (index % 2 === 1) return [];
      const [info = "", ...lines] = part.split("\n");
      return [{ info, text: lines.join("\n"), after: parts[index + 1] ?? "" }];
    });
}

/**
 * Positions depend on how often leaders changed, and curl ends no line that the answer doesn't end;
 * everything else is compared to the letter.
 */
function comparable(text: string): string {
  return text
    .replace(/at position \d+/g, "at position N")
    .replaceAll("}{", "}\n{")
    .trimEnd();
}

async function follow(blocks: readonly Block[], newcomers: Awaited<ReturnType<typeof newcomer>>) {
  const { folder, here, shell, background } = newcomers;
  for (const [index, { info, text, after }] of blocks.entries()) {
    const [kind, what] = info.split(" ");
    if (kind === "") continue; // compared with the block before
    if (kind !== "sh") {
      const path = join(folder, what ?? "");
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, here(text));
      continue;
    }
    const running = shell(here(`exec 2>&1\n${what === "background" ? "exec " : ""}${text}`));
    if (what === "background") {
      background.push(running);
      const ready = here(/prints `([^`]+)`/.exec(after)?.[1] ?? "");
      expect(ready).not.toBe("");
      await until(
        ready,
        () => {
          if (running.finished) throw new Error(`ended: ${running.stdout}`);
          return running.stdout.includes(ready);
        },
        OPEN_LIMIT_MS,
      );
      continue;
    }
    const { status, stdout } = await running.end(STEP_LIMIT_MS);
    const printed = blocks[index + 1];
    expect({ text, status, stdout: status === 0 ? "" : stdout }).toMatchObject({ status: 0 });
    if (printed?.info === "") {
      expect(comparable(stdout)).toBe(comparable(here(printed.text)));
    }
  }
}

test.runIf(engine === "builtin")(
  "the tutorial works as it is written",
  { timeout: 4 * STEP_LIMIT_MS },
  async () => {
    const blocks = blocksOf(readFileSync(join(ROOT, "docs/tutorial.md"), "utf8"));
    expect(blocks.length).toBeGreaterThan(12);
    await follow(blocks, await newcomer());
  },
);

test("README's two minutes work as they are written", { timeout: 4 * STEP_LIMIT_MS }, async () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, minutes = ""] = /^## Two minutes\n(.*?)^## /ms.exec(readme) ?? [];
  const blocks = blocksOf(minutes);
  expect(blocks.length).toBeGreaterThan(6);
  const start: Block = {
    info: "sh background",
    text: engine === "builtin" ? "npx bazaar up" : "npx bazaar up --engine postgres",
    after: "It is ready when it prints `open http://127.0.0.1:8000`.",
  };
  await follow([start, ...blocks], await newcomer());
});
