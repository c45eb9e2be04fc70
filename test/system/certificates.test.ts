// Certificates of a bazaar that runs: whoever looks is told in time that they end, and
// new ones are read without a restart; and a start without any is said.

import { expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import { issueCertificates } from "../../src/io/tls/authority.ts";
import { useClusters } from "./harness/lifetime.ts";

const clusters = useClusters("test");
const DAY_MS = 86_400_000;
/** A certificate is issued for 397 days: one of so long ago ends in ten. */
const ISSUED_AGO_MS = 387 * DAY_MS;
const SOON = /^The (HTTPS|peers') certificate ends soon: renew it$/;
const INSECURE = /^Started with --insecure: /;

const rolesOf = (cluster: Cluster) => cluster.roles.map(({ name }) => name);

test("a certificate that ends within 30 days is a warning in the logs, in status and in the metrics, until SIGHUP or the next look finds a new one", async () => {
  const cluster = await clusters.prepare({ logLevel: "info", secured: true });
  await cluster.format();
  const names = [...rolesOf(cluster), "cli"];
  const hosts = ["127.0.0.1"];
  const issue = (atMs: number) =>
    issueCertificates(
      cluster.data,
      names.map((name) => ({ name, hosts: name === "frontend" ? hosts : [] })),
      atMs,
    );
  await issue(Date.now() - ISSUED_AGO_MS);
  const up = await cluster.up();
  for (const role of rolesOf(cluster)) await cluster.logged(role, SOON);
  await cluster.logged("frontend", "The HTTPS certificate ends soon: renew it");
  const day = new Date(Date.now() + 10 * DAY_MS).toISOString().slice(0, 10);
  const { stdout } = await cluster.run("status");
  for (const name of ["frontend", `order-${cluster.replicas[0]}`]) {
    expect(stdout).toContain(`certs/${name}.crt ends ${day}: renew it`);
  }
  expect((await cluster.status()) as object).toMatchObject({
    warnings: expect.arrayContaining([expect.stringContaining(`ends ${day}: renew it`)]),
  });

  const client = cluster.client();
  const endsInDays = async (what: string) => {
    const { text } = await client.get("/metrics");
    const line = new RegExp(
      `^bazaar_certificate_ends_timestamp_seconds\\{.*"${what}".*\\} (\\S+)$`,
      "m",
    );
    return Math.round((Number(line.exec(text)?.[1]) * 1_000 - Date.now()) / DAY_MS);
  };
  expect(await endsInDays("https")).toBe(10);
  expect(await endsInDays("peer")).toBe(10);

  await issue(Date.now());
  await until("the new certificate in use", async () => (await endsInDays("https")) === 397);
  await until("the new one between processes", async () => (await endsInDays("peer")) === 397);
  expect((await cluster.run("status")).stdout).not.toContain("renew it");

  // Asked for in so many words they are read again, changed or not; no process ends for it, and no connection.
  const pids = rolesOf(cluster).map((role) => cluster.pid(role));
  const before = new Map(rolesOf(cluster).map((role) => [role, cluster.log(role).length]));
  up.signal("SIGHUP");
  for (const role of rolesOf(cluster)) {
    await cluster.logged(role, "Read the peers' certificate anew", before.get(role));
  }
  await cluster.logged("frontend", "Read the HTTPS certificate anew", before.get("frontend"));
  expect(rolesOf(cluster).map((role) => cluster.pid(role))).toEqual(pids);
  expect((await client.get("/stocks/FishCo")).status).toBe(200);
  expect(new Set(client.calls.map(({ connection }) => connection)).size).toBe(1);
  for (const role of rolesOf(cluster)) {
    expect(cluster.log(role).filter((line) => INSECURE.test(line))).toEqual([]);
  }
});

test("a start with --insecure is said in the log of every process, at each start", async () => {
  const cluster = await clusters.prepare({
    logLevel: "info",
    secured: false,
    options: ["--insecure=yes"],
  });
  await cluster.up();
  for (const role of rolesOf(cluster)) await cluster.logged(role, INSECURE);
  const from = cluster.log("catalog").length;
  await cluster.running("catalog", await cluster.kill("catalog"));
  await cluster.logged("catalog", INSECURE, from);
});
