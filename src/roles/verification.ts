// Whether all copies of the bazaar's state are the same, and true to the journal.
//
// All are compared at one position of the journal: at least what the leader had
// committed when it was asked. Catalogs go first, since they can't look back:
// each says where it stands, and the replicas, which can, tell the stocks as of
// there. So nothing has to stop for it, and a difference is a difference.

import { setTimeout as pause } from "node:timers/promises";
import type { Peer } from "../io/rpc/types.ts";
import { type CatalogAudit, catalogContract, type OrderAudit, orderContract } from "./contract.ts";

const HEALTH_LIMIT_MS = 1_500;
/** Reading a journal of millions of orders takes its time, milliseconds. */
const AUDIT_LIMIT_MS = 120_000;
const LEADER_PAUSE_MS = 250;
/** A leader is waited for about as long as a fail-over may take. */
const LEADER_ROUNDS_MAX = 20;

/** Where a replica stands. */
export interface ReplicaHealth {
  readonly leads: boolean;
  readonly commit: number;
}

/** A process to compare, and how to ask it. Calls reject when it can't be asked or is too late. */
export interface ReplicaToVerify {
  readonly name: string;
  health(): Promise<ReplicaHealth>;
  /** At exactly `position`, or where it stood when it had got there. */
  audit(position: number, stocksAt: readonly number[]): Promise<OrderAudit>;
}

export interface CatalogToVerify {
  readonly name: string;
  /** Not before `position`. */
  audit(position: number): Promise<CatalogAudit>;
}

export interface Verdict {
  readonly ok: boolean;
  /** The position all were compared at; 0 when it didn't come to that. */
  readonly position: number;
  /** Orders up to there. */
  readonly orders: number;
  /** What isn't as it should be, a line each. */
  readonly differences: readonly string[];
}

export interface VerifyOptions {
  readonly replicas: readonly ReplicaToVerify[];
  readonly catalogs: readonly CatalogToVerify[];
  /** Waits a moment before the replicas are asked again who leads; default: a quarter of a second. */
  readonly pause?: () => Promise<void>;
  /** How often they are asked; default: for five seconds. */
  readonly leaderRoundsMax?: number;
}

/** A replica that is asked over a connection. `reach` rejects with NotReachable when there is none. */
export function replicaOver(name: string, reach: () => Promise<Peer>): ReplicaToVerify {
  return {
    name,
    async health() {
      const calls = (await reach()).calls(orderContract, { timeoutMs: HEALTH_LIMIT_MS });
      const { leads, commitPosition } = await calls.health({});
      return { leads, commit: commitPosition };
    },
    async audit(position, stocksAt) {
      const calls = (await reach()).calls(orderContract, { timeoutMs: AUDIT_LIMIT_MS });
      return calls.audit({ position, stocksAt: [...stocksAt] });
    },
  };
}

/** A catalog, likewise. */
export function catalogOver(name: string, reach: () => Promise<Peer>): CatalogToVerify {
  return {
    name,
    async audit(position) {
      const calls = (await reach()).calls(catalogContract, { timeoutMs: AUDIT_LIMIT_MS });
      return calls.audit({ position });
    },
  };
}

export async function verifyCluster(options: VerifyOptions): Promise<Verdict> {
  const differences: string[] = [];
  const commit = await leadersCommit(options, differences);
  if (commit === null) {
    return { ok: false, position: 0, orders: 0, differences };
  }
  const catalogs = await audits(options.catalogs, (each) => each.audit(commit), differences);
  const stocksAt = [...new Set(catalogs.map(({ audit }) => audit.position))].sort((a, b) => a - b);
  const position = Math.max(commit, ...stocksAt);
  const replicas = await audits(
    options.replicas,
    (each) => each.audit(position, stocksAt),
    differences,
  );
  differences.push(
    ...replicas.flatMap(({ name, audit }) => audit.problems.map((line) => `${name}: ${line}`)),
    ...compareReplicas(replicas),
    ...compareCatalogs(catalogs, replicas, stocksAt),
  );
  const first = replicas[0]?.audit;
  return {
    ok: differences.length === 0,
    position: first?.position ?? position,
    orders: first?.orders ?? 0,
    differences,
  };
}

interface Audited<A> {
  readonly name: string;
  readonly audit: A;
}

/** The leader's commit position; null when there is no leader, which `differences` then say. */
async function leadersCommit(
  options: VerifyOptions,
  differences: string[],
): Promise<number | null> {
  for (let round = 1; ; round++) {
    const healths = await Promise.all(
      options.replicas.map((replica) => replica.health().catch(() => null)),
    );
    const leader = healths.find((health) => health?.leads);
    if (leader) return leader.commit;
    if (round >= (options.leaderRoundsMax ?? LEADER_ROUNDS_MAX)) {
      differences.push(
        ...options.replicas
          .filter((_, index) => healths[index] === null)
          .map(({ name }) => `${name} is not reachable`),
        "no replica leads",
      );
      return null;
    }
    await (options.pause?.() ?? pause(LEADER_PAUSE_MS));
  }
}

/** The audits of those that answered; the others are differences. */
async function audits<P extends { readonly name: string }, A>(
  processes: readonly P[],
  audit: (process: P) => Promise<A>,
  differences: string[],
): Promise<Audited<A>[]> {
  const results = await Promise.allSettled(processes.map(audit));
  const answered: Audited<A>[] = [];
  for (const [index, result] of results.entries()) {
    const name = processes[index]?.name ?? "";
    if (result.status === "fulfilled") answered.push({ name, audit: result.value });
    else differences.push(notAudited(name, result.reason));
  }
  return answered;
}

/** A process that isn't there, so that who asks says so and nothing more. */
export class NotReachable extends Error {
  override readonly name = "NotReachable";
}

function notAudited(name: string, reason: unknown): string {
  if (reason instanceof NotReachable) return `${name} is not reachable`;
  const why = reason instanceof Error ? reason.message : String(reason);
  return `${name} could not be compared: ${why}`;
}

/** What must be the same in every replica at one position, and its name. */
const SAME_IN_REPLICAS = [
  ["position", "stands elsewhere"],
  ["entries", "has another number of entries"],
  ["orders", "has another number of orders"],
  ["requests", "has another number of requests"],
  ["journalDigest", "has another journal"],
  ["ordersDigest", "has other orders"],
  ["requestsDigest", "has other requests"],
] as const satisfies readonly (readonly [keyof OrderAudit, string])[];

/** Each replica against the first. */
function compareReplicas(replicas: readonly Audited<OrderAudit>[]): string[] {
  const [first, ...others] = replicas;
  if (!first) return [];
  return others.flatMap(({ name, audit }) => {
    const lines = SAME_IN_REPLICAS.filter(([field]) => audit[field] !== first.audit[field]).map(
      ([field, what]) =>
        `${name} ${what} than ${first.name}: ${audit[field]}, not ${first.audit[field]}`,
    );
    const isSame =
      audit.stocksDigests.length === first.audit.stocksDigests.length &&
      audit.stocksDigests.every((digest, index) => digest === first.audit.stocksDigests[index]);
    return isSame ? lines : [...lines, `${name} has other stocks than ${first.name}`];
  });
}

/** Each catalog against the replicas' stocks where it stood. */
function compareCatalogs(
  catalogs: readonly Audited<CatalogAudit>[],
  replicas: readonly Audited<OrderAudit>[],
  stocksAt: readonly number[],
): string[] {
  const first = replicas[0];
  if (!first) return [];
  return catalogs.flatMap(({ name, audit }) => {
    const digest = first.audit.stocksDigests[stocksAt.indexOf(audit.position)];
    return digest === audit.stocksDigest
      ? []
      : [`${name} has other stocks than ${first.name} at position ${audit.position}`];
  });
}
