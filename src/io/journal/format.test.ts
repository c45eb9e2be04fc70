import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { decodeCommands } from "../../core/market/codec.ts";
import { readSecret } from "../rpc/secret.ts";
import { openCatalogStore } from "./catalog-store.ts";
import { catalogFile, lockRole, orderFile, roleFiles } from "./data-directory.ts";
import { DataFileExists, DataFileForeign, DirectoryLocked } from "./errors.ts";
import { formatCluster, inspectData } from "./format.ts";
import { openJournal } from "./journal.ts";
import { segmentFile, temporaryFolder, thrown } from "./test-files.ts";

const STOCKS = [
  { name: "FishCo", price: 17.99, quantity: 600 },
  { name: "BoarCo", price: 28.59, quantity: 1102 },
];
const NOW_MS = 1_800_000_000_000;

function rolesIn(data: string) {
  return {
    data,
    replicas: [9090, 9092, 9094].map((id) => ({ id, name: `order-${id}` })),
    catalogs: [{ name: "catalog" }, { name: "catalog-9097" }],
  };
}
type Roles = ReturnType<typeof rolesIn>;

function newRoles(): Roles {
  return rolesIn(join(temporaryFolder(), "data"));
}

function format(config: Roles): string {
  return formatCluster({ config, stocks: STOCKS, nowMs: NOW_MS });
}

/** All that a start of every role would find; throws if one couldn't start. */
function contentOf(config: Roles) {
  const replicas = config.replicas.map(({ id, name }) => {
    const journal = openJournal(orderFile(config.data, name), { replica: id });
    const { identity, hardState, lastPosition, appliedPosition } = journal;
    const entries = journal.entries(0, 1 << 30);
    const digest = journal.digestAt(lastPosition);
    journal.close();
    return { identity, hardState, lastPosition, appliedPosition, entries, digest };
  });
  const catalogs = config.catalogs.map(({ name }) => {
    const store = openCatalogStore({ path: catalogFile(config.data, name), role: name });
    const content = { cluster: store.cluster, position: store.position, stocks: store.stocks() };
    store.close();
    return content;
  });
  return { replicas, catalogs, secret: readSecret(config.data) };
}

test("all replicas of a new cluster begin with the same journal, which lists the stocks", () => {
  const config = newRoles();
  const cluster = format(config);
  const { replicas, catalogs } = contentOf(config);
  const members = config.replicas.map(({ id }) => id);
  expect(replicas.map(({ identity }) => identity)).toEqual(
    config.replicas.map(({ id }) => ({ cluster, members, replica: id, incarnation: 1 })),
  );
  expect(new Set(replicas.map(({ digest }) => digest)).size).toBe(1);
  for (const { hardState, entries, lastPosition, appliedPosition } of replicas) {
    expect(hardState).toMatchObject({ promise: { epoch: 0 }, voter: true });
    expect([lastPosition, appliedPosition]).toEqual([3, 0]);
    expect(entries[0]).toEqual({
      position: 1,
      epoch: 0,
      at: NOW_MS,
      body: { kind: "members", members },
    });
    const commands = entries.slice(1).map(({ position, epoch, at, body }) => {
      expect([epoch, at]).toEqual([0, NOW_MS]);
      const [command, ...rest] = body.kind === "command" ? decodeCommands(body.bytes) : [];
      expect(rest).toEqual([]);
      return { position, ...command, requestId: undefined };
    });
    expect(commands).toEqual(
      STOCKS.map((stock, index) => ({
        ...stock,
        kind: "list",
        position: index + 2,
        requestId: undefined,
      })),
    );
  }
  expect(catalogs).toEqual([
    { cluster: { name: cluster, members }, position: 0, stocks: [] },
    { cluster: { name: cluster, members }, position: 0, stocks: [] },
  ]);
  expect(statSync(join(config.data, "secret")).mode & 0o777).toBe(0o600);
  expect(readdirSync(config.data).sort()).toEqual([
    "catalog",
    "catalog-9097",
    "lock.db",
    "order-9090",
    "order-9092",
    "order-9094",
    "secret",
  ]);
});

describe("a directory", () => {
  test("without a cluster is formatted, whatever roles left there before", () => {
    const config = newRoles();
    expect(inspectData(config)).toEqual({ kind: "absent" });
    mkdirSync(join(config.data, "logs"), { recursive: true });
    mkdirSync(join(config.data, "run"));
    mkdirSync(join(config.data, ".format", "order-9090"), { recursive: true });
    writeFileSync(join(config.data, ".format", "order-9090", "order.db"), "half of it");
    lockRole(config.data, "order-9094").release();
    expect(inspectData(config)).toEqual({ kind: "absent" });
    format(config);
    expect(inspectData(config)).toEqual({ kind: "complete" });
  });

  test("of which files are lost names them, and isn't formatted over", () => {
    const config = newRoles();
    format(config);
    const lose = (path: string) => renameSync(path, `${path}.lost`);
    lose(orderFile(config.data, "order-9092"));
    lose(catalogFile(config.data, "catalog"));
    expect(inspectData(config)).toEqual({ kind: "partial", missing: ["order-9092", "catalog"] });
    expect(thrown(() => format(config))).toBeInstanceOf(DataFileExists);
    for (const { path } of roleFiles(config)) if (existsSync(path)) lose(path);
    expect(inspectData(config)).toMatchObject({ kind: "partial" });
    expect(thrown(() => format(config))).toBeInstanceOf(DataFileExists);
  });

  test("with a cluster isn't formatted over", () => {
    const config = newRoles();
    format(config);
    const before = contentOf(config);
    expect(thrown(() => format(config))).toBeInstanceOf(DataFileExists);
    expect(contentOf(config)).toEqual(before);
  });

  test("with somebody else's files is refused", () => {
    const config = newRoles();
    mkdirSync(config.data);
    writeFileSync(join(config.data, "thesis.txt"), "");
    expect(thrown(() => inspectData(config))).toBeInstanceOf(DataFileForeign);
    expect(thrown(() => format(config))).toBeInstanceOf(DataFileForeign);
    expect(existsSync(join(config.data, "order-9090"))).toBe(false);
  });

  test("in which another format is under way is refused until that has ended", () => {
    const config = newRoles();
    const lock = lockRole(config.data, ".");
    expect(thrown(() => format(config))).toBeInstanceOf(DirectoryLocked);
    lock.release();
    format(config);
  });
});

describe("a crash", () => {
  test("after the cluster exists, wherever it comes, leaves all of it", () => {
    const whole = newRoles();
    format(whole);
    const expected = contentOf(whole);
    const files = [
      ...whole.replicas.map(({ name }) => segmentFile(orderFile(whole.data, name))),
      ...roleFiles(whole).map(({ path }) => path),
      join(whole.data, "secret"),
    ];
    for (let moved = 0; moved <= files.length; moved++) {
      const config = newRoles();
      for (const [index, file] of files.entries()) {
        const folder = index < moved ? config.data : join(config.data, ".formatted");
        const to = join(folder, file.slice(whole.data.length));
        mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
        cpSync(file, to);
      }
      expect(inspectData(config)).toEqual({ kind: "complete" });
      expect(contentOf(config)).toEqual(expected);
      expect(existsSync(join(config.data, ".formatted"))).toBe(false);
    }
  });

  test.each([
    ".format",
    ".format/order-9092/order.db",
    ".format/catalog-9097/catalog.db",
    ".formatted",
    "order-9092/journal/00000001.segment",
    "order-9092/order.db",
    "secret",
  ])(
    "at any moment leaves all files or none that count: when %s is there",
    async (moment) => {
      const config = newRoles();
      const child = spawn(
        process.execPath,
        [
          "--input-type=module",
          "-e",
          `import { formatCluster } from ${JSON.stringify(new URL("./format.ts", import.meta.url).href)};
         formatCluster(${JSON.stringify({ config, stocks: STOCKS, nowMs: NOW_MS })});`,
        ],
        { stdio: ["ignore", "ignore", "inherit"] },
      );
      const exited = once(child, "exit");
      while (child.exitCode === null && !existsSync(join(config.data, moment))) await pause(1);
      child.kill("SIGKILL");
      await exited;
      if (inspectData(config).kind === "absent") format(config);
      expect(inspectData(config)).toEqual({ kind: "complete" });
      expect(new Set(contentOf(config).replicas.map(({ digest }) => digest)).size).toBe(1);
    },
    20_000,
  );
});
