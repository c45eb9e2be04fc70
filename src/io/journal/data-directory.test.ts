import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createCatalogFile } from "./catalog-store.ts";
import { catalogFile, clusterInFiles, lockRole, roleFiles } from "./data-directory.ts";
import { DirectoryLocked } from "./errors.ts";
import { createJournalFile } from "./journal.ts";
import { HARD_STATE, IDENTITY, temporaryFolder, thrown } from "./test-files.ts";

function roles(data = temporaryFolder()) {
  return {
    data,
    replicas: [
      { id: 9090, name: "order-9090" },
      { id: 9094, name: "order-9094" },
    ],
    catalogs: [{ name: "catalog" }, { name: "catalog-9097" }],
  };
}

test("each role's file is where it is documented to be", () => {
  expect(roleFiles(roles("DIR")).map(({ role, path }) => [role, path])).toEqual([
    ["order-9090", "DIR/order-9090/order.db"],
    ["order-9094", "DIR/order-9094/order.db"],
    ["catalog", "DIR/catalog/catalog.db"],
    ["catalog-9097", "DIR/catalog-9097/catalog.db"],
  ]);
});

test("the cluster is read from any file that is whole, a replica's before a catalog's", () => {
  const config = roles();
  const [order, , catalog] = roleFiles(config).map(({ path }) => {
    mkdirSync(dirname(path));
    return path;
  });
  expect(clusterInFiles(config)).toBeNull();
  const members = [9090, 9094];
  const one = { name: "one", members };
  createCatalogFile(String(catalog), one);
  expect(clusterInFiles(config)).toEqual(one);
  writeFileSync(String(order), "damaged");
  expect(clusterInFiles(config)).toEqual(one);
  createJournalFile(
    roleFiles(config)[1]?.path ?? "",
    { ...IDENTITY, cluster: "two", members },
    HARD_STATE,
    [],
  );
  expect(clusterInFiles(config)).toEqual({ name: "two", members });
});

test("files of a cluster of other replicas are told, also where no configured role has one", () => {
  const config = roles();
  const path = catalogFile(config.data, "catalog-1");
  mkdirSync(dirname(path));
  createCatalogFile(path, { name: "one", members: [9090, 9092, 9094] });
  const others = [[9090], [9094, 9092], [9090, 9092, 9094, 9096], [9090, 9092, 9098]];
  for (const ids of others) {
    const replicas = ids.map((id) => ({ id, name: `order-${id}` }));
    expect(() => clusterInFiles({ ...config, replicas })).toThrow(
      "give it --replicas 9090,9092,9094",
    );
  }
  const replicas = [9094, 9090, 9092].map((id) => ({ id, name: `order-${id}` }));
  expect(clusterInFiles({ ...config, replicas })?.name).toBe("one");
});

const ROLE = "order-9094";

test("a second process of one role is refused, one of another role isn't", () => {
  const data = join(temporaryFolder(), "data");
  const lock = lockRole(data, ROLE);
  const error = thrown(() => lockRole(data, ROLE));
  expect(error).toBeInstanceOf(DirectoryLocked);
  expect((error as Error).message).toMatch(/order-9094 is locked .*: stop that one first/);
  lockRole(data, "order-9092").release();
  lock.release();
  lock.release();
  lockRole(data, ROLE).release();
  expect(readdirSync(join(data, ROLE))).toEqual(["lock.db"]);
});

test("a lock ends with its process, also after a kill -9", async () => {
  const data = temporaryFolder();
  const script = `
    import { lockRole } from ${JSON.stringify(new URL("./data-directory.ts", import.meta.url).href)};
    globalThis.lock = lockRole(${JSON.stringify(data)}, ${JSON.stringify(ROLE)}); // or it is collected, and released
    console.log("locked");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [said] = await once(child.stdout, "data");
  expect(String(said)).toBe("locked\n");
  expect(thrown(() => lockRole(data, ROLE))).toBeInstanceOf(DirectoryLocked);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(readdirSync(join(data, ROLE))).toEqual(["lock.db"]);
  lockRole(data, ROLE).release();
});
