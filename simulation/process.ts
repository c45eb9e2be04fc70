// What all simulated processes share: being up, paused or down, a clock of their
// own, timers that die with them, and a mailbox that fills while they are paused.

import { LEASE_MS } from "../src/core/coherence/limits.ts";
import { LINK_TICK_MS } from "../src/core/connection/limits.ts";
import { Silence } from "../src/core/connection/silence.ts";
import type { Host } from "./host.ts";
import type { SimulatedMessage } from "./messages.ts";
import type { Endpoint } from "./network.ts";

/** More questions for a lease than one life of a process can ask. */
export const ASKS_PER_LIFE_MAX = 1_000_000;

export abstract class Process implements Endpoint {
  readonly host: Host;
  readonly name: string;
  /** The replicas that it is configured with, from its next start on. */
  configured: readonly number[];
  isUp = false;
  isPaused = false;
  #isFrozen = false;
  /** Counts starts: what an earlier life scheduled is void. */
  #life = 0;
  #isDead = false;
  #downSinceMs = Number.NEGATIVE_INFINITY;
  #backlog: (() => void)[] = [];
  /** Of each open connection, in runs in which some fall silent. */
  #silences = new Map<string, Silence>();
  #clockRate = 1;
  #clockOffset = 0;

  constructor(host: Host, name: string) {
    this.host = host;
    this.name = name;
    this.configured = host.replicaIds;
  }

  protected abstract started(): void;
  protected abstract stopped(): void;
  protected abstract received(from: string, message: SimulatedMessage): void;
  protected abstract connectionChanged(peer: string, isOpen: boolean): void;

  get isAwake(): boolean {
    return this.isUp && !this.isPaused;
  }

  /** `replica`, `catalog` or `frontend`. */
  get role(): string {
    const [kind = ""] = this.name.split("-");
    return kind === "order" ? "replica" : kind;
  }

  start(): void {
    if (this.isUp || this.#isDead) return;
    const { random, faults, counters, scheduler } = this.host;
    if (scheduler.now - this.#downSinceMs < LEASE_MS) counters.add("restarts within a lease");
    this.isUp = true;
    this.#life += 1;
    const { clockDrift } = faults;
    const drift = random.pick([-clockDrift, clockDrift, random.between(-clockDrift, clockDrift)]);
    this.#clockRate = 1 + drift;
    if (drift !== 0) counters.add("clocks that drift");
    this.#clockOffset = random.between(0, 1_000) - this.#clockRate * this.host.scheduler.now;
    this.started();
    this.#silences = new Map();
    if (this.host.hasMutes) this.every(LINK_TICK_MS, () => this.#listen());
    this.host.network.opened(this.name);
  }

  /** Killed: nothing of this life runs any more. */
  crash(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#downSinceMs = this.host.scheduler.now;
    this.isPaused = false;
    this.#life += 1;
    this.#backlog = [];
    this.stopped();
    this.host.network.closed(this.name);
  }

  /** Killed for good. */
  die(): void {
    this.#isDead = true;
    this.crash();
  }

  /** Stopped where it is; wakes with everything unread. */
  pause(ms: number): void {
    if (!this.isUp || this.isPaused) return;
    this.isPaused = true;
    const life = this.#life;
    this.host.scheduler.after(ms, () => {
      if (life !== this.#life || this.#isFrozen) return;
      this.isPaused = false;
      const backlog = this.#backlog;
      this.#backlog = [];
      for (const run of backlog) this.#run(life, run);
    });
  }

  /** Stopped for good, its connections open; what it is sent is never read. */
  freeze(): void {
    this.isPaused = true;
    this.#isFrozen = true;
  }

  /** Monotonic milliseconds of this process. */
  clock(): number {
    return this.#clockOffset + this.#clockRate * this.host.scheduler.now;
  }

  after(ms: number, run: () => void): void {
    const life = this.#life;
    this.host.scheduler.after(ms / this.#clockRate, () => this.#run(life, run));
  }

  every(ms: number, run: () => void): void {
    this.after(ms, () => {
      run();
      this.every(ms, run);
    });
  }

  deliver(from: string, message: SimulatedMessage): void {
    if (this.#isFrozen) return;
    if (this.isPaused) this.#backlog.push(() => this.received(from, message));
    else this.received(from, message);
  }

  connection(peer: string, isOpen: boolean): void {
    this.#run(this.#life, () => {
      if (isOpen) this.#silences.set(peer, new Silence(this.clock()));
      else this.#silences.delete(peer);
      this.connectionChanged(peer, isOpen);
    });
  }

  /** Gives up the connections on which nothing came for long. */
  #listen(): void {
    const { network } = this.host;
    for (const [peer, silence] of this.#silences) {
      if (!silence.tick(this.clock(), network.heard(peer, this.name))) continue;
      this.#silences.delete(peer);
      network.replace(this.name, peer);
    }
  }

  protected send(to: string, message: SimulatedMessage): void {
    this.host.network.send(this.name, to, message);
  }

  #run(life: number, run: () => void): void {
    if (life !== this.#life) return;
    if (this.isPaused) this.#backlog.push(run);
    else run();
  }
}
