// Who may make which call, over real connections between processes with certificates:
// every call of every contract by every role, those included that may not.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { connect } from "../io/rpc/connect.ts";
import { listen } from "../io/rpc/listen.ts";
import { failureOf, SECRET, TEST_CLUSTER } from "../io/rpc/testing.ts";
import type { Contract, Credentials, Handlers, Peer, RoleKind } from "../io/rpc/types.ts";
import { issueCertificates, makeAuthority } from "../io/tls/authority.ts";
import { Certificates, certificatePaths } from "../io/tls/certificates.ts";
import { catalogContract, frontendContract, orderContract } from "./contract.ts";

/**
 * Written out a second time, on purpose: whoever adds a call, or opens one to another
 * role, has to say so here, too. A call without a row fails.
 */
const MAY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  order: {
    message: "order",
    leads: "order",
    ask: "catalog cli frontend order",
    health: "cli frontend order",
    nominate: "frontend",
    notifyLeader: "frontend",
    follow: "catalog",
    held: "catalog",
    leaving: "frontend",
    status: "cli frontend",
    steps: "frontend",
    audit: "cli frontend",
  },
  catalog: {
    lookup: "frontend",
    stocks: "frontend",
    lease: "frontend",
    holding: "frontend",
    leaving: "frontend",
    find: "cli",
    update: "cli",
    entries: "order",
    status: "cli frontend",
    steps: "frontend",
    audit: "cli frontend",
  },
  frontend: { beat: "order", hold: "catalog" },
};
const CONTRACTS = { order: orderContract, catalog: catalogContract, frontend: frontendContract };
const ROLES = {
  order: "order-9090",
  catalog: "catalog",
  frontend: "frontend",
  cli: "cli",
} as const;
const LISTENER = "order-9094";
const log = pino({ level: "silent" });
const NEVER = z.unknown();

let data: string;
const toClose: (() => unknown)[] = [];
const peers = new Map<string, { readonly peer: Peer; readonly called: string[] }>();

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "contract-"));
  await makeAuthority(data, Date.now());
  const names = [LISTENER, ...Object.values(ROLES)];
  await issueCertificates(
    data,
    names.map((name) => ({ name, hosts: [] })),
    Date.now(),
  );
  for (const [served, contract] of Object.entries(CONTRACTS)) await serve(served, contract);
});
afterAll(async () => {
  for (const close of toClose.reverse()) await close();
  rmSync(data, { recursive: true });
});

function credentials(name: string): Credentials {
  const files = certificatePaths(data, name);
  const certificates = new Certificates({ files, purpose: "peers'", log });
  toClose.push(() => certificates.close());
  return { secret: SECRET, certificates };
}

/** A process that carries out whatever passes, and a connection of each role to it. */
async function serve(served: string, contract: Contract): Promise<void> {
  const called: string[] = [];
  const handlers = Object.fromEntries(
    Object.keys(contract).map((call) => [call, () => called.push(call)]),
  ) as Handlers<Contract>;
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    credentials: credentials(LISTENER),
    identity: { role: "order", name: LISTENER, cluster: TEST_CLUSTER },
    contract,
    handlers,
    log,
  });
  toClose.push(() => listener.close());
  for (const [role, name] of Object.entries(ROLES)) {
    const peer = await new Promise<Peer>((onOpen) => {
      const link = connect({
        host: "127.0.0.1",
        port: listener.port,
        name: LISTENER,
        credentials: credentials(name),
        identity: { role: role as RoleKind, name, cluster: TEST_CLUSTER },
        contract: {},
        handlers: {},
        log,
        onOpen,
      });
      toClose.push(() => link.close());
    });
    peers.set(`${served} ${role}`, { peer, called });
  }
}

const calls = Object.entries(CONTRACTS).flatMap(([served, contract]) =>
  Object.entries(contract as Contract).map(([call, shape]) => ({ served, call, shape })),
);

test("every call has its row, and no row is without a call", () => {
  const all = Object.fromEntries(
    Object.entries(CONTRACTS).map(([served, contract]) => [served, Object.keys(contract).sort()]),
  );
  const rows = Object.fromEntries(
    Object.entries(MAY).map(([served, row]) => [served, Object.keys(row).sort()]),
  );
  expect(rows).toEqual(all);
});

test.each(calls)(
  "$call of $served is for those roles alone that it names",
  async ({ served, call, shape }) => {
    const may: string[] = [];
    for (const role of Object.keys(ROLES)) {
      const { peer } = peers.get(`${served} ${role}`) ?? {};
      if (!peer) throw new Error(`no connection of ${role} to ${served}`);
      // With an answer, so that a refused notification is told, too; an argument of the wrong shape is refused after the role was looked at.
      const asked = peer.calls({ [call]: { ...shape, result: NEVER } }) as Record<
        string,
        (argument: unknown) => Promise<unknown>
      >;
      const answer = asked[call]?.(undefined);
      const why = await answer?.then(
        () => "answered",
        (error: Error) => error.message,
      );
      if (!why?.includes(`${call} is not for ${role}`)) may.push(role);
      else expect(await failureOf(asked[call]?.(undefined) ?? Promise.resolve())).toBe("refused");
    }
    expect(may.sort().join(" ")).toBe(MAY[served]?.[call]);
  },
);
