// Which replica a front end asks: the leader itself, where it can be reached,
// else any replica that can, which passes the questions on to the leader that it
// follows. One that proved of no use lately comes last.

import { AVOID_LOST_MS, AVOID_SILENT_MS, LEADER_HEARD_MS } from "./limits.ts";

/** What is looked at to choose between replicas. */
export interface Candidate {
  readonly replica: number;
  readonly isOpen: boolean;
  isGood(nowMs: number): boolean;
  isHeard(nowMs: number): boolean;
  /** What it said last on the open connection. */
  readonly health: { readonly leader: number | null } | null;
}

/** What a connection to a replica has proved to be worth. Milliseconds of a monotonic clock. */
export class RouteRecord {
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #avoidUntilMs = Number.NEGATIVE_INFINITY;

  opened(nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#avoidUntilMs = Number.NEGATIVE_INFINITY;
  }

  heard(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /** When something last came over the connection, or it was opened. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** It knows no leader to pass the questions on to, or lost it on the way. */
  lost(nowMs: number): void {
    this.#avoidUntilMs = Math.max(this.#avoidUntilMs, nowMs + AVOID_LOST_MS);
  }

  /** It lets a call wait for longer than is reasonable. */
  silent(nowMs: number): void {
    this.#avoidUntilMs = Math.max(this.#avoidUntilMs, nowMs + AVOID_SILENT_MS);
  }

  /** Whether it may be asked before others. */
  isGood(nowMs: number): boolean {
    return nowMs >= this.#avoidUntilMs;
  }

  /** Whether something came over the connection lately. */
  isHeard(nowMs: number): boolean {
    return nowMs - this.#heardAtMs < LEADER_HEARD_MS;
  }
}

/** Whom to ask while `leader` leads; null while nobody can be reached. */
export function routeTo<L extends Candidate>(
  leader: number,
  links: readonly L[],
  nowMs: number,
): L | null {
  const direct = links.find((link) => link.replica === leader);
  if (direct?.isGood(nowMs) && direct.isHeard(nowMs)) return direct;
  const relays = links.filter((link) => link.replica !== leader && link.isGood(nowMs));
  const knowing = relays.find((link) => link.isHeard(nowMs) && link.health?.leader === leader);
  if (knowing) return knowing;
  if (direct?.isOpen) return direct;
  return relays[0] ?? links.find((link) => link.isOpen) ?? null;
}
