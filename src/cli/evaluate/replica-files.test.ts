// Real files of replicas, written in different ways.

import { basename, dirname } from "node:path";
import { expect, test } from "vitest";
import type { Command } from "../../core/market/types.ts";
import { appliedFile } from "../../io/journal/test-files.ts";
import { readReplicaFile } from "./replica-files.ts";
import { sameContents } from "./results.ts";

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

test("files that hold the same seem to differ, or those that differ to be the same", async () => {
  const one = await read(appliedFile(HISTORY));
  const other = await read(appliedFile(HISTORY, { flushEach: true }));
  expect(one).toMatchObject({ last: 3, problems: [] });
  expect(one.fileDigest).toMatch(/^[0-9a-f]{64}$/);
  expect(one.bytes).toBeGreaterThan(0);
  expect(sameContents([one, other])).toBe(true);
  const third = await read(appliedFile(HISTORY.with(1, [list("BardCo")])));
  expect(sameContents([one, other, third])).toBe(false);
});

test("a file that ends too early has no problem, or one that goes on has", async () => {
  expect((await read(appliedFile(HISTORY), 4)).problems).not.toEqual([]);
  expect(await read(appliedFile(HISTORY), 2)).toMatchObject({ last: 3, problems: [] });
});
