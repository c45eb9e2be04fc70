// Real files of replicas, written in different ways; a made-up fetch.

import { basename, dirname } from "node:path";
import { expect, test, vi } from "vitest";
import type { Command } from "../../core/market/types.ts";
import { appliedFile } from "../../io/journal/test-files.ts";
import { countingFetch, killing, readReplicaFile } from "./fail-over.ts";
import { sameContents } from "./results.ts";

// Files are written and audited, which takes longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000 });

const list = (name: string): Command => ({
  kind: "list",
  requestId: name,
  name,
  price: 2,
  quantity: 100,
});
const HISTORY = [[list("FishCo")], [list("BoarCo")], [list("CartCo")]];

/** Of a file in DATA/ROLE. */
function read(path: string, position = HISTORY.length) {
  const folder = dirname(path);
  return readReplicaFile(dirname(folder), basename(folder), position);
}

test("files that hold the same are told to, and others to differ", async () => {
  const one = await read(appliedFile(HISTORY));
  const other = await read(appliedFile(HISTORY, { flushEach: true }));
  expect(one).toMatchObject({ last: 3, problems: [] });
  expect(one.fileDigest).toMatch(/^[0-9a-f]{64}$/);
  expect(one.bytes).toBeGreaterThan(0);
  expect(sameContents([one, other])).toBe(true);
  const third = await read(appliedFile(HISTORY.with(1, [list("BardCo")])));
  expect(sameContents([one, other, third])).toBe(false);
});

test("a file that ends too early has a problem, one that goes on has none", async () => {
  expect((await read(appliedFile(HISTORY), 4)).problems).not.toEqual([]);
  expect(await read(appliedFile(HISTORY), 2)).toMatchObject({ last: 3, problems: [] });
});

test("the leader is the first to be killed, so that every evaluation tells of fail-over", () => {
  expect(killing(3).map(({ how, whom }) => `${how} ${whom}`)).toEqual([
    "kill leader",
    "kill any",
    "kill any",
  ]);
});

test("attempts that were repeated are told, answers are not", async () => {
  let repeated = 0;
  const statuses = [200, 404, 503, 429];
  const counting = countingFetch(
    async () => {
      const status = statuses.shift();
      if (status === undefined) throw new TypeError("refused");
      return new Response(null, { status });
    },
    () => {
      repeated += 1;
    },
  );
  for (const _ of [1, 2, 3, 4]) await counting("http://here");
  await expect(counting("http://here")).rejects.toThrow("refused");
  expect(repeated).toBe(3);
});
