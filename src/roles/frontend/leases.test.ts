import pino from "pino";
import { expect, test } from "vitest";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, turns } from "../order/test-support.ts";
import type { Connected } from "./catalog-links.ts";
import { Leases } from "./leases.ts";

const GRANT: Grant = { epoch: 1, ask: 1, ms: 500, exposed: 3, sent: 3 };

function leasesOf(peer: FakePeer | null) {
  const granted: [string, Grant][] = [];
  const showed: boolean[] = [];
  const asked: Connected | null = peer && {
    peer,
    calls: {
      lease: (argument: unknown) =>
        new Promise((answer, fail) => {
          peer.received.push({
            name: "lease",
            argument,
            answer: answer as (result: unknown) => void,
            fail,
          });
        }),
    } as unknown as Connected["calls"],
  };
  const leases = new Leases({
    catalogs: { asked, showed: (_catalog, isLeased) => showed.push(isLeased) },
    stocks: {
      askLease: () => ({ ask: 1, held: 3 }),
      granted: (catalog, grant) => granted.push([catalog, grant]),
    },
    log: pino({ level: "silent" }),
  });
  leases.close(); // by hand from here on
  return { leases, granted, showed };
}

test("the catalog that is asked for stocks is asked for the lease, and told what is held", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted, showed } = leasesOf(peer);
  void leases.ask();
  const call = peer.take();
  expect(call.argument).toEqual({ ask: 1, held: 3 });
  call.answer({ grant: GRANT });
  await turns();
  expect(granted).toEqual([["catalog", GRANT]]);
  expect(showed).toEqual([true]);
});

test("a grant over a connection that closed meanwhile counts for nothing", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted } = leasesOf(peer);
  void leases.ask();
  peer.close();
  peer.take().answer({ grant: GRANT });
  await turns();
  expect(granted).toEqual([]);
});

test("no catalog, no answer and a refusal all leave the lease to end by itself", async () => {
  await leasesOf(null).leases.ask();
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted, showed } = leasesOf(peer);
  const failing = leases.ask();
  peer.take().fail(new RpcError("timeout", "no answer"));
  await failing;
  const refused = leases.ask();
  peer.take().answer({ grant: null });
  await refused;
  expect(granted).toEqual([]);
  expect(showed).toEqual([false]); // the refusal alone says so
});
