// Files of formats 1 and 2 as those versions of the program left them: three replicas
// and a catalog, killed; order-9092 had been replaced and admitted, order-9094 was
// down for the last three trades.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { decodeCommands } from "../../core/market/codec.ts";
import { auditOrderFile } from "./audit.ts";
import { openCatalogStore } from "./catalog-store.ts";
import { lockRole } from "./data-directory.ts";
import { DataFileForeign, DataFileTooOld, DirectoryLocked, JournalCorrupt } from "./errors.ts";
import { inspectData } from "./format.ts";
import { journalFolder, openJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { flipBit, temporaryFolder, thrown } from "./test-files.ts";
import { upgradeCluster } from "./upgrade.ts";

const IDS = [9090, 9092, 9094];
const STOCKS = [
  { name: "BoarCo", price: 28.59, quantity: 1106 },
  { name: "ElmCo", price: 12.5, quantity: 39 },
  { name: "FishCo", price: 17.99, quantity: 606 },
];

function old(format = 1) {
  const data = temporaryFolder();
  const files = `testdata/format-${format}.tar.gz`;
  execFileSync("tar", ["xzf", join(import.meta.dirname, files), "-C", data]);
  execFileSync("chmod", ["-R", "go-rwx", data]);
  return roles(data);
}

function roles(data: string, ids: readonly number[] = IDS) {
  const replicas = ids.map((id) => ({ id, name: `order-${id}` }));
  return { data, replicas, catalogs: [{ name: "catalog" }] };
}

function pathOf(data: string, id: number): string {
  return join(data, `order-${id}`, "order.db");
}

/** What a replica's file holds, read as a replica would. */
function contentOf(data: string, id: number) {
  const path = pathOf(data, id);
  const journal = openJournal(path, { replica: id });
  onTestFinished(() => journal.close());
  while (!journal.scrub(1 << 20).done);
  const ledger = new Ledger(journal);
  const { lastPosition, appliedPosition } = journal;
  return { journal, ledger, lastPosition, appliedPosition };
}

test.each([1, 2])(
  "files of format %i are refused with the command that converts them",
  (format) => {
    const { data } = old(format);
    const opens = [
      () => openJournal(pathOf(data, 9090), { replica: 9090 }),
      () => openCatalogStore({ path: join(data, "catalog", "catalog.db"), role: "catalog" }),
    ];
    // A catalog's file of format 2 is today's.
    for (const open of opens.slice(0, format === 1 ? 2 : 1)) {
      const error = thrown(open);
      expect(error).toBeInstanceOf(DataFileTooOld);
      expect((error as Error).message).toContain("bazaar format --upgrade");
    }
  },
);

test.each([1, 2])(
  "from format %i every replica has its journal, promise, vote and incarnation, and the members",
  (format) => {
    const config = old(format);
    const { data } = config;
    const catalog = format === 1 ? ["catalog"] : [];
    expect(upgradeCluster(config)).toEqual(["order-9090", "order-9092", "order-9094", ...catalog]);
    for (const id of IDS) {
      expect(readdirSync(join(data, `order-${id}`)).sort()).toEqual([
        "journal",
        "lock.db",
        "order.db",
        `order.db.format-${format}`,
      ]);
    }
    expect(inspectData(config).kind).toBe("complete");
    const [first, replaced, behind] = IDS.map((id) => contentOf(data, id));
    if (!first || !replaced || !behind) throw new Error("a replica is missing");
    const cluster = first.journal.identity.cluster;
    for (const [index, { journal }] of [first, replaced, behind].entries()) {
      const { members } = journal.identity;
      expect([journal.identity.cluster, members]).toEqual([cluster, IDS]);
      expect(journal.identity.replica).toBe(IDS[index]);
      expect(journal.hardState.voter).toBe(true);
      expect(journal.entries(0, 1)[0]?.body).toEqual({ kind: "members", members });
    }
    expect([first.journal.identity.incarnation, behind.journal.identity.incarnation]).toEqual([
      1, 1,
    ]);
    expect(replaced.journal.identity.incarnation).toBeGreaterThan(1);
    expect(replaced.journal.admissions()).toEqual([
      {
        position: expect.any(Number),
        replica: 9092,
        incarnation: replaced.journal.identity.incarnation,
      },
    ]);
    expect(replaced.journal.hardState.promise).toEqual(first.journal.hardState.promise);
    // The same journal, as far as each has it: one that is behind can follow.
    expect(behind.lastPosition).toBeLessThan(first.lastPosition);
    for (const { journal, lastPosition } of [replaced, behind]) {
      const common = Math.min(lastPosition, first.lastPosition);
      expect(journal.digestAt(common)).toBe(first.journal.digestAt(common));
    }
    const position = first.appliedPosition;
    const audit = auditOrderFile({ path: pathOf(data, 9090), position, stocksAt: [] });
    expect(audit.problems).toEqual([]);
    const store = openCatalogStore({
      path: join(data, "catalog", "catalog.db"),
      role: "catalog",
      cluster,
    });
    onTestFinished(() => store.close());
    expect(store.cluster.members).toEqual(IDS);
  },
);

test.each([1, 2])(
  "every order, request id and stock of the files of format %i is there",
  (format) => {
    const config = old(format);
    upgradeCluster(config);
    const { journal, ledger, appliedPosition } = contentOf(config.data, 9090);
    for (const { position, body } of journal.entries(appliedPosition, Number.MAX_VALUE)) {
      ledger.queue(position, body.kind === "command" ? decodeCommands(body.bytes) : []);
    }
    ledger.flush();
    const told = ledger
      .orders(0, 100)
      .map(({ name, type, quantity }) => `${type} ${quantity} ${name}`);
    expect(told).toEqual([
      ...Array.from({ length: 5 }, () => "buy 1 FishCo"),
      "sell 7 BoarCo",
      "buy 2 ElmCo",
      "sell 1 ElmCo",
      ...Array.from({ length: 3 }, () => "buy 1 BoarCo"),
    ]);
    expect(ledger.stocks().toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(STOCKS);
    expect(ledger.request("my-key")?.outcome).toEqual({ kind: "accepted", number: 6 });
    expect(ledger.request("refused-key")?.outcome).toMatchObject({ kind: "refused" });
  },
);

test("what can't be the whole cluster is refused, and nothing is touched", () => {
  const config = old();
  const before = IDS.map((id) => readFileSync(pathOf(config.data, id)));
  const wrong = [[9090], [9090, 9092], [9090, 9092, 9098], [9098], [9090, 9092, 9096, 9098]];
  for (const ids of wrong) {
    const error = thrown(() => upgradeCluster(roles(config.data, ids)));
    expect((error as Error).message).toMatch(/--replicas|right --data/);
    expect(error).toBeInstanceOf(Error);
  }
  expect(IDS.map((id) => readFileSync(pathOf(config.data, id)))).toEqual(before);
});

test("a host with one replica of three is converted only when all three are named", () => {
  const config = old();
  for (const id of [9090, 9094]) execFileSync("rm", ["-r", join(config.data, `order-${id}`)]);
  const error = thrown(() => upgradeCluster(roles(config.data, [9092])));
  expect(error).toBeInstanceOf(DataFileForeign);
  expect(upgradeCluster(config)).toEqual(["order-9092", "catalog"]);
});

test("a replica that runs isn't converted under its feet", () => {
  const config = old();
  const lock = lockRole(config.data, "order-9092");
  onTestFinished(() => lock.release());
  expect(thrown(() => upgradeCluster(config))).toBeInstanceOf(DirectoryLocked);
});

test("a crash on the way leaves the old file or the new one, and the next run goes on", () => {
  const config = old();
  const { data } = config;
  // One that was converted before the crash, and half a file of the next.
  upgradeCluster({ ...roles(data), replicas: roles(data).replicas, catalogs: [] });
  const again = old();
  execFileSync("cp", [pathOf(data, 9090), `${pathOf(again.data, 9090)}`]);
  execFileSync("cp", ["-r", journalFolder(pathOf(data, 9090)), join(again.data, "order-9090")]);
  execFileSync("rm", ["-f", `${pathOf(again.data, 9090)}-wal`]);
  execFileSync("sh", ["-c", `echo half > ${pathOf(again.data, 9092)}.new`]);
  expect(upgradeCluster(again)).toEqual(["order-9092", "order-9094", "catalog"]);
  for (const id of IDS) {
    expect(contentOf(again.data, id).journal.digestAt(5)).toBe(
      contentOf(data, id).journal.digestAt(5),
    );
    expect(existsSync(`${pathOf(again.data, id)}.new`)).toBe(false);
  }
});

test("a crash between the names of the journal and of the tables leaves the old file, which the next run converts", () => {
  const converted = old(2);
  upgradeCluster(converted);
  const config = old(2);
  const path = pathOf(config.data, 9090);
  // All but the last step was done.
  cpSync(journalFolder(pathOf(converted.data, 9090)), journalFolder(path), { recursive: true });
  cpSync(pathOf(converted.data, 9090), `${path}.new`);
  cpSync(path, `${path}.format-2`);
  expect(thrown(() => openJournal(path, { replica: 9090 }))).toBeInstanceOf(DataFileTooOld);
  expect(upgradeCluster(config)).toContain("order-9090");
  expect(contentOf(config.data, 9090).journal.digestAt(5)).toBe(
    contentOf(converted.data, 9090).journal.digestAt(5),
  );
  expect(readdirSync(join(config.data, "order-9090")).toSorted()).toEqual(
    readdirSync(join(converted.data, "order-9090")).toSorted(),
  );
});

test("a second run finds nothing to do", () => {
  const config = old();
  upgradeCluster(config);
  const before = IDS.map((id) => statSync(pathOf(config.data, id)).mtimeMs);
  expect(upgradeCluster(config)).toEqual([]);
  expect(IDS.map((id) => statSync(pathOf(config.data, id)).mtimeMs)).toEqual(before);
});

test("a damaged file isn't converted into one that looks right", () => {
  const config = old();
  const path = pathOf(config.data, 9090);
  // Into the pages of the journal that its log holds.
  flipBit(`${path}-wal`, 3_000);
  const error = thrown(() => upgradeCluster(config));
  expect(error).toBeInstanceOf(JournalCorrupt);
  expect(readdirSync(join(config.data, "order-9090"))).toContain("order.db");
  expect(thrown(() => openJournal(path, { replica: 9090 }))).toBeInstanceOf(Error);
});
