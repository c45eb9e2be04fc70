import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { TEST_CLUSTER } from "../../../io/rpc/testing.ts";
import type { Peer } from "../../../io/rpc/types.ts";
import { Probes } from "./events-probes.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function frontend(status: number): Promise<number> {
  const server = createServer((_request, response) => response.writeHead(status).end());
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function peer(status: () => Promise<unknown>): Peer {
  return {
    identity: { role: "catalog", name: "catalog", cluster: TEST_CLUSTER },
    link: "link",
    isOpen: true,
    calls: () => ({ status }) as never,
    flush: () => {},
    close: () => {},
  };
}

test("a catalog is told as up while it answers, as silent when it hangs, as down when it is gone", async () => {
  const said = { role: "catalog", pid: 1, up: true, applied: 7, leased: true };
  let status = async (): Promise<unknown> => ({ ...said, leasedTo: ["frontend-2"] });
  const link = { peer: peer(() => status()) as Peer | null };
  const probes = new Probes({
    catalogs: [{ name: "catalog", port: 9096, link }],
    asked: () => "catalog",
    frontends: ["frontend", "frontend-2"].map((name) => ({
      name,
      port: 1,
      url: "http://127.0.0.1:1",
    })),
    self: "frontend",
    committed: () => 9,
  });
  const leasedBy = () => probes.frontends().map((row) => row.leasedBy);
  await probes.ask();
  expect(probes.catalogs()).toEqual([
    {
      role: "catalog",
      port: 9096,
      standing: "up",
      asked: true,
      applied: 7,
      behind: 2,
      leased: true,
    },
  ]);
  expect(leasedBy()).toEqual([null, "catalog"]);
  status = () => Promise.reject(new Error("no answer"));
  await probes.ask();
  expect(probes.catalogs()[0]).toMatchObject({ standing: "silent", applied: 7 });
  expect(leasedBy()).toEqual([null, null]);
  link.peer = null;
  await probes.ask();
  expect(probes.catalogs()[0]).toMatchObject({
    standing: "down",
    applied: null,
    behind: null,
    leased: null,
  });
});

test("another front end that is down, or ill, is told as down", async () => {
  const at = (port: number) => ({ port, url: `http://127.0.0.1:${port}` });
  const [well, ill] = [await frontend(200), await frontend(503)];
  const gone = await frontend(200);
  servers.pop()?.close();
  const probes = new Probes({
    catalogs: [],
    asked: () => null,
    frontends: [
      { name: "frontend", ...at(1) },
      { name: "frontend-2", ...at(well) },
      { name: "frontend-3", ...at(ill) },
      { name: "frontend-4", ...at(gone) },
    ],
    self: "frontend",
    committed: () => null,
  });
  await probes.ask();
  expect(probes.frontends().map(({ self, standing }) => [self, standing])).toEqual([
    [true, "up"],
    [false, "up"],
    [false, "down"],
    [false, "down"],
  ]);
});
