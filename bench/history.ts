// What a long history costs: trades on top of it, the memory and the restart of a
// replica that has it, and the catch-up of one that missed it all.
//
// The history is written into the replicas' files once for all rounds (fill.ts);
// then the catalog reads it, with one replica left out, so that the cluster is
// level and that one has acknowledged nothing. Every round works on a copy.

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../lab/cluster.ts";
import { until } from "../lab/wait.ts";
import { type Ground, memoryMiB } from "./bazaar.ts";
import {
  CATCH_UP_LIMIT_MS,
  CONNECTIONS,
  LEVEL_ENTRIES,
  ORDERS_MANY,
  PREPARE_LIMIT_MS,
  START_LIMIT_MS,
  STOCKS,
  WARM_UPS_ALONE,
} from "./limits.ts";
import { trades } from "./requests.ts";
import type { Round, Sample, Subject } from "./round.ts";
import { aloneSubject, portOf } from "./subjects.ts";
import { startWrk, warmUp, wrk, wrkCommand, wrkMissing } from "./wrk.ts";

export const MEMORY_SLOT = "replica.memory";
export const RESTART_SLOT = "replica.restart";
export const CATCH_UP_SLOT = "replica.catch-up";
export const CATCH_UP_IDLE_SLOT = "replica.catch-up-idle";

/** How often a replica is asked how far it is. */
const LOOK_MS = 20;
const EMPTY = "-empty";

/** Data directories with histories, each made when it is first wanted. */
export class Histories {
  readonly ground: Ground;
  readonly #made = new Map<number, Promise<string>>();

  constructor(ground: Ground) {
    this.ground = ground;
  }

  /** A copy, to be used once. */
  async copy(orders: number): Promise<string> {
    const made = this.#made.get(orders) ?? this.#make(orders);
    this.#made.set(orders, made);
    return this.ground.copy(await made, "history");
  }

  /** A bazaar on such a copy, but one replica holds the first stocks only. */
  async withLaggard(orders: number): Promise<{ bazaar: Cluster; laggard: number }> {
    const data = await this.copy(orders);
    const bazaar = await this.ground.bazaar(data);
    const [laggard] = bazaar.replicas;
    const folder = join(data, `order-${laggard}`);
    rmSync(folder, { recursive: true });
    const empty = join(this.ground.folder, nameOf(orders), `order-${laggard}${EMPTY}`);
    cpSync(empty, folder, { recursive: true });
    return { bazaar, laggard };
  }

  async #make(orders: number): Promise<string> {
    const data = await this.ground.format(nameOf(orders), STOCKS);
    const bazaar = await this.ground.bazaar(data);
    const [laggard] = bazaar.replicas;
    const folder = join(data, `order-${laggard}`);
    cpSync(folder, `${folder}${EMPTY}`, { recursive: true });
    await this.ground.fill(data, orders);
    try {
      await bazaar.startWithout(laggard);
      const catalog = await bazaar.catalog();
      const isLevel = async () => {
        const [{ commit = 0 }, { applied = 0 }] = [
          await bazaar.leading(),
          await catalog.status({}),
        ];
        return applied >= commit;
      };
      await until("the catalog level", isLevel, PREPARE_LIMIT_MS);
    } finally {
      await bazaar.stop();
    }
    return data;
  }
}

function nameOf(orders: number): string {
  return `made-${orders}`;
}

/** Trades on top of a history; with a million orders also what a replica takes. */
export function historySubject(histories: Histories, orders: number): Subject {
  const replica = {
    slots: [MEMORY_SLOT, RESTART_SLOT],
    async run(round: Round, bazaar: Cluster) {
      await round.measure(MEMORY_SLOT, "VmRSS in /proc/PID/status", async () => memory(bazaar));
      await round.measure(RESTART_SLOT, "kill -9 PID; bazaar order ID", () => restart(bazaar));
    },
  };
  return aloneSubject(`bazaar, ${orders} orders`, `bazaar.trades-${orders}-orders.${CONNECTIONS}`, {
    open: async () => histories.ground.bazaar(await histories.copy(orders)),
    requests: () => trades(STOCKS),
    warmUps: WARM_UPS_ALONE,
    ...(orders === ORDERS_MANY && { more: replica }),
  });
}

/** The largest of the replicas, after the load. */
function memory(bazaar: Cluster): Sample {
  const sizes = bazaar.replicas.map((id) => memoryMiB(bazaar, `order-${id}`));
  return { residentMiB: Math.max(...sizes), smallestMiB: Math.min(...sizes) };
}

/** From the start of the process until it follows and holds all that is committed. */
async function restart(bazaar: Cluster): Promise<Sample> {
  const leader = await bazaar.leading();
  const follower = bazaar.replicas.find((id) => id !== leader.id) ?? 0;
  await bazaar.kill(`order-${follower}`);
  const { commit = 0 } = await bazaar.leading();
  const start = performance.now();
  bazaar.start("order", String(follower));
  await until(
    "the restarted replica serving",
    async () => {
      const status = await bazaar.replicaStatus(follower);
      return status !== null && (status.leader ?? null) !== null && (status.commit ?? 0) >= commit;
    },
    START_LIMIT_MS,
  );
  return { seconds: (performance.now() - start) / 1_000 };
}

/** A replica that missed everything, under load and without. */
export function catchUpSubject(histories: Histories): Subject {
  return {
    name: "bazaar, catch-up",
    slots: [CATCH_UP_SLOT, CATCH_UP_IDLE_SLOT],
    missing: wrkMissing,
    async run(round) {
      for (const slot of [CATCH_UP_SLOT, CATCH_UP_IDLE_SLOT]) {
        if (!round.wants(slot)) continue;
        const { bazaar, laggard } = await histories.withLaggard(ORDERS_MANY);
        try {
          await bazaar.startWithout(laggard);
          await measureCatchUp(round, slot, bazaar, laggard);
        } finally {
          await bazaar.stop();
        }
      }
    },
  };
}

async function measureCatchUp(
  round: Round,
  slot: string,
  bazaar: Cluster,
  laggard: number,
): Promise<void> {
  if (slot === CATCH_UP_IDLE_SLOT) {
    await round.measure(slot, "bazaar order ID", () => catchUp(bazaar, laggard));
    return;
  }
  const load = {
    port: portOf(bazaar),
    connections: CONNECTIONS,
    requests: trades(STOCKS),
    seconds: round.timing.slotS,
  };
  await warmUp(portOf(bazaar), load.requests, WARM_UPS_ALONE * round.timing.warmUpS);
  await round.measure(slot, `bazaar order ID, under ${wrkCommand(load)}`, async () => {
    const before = await wrk(load);
    const meanwhile = startWrk({ ...load, seconds: (2 * CATCH_UP_LIMIT_MS) / 1_000 });
    try {
      const level = await catchUp(bazaar, laggard);
      meanwhile.stop();
      const { okPerSecond = 0 } = await meanwhile.done;
      const beforePerSecond = before.okPerSecond ?? 0;
      return { ...level, okPerSecond, beforePerSecond, remaining: okPerSecond / beforePerSecond };
    } finally {
      meanwhile.stop();
    }
  });
}

/**
 * From the replica's first answer until its tables are level with the leader. One
 * that takes longer than the limit is stopped there: the rate is what it did so far.
 */
async function catchUp(bazaar: Cluster, laggard: number): Promise<Sample> {
  const { commit: target = 0 } = await bazaar.leading();
  bazaar.start("order", String(laggard));
  const { applied: from = 0 } = await until(
    "an answer",
    () => bazaar.replicaStatus(laggard),
    START_LIMIT_MS,
  );
  const start = performance.now();
  let applied = from;
  let isLevel = false;
  while (!isLevel && performance.now() - start < CATCH_UP_LIMIT_MS) {
    await delay(LOOK_MS);
    const [leader, own] = await Promise.all([bazaar.leading(), bazaar.replicaStatus(laggard)]);
    applied = own?.applied ?? applied;
    isLevel = applied >= (leader.commit ?? 0) - LEVEL_ENTRIES;
  }
  const seconds = (performance.now() - start) / 1_000;
  const share = Math.min(1, (applied - from) / (target - from));
  return { ordersPerSecond: (ORDERS_MANY * share) / seconds, seconds, caughtUp: share };
}
