// The browser of the tests: Chromium as @sparticuz/chromium packs it, unpacked
// once into node_modules/.cache, with fonts of its own, so that pictures look the
// same on every machine.
//
// Unpacked beside and then renamed: a run that is cut off leaves no half browser.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Changes with what is unpacked, and how. */
const FOLDER = join(import.meta.dirname, "../node_modules/.cache/bazaar-chromium-147");
/** A browser that doesn't say its version by then doesn't run, milliseconds. */
const VERSION_LIMIT_MS = 30_000;

/** How to start it. */
export interface ChromiumLaunch {
  readonly executable: string;
  /** Of its environment, what differs from this process's. */
  readonly env: Readonly<Record<string, string>>;
}

/** Unpacks the browser unless that was done before. Returns the ways to start it, the best first. */
export async function unpackChromium(): Promise<readonly ChromiumLaunch[]> {
  if (!existsSync(FOLDER)) {
    const partial = `${FOLDER}.${process.pid}`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await unpackInto(partial);
    mkdirSync(dirname(FOLDER), { recursive: true });
    try {
      renameSync(partial, FOLDER);
    } catch (error) {
      // Another run was faster, which is as good.
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(FOLDER)) throw error;
    }
  }
  writeFileSync(join(FOLDER, "fonts.conf"), FONTS);
  const executable = join(FOLDER, "chromium");
  const env = { FONTCONFIG_FILE: join(FOLDER, "fonts.conf") };
  // The package brings libraries for machines without them.
  const libraries = [join(FOLDER, "al2023/lib"), process.env.LD_LIBRARY_PATH].filter(Boolean);
  return [
    { executable, env },
    { executable, env: { ...env, LD_LIBRARY_PATH: libraries.join(":") } },
  ];
}

/** Whether it starts at all. */
export function runs({ executable, env }: ChromiumLaunch): boolean {
  const { status } = spawnSync(executable, ["--version", "--no-sandbox"], {
    env: { ...process.env, ...env },
    stdio: "ignore",
    timeout: VERSION_LIMIT_MS,
  });
  return status === 0;
}

/** The way to start it on this machine; null when there is none. */
export async function chromiumLaunch(): Promise<ChromiumLaunch | null> {
  return (await unpackChromium()).find(runs) ?? null;
}

const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(FOLDER, "fonts/fonts")}</dir>
  <cachedir>${join(FOLDER, "fonts-cache")}</cachedir>
</fontconfig>
`;

/** The package unpacks into the system's temporary folder, and its libraries only where it is told that it must. */
async function unpackInto(folder: string): Promise<void> {
  const kept = { ...process.env };
  process.env.TMPDIR = folder;
  process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
  try {
    const { default: chromium } = await import("@sparticuz/chromium");
    await chromium.executablePath();
  } finally {
    for (const name of Object.keys(process.env)) {
      if (!(name in kept)) delete process.env[name];
    }
    Object.assign(process.env, kept);
  }
}
