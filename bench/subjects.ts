// The bazaar's own slots on a cluster that is new: trades, lookups, the lab's mix,
// overload; with the cache off; with more stocks.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../lab/cluster.ts";
import { LabPostgres } from "../lab/postgres.ts";
import { run, TemporaryFolder } from "../lab/process.ts";
import { installedPrograms } from "../src/cli/postgres-server.ts";
import { expectAllUp, type Ground } from "./bazaar.ts";
import {
  ANSWER_LIMIT_S,
  CONNECTIONS,
  CONNECTIONS_OFFERED,
  CONNECTIONS_ON_ENGINES,
  CONNECTIONS_OVERLOAD,
  CONNECTIONS_SWEPT,
  OFFERED_FACTOR,
  PREPARE_LIMIT_MS,
  STOCKS,
  WARM_UPS_ALONE,
} from "./limits.ts";
import { fsyncProbe } from "./machine.ts";
import { parseOfferedLoad } from "./offered-load.ts";
import { lookups, mix, SEPARATOR, trades, withHeaders } from "./requests.ts";
import { type Round, type Sample, type Subject, secondsFor } from "./round.ts";
import { warmUp, wrk, wrkCommand, wrkMissing } from "./wrk.ts";

export const engineSlot = (connections: number) => `bazaar-on-postgres.trades.${connections}`;
export const FSYNC_SLOT = "disk.fsync";
export const OVERLOAD_CONNECTIONS_SLOT = `overload.connections.${CONNECTIONS_OVERLOAD}`;
/** With TLS on every connection, certificates between the processes, and a key in each request. */
export const SECURED_TRADES_SLOT = `bazaar-secured.trades.${CONNECTIONS}`;
export const SECURED_LOOKUPS_SLOT = `bazaar-secured.lookups.${CONNECTIONS}`;
export const OVERLOAD_OFFERED_SLOT = "overload.offered.twice";

const OFFERED_LOAD = join(import.meta.dirname, "offered-load.ts");

/** A new cluster with ten stocks and its cache. */
export function bazaarSubject(ground: Ground): Subject {
  const tradeSlots = CONNECTIONS_SWEPT.map((connections) => `bazaar.trades.${connections}`);
  const lookupSlots = CONNECTIONS_SWEPT.map((connections) => `bazaar.lookups.${connections}`);
  const mixSlot = `bazaar.mix.${CONNECTIONS}`;
  return {
    name: "bazaar",
    slots: [
      FSYNC_SLOT,
      ...tradeSlots,
      ...lookupSlots,
      mixSlot,
      OVERLOAD_CONNECTIONS_SLOT,
      OVERLOAD_OFFERED_SLOT,
    ],
    missing: wrkMissing,
    async run(round) {
      const data = await ground.format("new", STOCKS);
      await round.measure(FSYNC_SLOT, "bench/machine.ts", async () => fsyncProbe(ground.folder));
      await withBazaar(await ground.bazaar(data), async (bazaar) => {
        await warmUp(portOf(bazaar), trades(STOCKS), 2 * round.timing.warmUpS);
        for (const connections of CONNECTIONS_SWEPT) {
          const slot = `bazaar.trades.${connections}`;
          await measureLoad(round, bazaar, slot, trades(STOCKS), connections);
        }
        if (round.wants(...lookupSlots)) {
          await warmUp(portOf(bazaar), lookups(STOCKS), 2 * round.timing.warmUpS);
        }
        for (const connections of CONNECTIONS_SWEPT) {
          const slot = `bazaar.lookups.${connections}`;
          await measureLoad(round, bazaar, slot, lookups(STOCKS), connections);
        }
        if (round.wants(mixSlot)) {
          await warmUp(portOf(bazaar), mix(STOCKS), round.timing.warmUpS);
          await measureLoad(round, bazaar, mixSlot, mix(STOCKS), CONNECTIONS);
        }
        await measureOverload(round, bazaar);
      });
    },
  };
}

/** The same trades with the order log in a PostgreSQL that is set as the one that makes trades itself. */
export function engineSubject(ground: Ground): Subject {
  return {
    name: "bazaar on PostgreSQL",
    slots: CONNECTIONS_ON_ENGINES.map(engineSlot),
    missing: () => wrkMissing() ?? (installedPrograms() === null ? "postgresql" : null),
    async run(round) {
      const settings = ["shared_buffers=256MB"];
      const postgres = await LabPostgres.start({ isDurable: true, settings });
      try {
        const options = [`--engine=${postgres.url}`];
        const data = await ground.format("on-postgres", STOCKS, { options });
        await withBazaar(await ground.bazaar(data, { options }), async (bazaar) => {
          await warmUp(portOf(bazaar), trades(STOCKS), 2 * round.timing.warmUpS);
          for (const connections of CONNECTIONS_ON_ENGINES) {
            await measureLoad(round, bazaar, engineSlot(connections), trades(STOCKS), connections);
          }
        });
      } finally {
        await postgres.stop();
      }
    },
  };
}

/** The same trades and lookups where everything is encrypted, and clients need a key. */
export function securedSubject(ground: Ground): Subject {
  const secured = { secured: true };
  const loads = [
    [SECURED_TRADES_SLOT, trades(STOCKS)],
    [SECURED_LOOKUPS_SLOT, lookups(STOCKS)],
  ] as const;
  return {
    name: "bazaar, secured",
    slots: loads.map(([slot]) => slot),
    missing: wrkMissing,
    async run(round) {
      const data = await ground.format("secured", STOCKS, secured);
      await withBazaar(await ground.bazaar(data, secured), async (bazaar) => {
        for (const [slot, requests] of loads) {
          const own = requests.map((request) => withHeaders(request, bazaar.authorization));
          await warmUp(portOf(bazaar), own, 2 * round.timing.warmUpS, true);
          await measureLoad(round, bazaar, slot, own, CONNECTIONS);
        }
      });
    },
  };
}

/** Every lookup goes to the catalog. */
export function missesSubject(ground: Ground): Subject {
  return aloneSubject("bazaar --no-cache", `bazaar.misses.${CONNECTIONS}`, {
    open: async () =>
      ground.bazaar(await ground.format("misses", STOCKS), { options: ["--no-cache"] }),
    requests: () => lookups(STOCKS),
    warmUps: 2,
  });
}

/** A new cluster with so many stocks, all of them traded. */
export function stocksSubject(ground: Ground, stocks: number): Subject {
  const slot = `bazaar.trades-${stocks}-stocks.${CONNECTIONS}`;
  return aloneSubject(`bazaar, ${stocks} stocks`, slot, {
    open: async () => ground.bazaar(await ground.format("stocks", stocks)),
    requests: () => trades(stocks),
    warmUps: WARM_UPS_ALONE,
  });
}

export interface Alone {
  /** Makes the bazaar; nothing is started. */
  readonly open: () => Promise<Cluster>;
  readonly requests: () => readonly string[];
  /** How many times the usual. */
  readonly warmUps: number;
  /** Further slots, measured after the load on the same bazaar. */
  readonly more?: {
    readonly slots: readonly string[];
    readonly run: (round: Round, bazaar: Cluster) => Promise<void>;
  };
}

/** One load on a bazaar of its own. */
export function aloneSubject(name: string, slot: string, alone: Alone): Subject {
  const { more, warmUps } = alone;
  return {
    name,
    slots: [slot, ...(more?.slots ?? [])],
    missing: wrkMissing,
    async run(round) {
      const requests = alone.requests();
      await withBazaar(await alone.open(), async (bazaar) => {
        await warmUp(portOf(bazaar), requests, warmUps * round.timing.warmUpS);
        await measureLoad(round, bazaar, slot, requests, CONNECTIONS);
        await more?.run(round, bazaar);
      });
    },
  };
}

export function portOf({ frontendPorts }: Cluster): number {
  return frontendPorts[0] ?? 0;
}

/** `bazaar up` for as long as `use` takes. */
export async function withBazaar(
  bazaar: Cluster,
  use: (bazaar: Cluster) => Promise<void>,
): Promise<void> {
  try {
    // A role that crashes stays down, to be seen.
    await bazaar.up("--no-restart");
    await use(bazaar);
  } finally {
    await bazaar.stop();
  }
}

/** A load of wrk, after which all of the bazaar must still be there. */
async function measureLoad(
  round: Round,
  bazaar: Cluster,
  slot: string,
  requests: readonly string[],
  connections: number,
): Promise<void> {
  const seconds = secondsFor(round.timing, connections);
  const isTls = bazaar.isSecured;
  const load = { port: portOf(bazaar), isTls, connections, requests, seconds };
  await round.measure(slot, wrkCommand(load), async () => {
    const sample = await wrk(load);
    expectAllUp(bazaar);
    return sample;
  });
}

async function measureOverload(round: Round, bazaar: Cluster): Promise<void> {
  const { slotS, warmUpS } = round.timing;
  const requests = trades(STOCKS);
  const load = {
    port: portOf(bazaar),
    connections: CONNECTIONS_OVERLOAD,
    requests,
    seconds: slotS + warmUpS,
    count: true,
  };
  await round.measure(OVERLOAD_CONNECTIONS_SLOT, wrkCommand(load), () =>
    withLeaderWatched(bazaar, () => wrk(load)),
  );
  const best = bestTrades(round.samples);
  if (round.wants(OVERLOAD_OFFERED_SLOT) && best === 0) throw new Error("no trades to offer twice");
  const rate = Math.round(OFFERED_FACTOR * best);
  const seconds = slotS + warmUpS;
  const args = [portOf(bazaar), rate, seconds, warmUpS, CONNECTIONS_OFFERED].map(String);
  const command = `node bench/offered-load.ts ${args.join(" ")} REQUESTS`;
  await round.measure(OVERLOAD_OFFERED_SLOT, command, () =>
    withLeaderWatched(bazaar, () => offer(args, requests, seconds)),
  );
}

/** The most trades a second of a round, with whatever connections. */
export function bestTrades(samples: Readonly<Record<string, Sample>>): number {
  const rates = CONNECTIONS_SWEPT.map(
    (connections) => samples[`bazaar.trades.${connections}`]?.okPerSecond ?? 0,
  );
  return Math.max(...rates);
}

async function offer(
  args: readonly string[],
  requests: readonly string[],
  seconds: number,
): Promise<Sample> {
  using folder = new TemporaryFolder("bench-offer");
  const file = join(folder.path, "requests");
  writeFileSync(file, requests.join(SEPARATOR), "latin1");
  const limitMs = (seconds + ANSWER_LIMIT_S) * 1_000 + PREPARE_LIMIT_MS;
  return parseOfferedLoad(await run(process.execPath, [OFFERED_LOAD, ...args, file], limitMs));
}

/** Adds to a sample how often the leader changed, and fails if a process died. */
async function withLeaderWatched(bazaar: Cluster, load: () => Promise<Sample>): Promise<Sample> {
  const before = await bazaar.leading();
  const sample = await load();
  expectAllUp(bazaar);
  const after = await bazaar.leading();
  return { ...sample, leaderChanges: (after.epoch ?? 0) - (before.epoch ?? 0) };
}
