import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { createCatalogFile } from "./catalog-store.ts";
import { clusterInFiles, roleFiles } from "./cluster-files.ts";
import { createJournalFile } from "./journal.ts";
import { HARD_STATE, IDENTITY, temporaryFolder } from "./test-files.ts";

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

test("files in other places than the documented ones aren't found by who looks there", () => {
  expect(roleFiles(roles("DIR")).map(({ role, path }) => [role, path])).toEqual([
    ["order-9090", "DIR/order-9090/order.db"],
    ["order-9094", "DIR/order-9094/order.db"],
    ["catalog", "DIR/catalog/catalog.db"],
    ["catalog-9097", "DIR/catalog-9097/catalog.db"],
  ]);
});

test("a replacement of another cluster would never be admitted", () => {
  const config = roles();
  const [order, , catalog] = roleFiles(config).map(({ path }) => {
    mkdirSync(dirname(path));
    return path;
  });
  expect(clusterInFiles(config)).toBeNull();
  createCatalogFile(String(catalog), "one");
  expect(clusterInFiles(config)).toBe("one");
  writeFileSync(String(order), "damaged");
  expect(clusterInFiles(config)).toBe("one");
  createJournalFile(
    roleFiles(config)[1]?.path ?? "",
    { ...IDENTITY, cluster: "two" },
    HARD_STATE,
    [],
  );
  expect(clusterInFiles(config)).toBe("two");
});
