import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { OtherCluster } from "../../core/replication/members.ts";
import { openCatalogStore } from "./catalog-store.ts";
import { catalogFile, lockRole, orderFile } from "./data-directory.ts";
import { ClusterUnknown, DataFileExists, DirectoryLocked } from "./errors.ts";
import { formatCluster, replaceCatalog, replaceReplica } from "./format.ts";
import { journalFolder, openJournal, removeJournalFile } from "./journal.ts";
import { temporaryFolder, thrown } from "./test-files.ts";

const INCARNATION = 1_800_000_000_000;

function formatted() {
  const config = {
    data: join(temporaryFolder(), "data"),
    replicas: [9090, 9092, 9094].map((id) => ({ id, name: `order-${id}` })),
    catalogs: [{ name: "catalog" }],
  };
  const stocks = [{ name: "FishCo", price: 17.99, quantity: 600 }];
  return { config, cluster: formatCluster({ config, stocks, nowMs: 0 }) };
}

test("a replacement is empty, has no vote, and has the new incarnation", () => {
  const { config, cluster } = formatted();
  const path = orderFile(config.data, "order-9092");
  removeJournalFile(path);
  writeFileSync(`${path}.new`, "half of an earlier attempt");
  replaceReplica({ config, role: "order-9092", incarnation: INCARNATION });
  const journal = openJournal(path, { replica: 9092, cluster });
  onTestFinished(() => journal.close());
  expect(journal.identity).toEqual({
    cluster,
    members: [9090, 9092, 9094],
    replica: 9092,
    incarnation: INCARNATION,
  });
  expect(journal.hardState).toEqual({ promise: { epoch: 0, nominee: 9092 }, voter: false });
  expect([journal.lastPosition, journal.appliedPosition]).toEqual([0, 0]);
  expect(existsSync(`${path}.new`)).toBe(false);
});

test("a replica that has its file, or runs, isn't replaced", () => {
  const { config } = formatted();
  const replace = () => replaceReplica({ config, role: "order-9092", incarnation: INCARNATION });
  expect(thrown(replace)).toBeInstanceOf(DataFileExists);
  const path = orderFile(config.data, "order-9092");
  renameSync(path, `${path}.damaged`);
  expect(thrown(replace)).toMatchObject({ message: expect.stringContaining("journal is there") });
  renameSync(journalFolder(path), `${path}.damaged-journal`);
  const lock = lockRole(config.data, "order-9092");
  expect(thrown(replace)).toBeInstanceOf(DirectoryLocked);
  lock.release();
  replace();
});

test("an incarnation that isn't later than the lost one's is refused", () => {
  const { config } = formatted();
  rmSync(orderFile(config.data, "order-9092"));
  const replace = () => replaceReplica({ config, role: "order-9092", incarnation: 1 });
  expect(replace).toThrow(InvariantViolation);
});

test("a catalog without its file reads everything again", () => {
  const { config, cluster } = formatted();
  const path = catalogFile(config.data, "catalog");
  expect(thrown(() => replaceCatalog({ config, role: "catalog" }))).toBeInstanceOf(DataFileExists);
  rmSync(path);
  replaceCatalog({ config, role: "catalog" });
  const store = openCatalogStore({ path, role: "catalog", cluster });
  onTestFinished(() => store.close());
  expect([store.position, store.stocks()]).toEqual([0, []]);
});

test("without any file of the cluster a replacement is refused, since nothing tells which cluster it is for", () => {
  const config = { ...formatted().config, data: temporaryFolder() };
  const role = "order-9092";
  const options = { config, role, incarnation: INCARNATION };
  expect(thrown(() => replaceReplica(options))).toBeInstanceOf(ClusterUnknown);
  writeFileSync(join(config.data, "secret"), "copied from another host\n");
  expect(thrown(() => replaceReplica(options))).toBeInstanceOf(ClusterUnknown);
});

test("a role that is no member gets no file, in no folder of another cluster", () => {
  const { config } = formatted();
  for (const ids of [[9098], [9090, 9092, 9098], [9090, 9092, 9094, 9098]]) {
    const replicas = ids.map((id) => ({ id, name: `order-${id}` }));
    const replace = () =>
      replaceReplica({
        config: { ...config, replicas },
        role: "order-9098",
        incarnation: INCARNATION,
      });
    expect(thrown(replace)).toBeInstanceOf(OtherCluster);
    expect(existsSync(join(config.data, "order-9098"))).toBe(false);
  }
});
