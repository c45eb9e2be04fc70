// What all simulated processes share: being up, paused or down, a clock of their
// own, timers that die with them, and a mailbox that fills while they are paused.

import { LEASE_MS } from "../src/core/coherence/limits.ts";
import { LINK_TICK_MS } from "../src/core/connection/limits.ts";
import { Silence } from "../src/core/connection/silence.ts";
import type { Host } from "./host.ts";
import type { SimulatedMessage } from "./messages.ts";
import type { Endpoint } from "./network.ts";

/** A turn of the event loop takes up to so long. */
const LONGEST_TURN_MS = 0.3;

/** More questions for a lease than one life of a process can ask. */
export const ASKS_PER_LIFE_MAX = 1_000_000;

/** While a restarted process has another connection, its last one may stay open for this long. */
const LONGEST_STALE_MS = 100;

/** One open connection to another process. */
export interface Connection {
  readonly endpoint: string;
  /** Of the other process: another one after it has restarted. */
  readonly link: string;
  readonly identity: { readonly role: string; readonly name: string };
}

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
  #link: string;
  #isDead = false;
  #downSinceMs = Number.NEGATIVE_INFINITY;
  #backlog: (() => void)[] = [];
  /** Of each open connection, in runs in which some fall silent. */
  #silences = new Map<string, Silence>();
  /** By link. */
  #connections = new Map<string, Connection>();
  /** To be run at the end of this turn of the event loop. */
  #turn: (() => void)[] = [];
  #clockRate = 1;
  #clockOffset = 0;

  constructor(host: Host, name: string) {
    this.host = host;
    this.name = name;
    this.#link = name;
    this.configured = host.replicaIds;
  }

  protected abstract started(): void;
  protected abstract stopped(): void;
  /** `connection` is null when it came over one that is over. */
  protected abstract received(
    from: string,
    message: SimulatedMessage,
    connection: Connection | null,
  ): void;
  /** A connection for sending to `peer` is open, or was closed. */
  protected abstract connectionChanged(
    peer: string,
    isOpen: boolean,
    connection: Connection | null,
  ): void;

  protected opened(_connection: Connection): void {}
  protected closed(_connection: Connection): void {}

  get link(): string {
    return this.#link;
  }

  /** Another life. */
  #begin(): void {
    this.#life += 1;
    this.#link = `${this.name}/${this.#life}`;
  }

  get isAwake(): boolean {
    return this.isUp && !this.isPaused;
  }

  /** `replica`, `catalog` or `frontend`. */
  get role(): string {
    const role = roleOf(this.name);
    return role === "order" ? "replica" : role;
  }

  start(): void {
    if (this.isUp || this.#isDead) return;
    const { random, faults, counters, scheduler } = this.host;
    if (scheduler.now - this.#downSinceMs < LEASE_MS) counters.add("restarts within a lease");
    this.isUp = true;
    this.#begin();
    const { clockDrift, clockSides } = faults;
    const drawn = random.pick([-clockDrift, clockDrift, random.between(-clockDrift, clockDrift)]);
    const side = clockSides?.[this.role];
    const drift = side === undefined ? drawn : side * clockDrift;
    this.#clockRate = 1 + drift;
    if (drift !== 0) counters.add("clocks that drift");
    this.#clockOffset = random.between(0, 1_000) - this.#clockRate * this.host.scheduler.now;
    this.#silences = new Map();
    this.#connections = new Map();
    this.#turn = [];
    this.started();
    if (this.host.hasMutes)
      this.every(
        () => LINK_TICK_MS,
        () => this.#listen(),
      );
    this.host.network.opened(this.name);
  }

  /** Killed: nothing of this life runs any more. */
  crash(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#downSinceMs = this.host.scheduler.now;
    this.isPaused = false;
    this.#begin();
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

  /** When that clock showed this, in this life. */
  trueMs(clockMs: number): number {
    return (clockMs - this.#clockOffset) / this.#clockRate;
  }

  after(ms: number, run: () => void): void {
    const life = this.#life;
    this.host.scheduler.after(ms / this.#clockRate, () => this.#run(life, run));
  }

  /** `periodMs` is asked anew each time. */
  every(periodMs: () => number, run: () => void): void {
    this.after(periodMs(), () => {
      run();
      this.every(periodMs, run);
    });
  }

  /** Everything of one turn of the event loop runs together, in order, a moment later. */
  atTurnsEnd(run: () => void): void {
    this.#turn.push(run);
    if (this.#turn.length > 1) return;
    this.after(this.host.random.between(0, LONGEST_TURN_MS), () => {
      const turn = this.#turn;
      this.#turn = [];
      const life = this.#life;
      for (const each of turn) if (life === this.#life) each();
    });
  }

  deliver(from: string, message: SimulatedMessage, link: string): void {
    if (this.#isFrozen) return;
    if (this.isPaused) this.#backlog.push(() => this.#receive(from, message, link));
    else this.#receive(from, message, link);
  }

  #receive(from: string, message: SimulatedMessage, link: string): void {
    this.received(from, message, this.#connectionOf(from, link));
  }

  /** Whoever says something is connected; null when that was said by an earlier life of it. */
  #connectionOf(endpoint: string, link: string): Connection | null {
    const known = this.#connections.get(link);
    if (known) return known;
    return this.host.network.linkOf(endpoint) === link ? this.#open(endpoint, link) : null;
  }

  #open(endpoint: string, link: string): Connection {
    const name = this.host.calledOf(endpoint);
    const connection = { endpoint, link, identity: { role: roleOf(endpoint), name } };
    for (const other of this.#connections.values()) {
      if (other.endpoint === endpoint)
        this.after(this.host.random.between(0, LONGEST_STALE_MS), () => this.#close(other));
    }
    this.#connections.set(link, connection);
    this.opened(connection);
    return connection;
  }

  #close(connection: Connection): void {
    if (this.#connections.get(connection.link) !== connection) return;
    this.#connections.delete(connection.link);
    this.closed(connection);
  }

  /** Sends it over this connection, unless that is over. */
  protected sendOn(connection: Connection, message: SimulatedMessage): void {
    const { endpoint, link } = connection;
    const isOpen = this.isUp && this.#connections.get(link) === connection;
    if (isOpen && this.host.network.linkOf(endpoint) === link) this.send(endpoint, message);
  }

  connection(peer: string, isOpen: boolean): void {
    this.#run(this.#life, () => {
      if (isOpen) this.#silences.set(peer, new Silence(this.clock()));
      else this.#silences.delete(peer);
      const link = this.host.network.linkOf(peer);
      const connection = isOpen && link !== null ? this.#connectionOf(peer, link) : null;
      if (!isOpen) {
        for (const each of [...this.#connections.values()])
          if (each.endpoint === peer) this.#close(each);
      }
      this.connectionChanged(peer, isOpen, connection);
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

/** As the handshake tells it: `order`, `catalog` or `frontend`. */
function roleOf(name: string): string {
  return name.split("-")[0] ?? "";
}
