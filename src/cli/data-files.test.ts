// The data directory in every state that `up` and `format` may find it in.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { formatAlone, formatIfNew, replaceRole } from "./data-files.ts";
import { processNamed } from "./processes.ts";
import { resolveConfig } from "./resolve-config.ts";
import { errorLine, UserError } from "./user-error.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-files-"));
  writeFileSync(join(folder, "stocks.csv"), "name,price,quantity\nFishCo,17.99,600\n");
});
afterEach(() => rmSync(folder, { recursive: true }));

const config = () =>
  resolveConfig({
    flags: {},
    environment: {},
    file: null,
    cwd: folder,
    stocksShipped: join(folder, "stocks.csv"),
  });
const line = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    return errorLine(error);
  }
  return "no error";
};

test("a first start makes the files, and a second one leaves them", async () => {
  expect(await formatIfNew(config())).toBe(`made a new cluster with 1 stocks in ${folder}/data`);
  expect(await formatIfNew(config())).toBeNull();
});

test("a new cluster is refused where there is one already", async () => {
  await formatAlone(config());
  expect(await line(() => formatAlone(config()))).toContain("holds a cluster already");
});

test("a replica's missing file is refused with the command that makes a replacement", async () => {
  await formatAlone(config());
  rmSync(join(folder, "data/order-9092"), { recursive: true });
  const refused = () => formatIfNew(config());
  await expect(refused()).rejects.toThrow(UserError);
  expect(await line(refused)).toBe(
    `order-9092: its file is missing in ${folder}/data; if a disk was lost, make a replacement with "npx bazaar format --replace order-9092"`,
  );
  expect(replaceRole(config(), processNamed(config(), "order-9092"))).toContain("order-9092");
  expect(readdirSync(join(folder, "data/order-9092"))).toContain("order.db");
  expect(await formatIfNew(config())).toBeNull();
});

test("a catalog can be replaced, and a front end has nothing to replace", async () => {
  await formatAlone(config());
  rmSync(join(folder, "data/catalog"), { recursive: true });
  replaceRole(config(), processNamed(config(), "catalog"));
  expect(existsSync(join(folder, "data/catalog/catalog.db"))).toBe(true);
  const frontend = processNamed(config(), "frontend");
  expect(await line(() => replaceRole(config(), frontend))).toContain("a front end keeps no files");
});

test("a replica that still has its file can't be replaced", async () => {
  await formatAlone(config());
  const replica = processNamed(config(), "order-9094");
  expect(await line(() => replaceRole(config(), replica))).toContain("is only for a lost disk");
});

test("stocks that can't be read are refused before any file is made", async () => {
  writeFileSync(join(folder, "stocks.csv"), "name,price,quantity\nFishCo,free,600\n");
  expect(await line(() => formatIfNew(config()))).toContain("line 2: the price must be");
  expect(existsSync(join(folder, "data"))).toBe(false);
});
