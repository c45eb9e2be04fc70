// Half a minute of torture: processes killed, paused and cut off, a disk lost,
// under clients of which every call is checked. Longer runs: npm run torture.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SECURED } from "../../lab/cluster.ts";
import { ROOT, Running } from "../../lab/process.ts";
import { enoughOn } from "../../torture/nemesis.ts";
import { engine } from "./harness/lifetime.ts";

/** With the start, the healing and the checks, and room for a machine that is busy besides. */
const LIMIT_MS = 400_000;

test(
  "no order is lost or doubled and no answer is stale, whatever is killed, paused, cut off or lost",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "bazaar-torture-"));
    const args = [
      join(ROOT, "torture/main.ts"),
      "--seconds",
      "30",
      "--engine",
      engine,
      ...(SECURED ? ["--secured"] : []),
      "--out",
      folder,
    ];
    const { status, stdout, stderr } = await new Running(process.execPath, args).end(LIMIT_MS);
    // The folder is kept when something is wrong: it says what happened.
    expect(`${stdout}${stderr}`).toMatch(/\nno violation, in /);
    expect(status).toBe(0);
    const counts = new Map(
      [...stdout.matchAll(/^ *(\d+) {2}(.+)$/gm)].map(([, count, what]) => [what, Number(count)]),
    );
    // A quiet run proves nothing.
    const least = { ...enoughOn(engine), "leader changes": 1, "trade accepted": 100, orders: 100 };
    for (const [what, count] of Object.entries(least)) {
      expect(counts.get(what) ?? 0, what).toBeGreaterThanOrEqual(count);
    }
    rmSync(folder, { recursive: true });
  },
  LIMIT_MS + 10_000,
);
