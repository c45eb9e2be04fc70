// What the format step and a replacement make durable, in which order: seen in
// the calls that reach the file system, since only a power cut shows it otherwise.

import { dirname, join, resolve } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { orderFile, roleFiles } from "./data-directory.ts";
import { formatCluster, inspectData, replaceReplica } from "./format.ts";
import { journalFolder, removeJournalFile } from "./journal.ts";
import { temporaryFolder } from "./test-files.ts";

/** In the order they were made: `sync PATH`, `rename FROM TO`, `remove PATH`. */
const calls = vi.hoisted((): string[] => []);

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const paths = new Map<number, string>();
  return {
    ...fs,
    openSync(...args: Parameters<typeof fs.openSync>) {
      const file = fs.openSync(...args);
      paths.set(file, String(args[0]));
      return file;
    },
    fsyncSync(file: number) {
      fs.fsyncSync(file);
      calls.push(`sync ${resolve(paths.get(file) ?? "")}`);
    },
    fdatasyncSync(file: number) {
      fs.fdatasyncSync(file);
      calls.push(`sync ${resolve(paths.get(file) ?? "")}`);
    },
    renameSync(from: string, to: string) {
      fs.renameSync(from, to);
      calls.push(`rename ${resolve(from)} ${resolve(to)}`);
    },
    rmdirSync(path: string) {
      fs.rmdirSync(path);
      calls.push(`remove ${resolve(path)}`);
    },
  };
});

beforeEach(() => {
  calls.length = 0;
});

function newConfig() {
  return {
    data: join(temporaryFolder(), "data"),
    replicas: [9090, 9092, 9094].map((id) => ({ id, name: `order-${id}` })),
    catalogs: [{ name: "catalog" }],
  };
}

/** Each of these calls was made, one after the other, whatever came between. */
function expectInOrder(expected: readonly string[]): void {
  let from = 0;
  for (const call of expected) {
    const at = calls.indexOf(call, from);
    expect(at, `${call} after ${calls[from - 1]}, in\n${calls.join("\n")}`).toBeGreaterThanOrEqual(
      0,
    );
    from = at + 1;
  }
}

test("a new cluster's files, and its name, are durable before it exists, and stay whatever comes", () => {
  const config = newConfig();
  formatCluster({ config, stocks: [], nowMs: 0 });
  expect(inspectData(config)).toEqual({ kind: "complete" });
  const { data } = config;
  const building = join(data, ".format");
  const built = join(data, ".formatted");
  for (const { path } of roleFiles(config)) {
    const file = path.slice(data.length);
    expectInOrder([
      `sync ${building}${file}`,
      `sync ${dirname(building + file)}`,
      `sync ${building}`,
      `rename ${building} ${built}`,
      `sync ${data}`,
      `rename ${built}${file} ${path}`,
      `sync ${dirname(path)}`,
      `sync ${data}`,
      `remove ${built}`,
      `sync ${data}`,
    ]);
  }
  expectInOrder([`sync ${dirname(data)}`, `rename ${building} ${built}`]);
  expectInOrder([
    `rename ${join(built, "secret")} ${join(data, "secret")}`,
    `sync ${data}`,
    `remove ${built}`,
  ]);
});

test("a replacement's file is durable before it gets its name, and its name when that is told", () => {
  const config = newConfig();
  formatCluster({ config, stocks: [], nowMs: 0 });
  const path = orderFile(config.data, "order-9092");
  removeJournalFile(path);
  calls.length = 0;
  replaceReplica({ config, role: "order-9092", incarnation: 1_800_000_000_000 });
  const journal = journalFolder(path);
  expectInOrder([
    `sync ${journal}.new/00000001.segment.new`,
    `rename ${journal}.new/00000001.segment.new ${journal}.new/00000001.segment`,
    `sync ${journal}.new`,
    `rename ${journal}.new ${journal}`,
    `sync ${dirname(path)}`,
    `sync ${path}.new`,
    `rename ${path}.new ${path}`,
    `sync ${dirname(path)}`,
    `sync ${config.data}`,
    `sync ${dirname(config.data)}`,
  ]);
});
