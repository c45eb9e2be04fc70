// The network between processes: delay, loss, duplication, reordering, cuts.
//
// Messages of one direction keep their order, as on a connection, unless the run
// reorders; a message can outlive its sender, and reach a process that has
// restarted meanwhile. What a cut meets is lost, or, in some runs, kept until the
// cut is mended, as by a connection that outlives it. Both sides learn of a
// closed connection, but not at once, and of a silent cut not at all.
//
// A connection can also fall silent for good, both ways, as after a cut that
// outlasted it: nothing that is sent on it arrives any more, until another
// connection takes its place. What idle ends say to each other now and then isn't
// sent here; whether it would come through is what heard() tells.

import { otherCluster } from "../src/core/replication/members.ts";
import type { Counters } from "./counters.ts";
import type { FaultMix, Target } from "./faults.ts";
import { kindOf, type MessageKind, type SimulatedMessage } from "./messages.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** Whoever takes messages. */
export interface Endpoint {
  readonly name: string;
  /** Of this life of it: what it sends says so. */
  readonly link: string;
  readonly isUp: boolean;
  /** It runs, and says something now and then. */
  readonly isAwake: boolean;
  /** The replicas that it is configured with. */
  readonly configured: readonly number[];
  /** A message came in, from a process of this link. */
  deliver(from: string, message: SimulatedMessage, link: string): void;
  /** A connection for sending to `peer` is open, or was closed. */
  connection(peer: string, isOpen: boolean): void;
}

const SPIKE_MS = 400;
/** Messages that one direction keeps through a cut; later ones are lost. */
const KEPT_MAX = 1_000;
/** Between two attempts to connect again to who is cut off, or paused. */
const AGAIN_MS = 500;

/** A message, and the link of who sent it. */
interface Sent {
  readonly message: SimulatedMessage;
  readonly link: string;
}

/** One direction. */
interface Line {
  readonly from: string;
  readonly to: string;
  /** How many cuts say that it carries nothing. */
  cuts: number;
  /** Extra delay, milliseconds. */
  slowMs: number;
  /** Kinds of messages that are lost or late; null: all are as they should be. */
  spoilt: ReadonlyMap<MessageKind, Target> | null;
  lastArrival: number;
  kept: Sent[];
  /** Counts broken connections: what was sent on an earlier one never arrives. */
  connection: number;
  /** Between two connections: what is sent is lost. */
  isBroken: boolean;
  /** What is sent is lost until there is another connection, and nobody is told. */
  isMute: boolean;
  /** When something came through last, if only that the sender is there. */
  heardMs: number;
}

export class Network {
  faults: FaultMix;
  /** Sees what is sent, and what comes to who is up; nobody unless set. */
  watcher: {
    sent(from: string, to: string, message: SimulatedMessage): void;
    arrived(from: string, to: string, message: SimulatedMessage): void;
  } | null = null;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #counters: Counters;
  readonly #endpoints = new Map<string, Endpoint>();
  /** By sender and receiver. */
  readonly #lines = new Map<string, Map<string, Line>>();
  #messages = 0;

  constructor(scheduler: Scheduler, random: Random, faults: FaultMix, counters: Counters) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.faults = faults;
    this.#counters = counters;
  }

  get messages(): number {
    return this.#messages;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.name, endpoint);
  }

  #line(from: string, to: string): Line {
    let lines = this.#lines.get(from);
    if (!lines) {
      lines = new Map();
      this.#lines.set(from, lines);
    }
    let line = lines.get(to);
    if (!line) {
      line = {
        from,
        to,
        cuts: 0,
        slowMs: 0,
        spoilt: null,
        lastArrival: 0,
        kept: [],
        connection: 1,
        isBroken: false,
        isMute: false,
        heardMs: 0,
      };
      lines.set(to, line);
    }
    return line;
  }

  cut(from: string, to: string): void {
    this.#line(from, to).cuts += 1;
  }

  /** Takes one cut of this direction back. */
  mend(from: string, to: string): void {
    const line = this.#line(from, to);
    line.cuts = Math.max(0, line.cuts - 1);
    if (line.cuts === 0) this.#release(line);
  }

  #release(line: Line): void {
    const { kept } = line;
    line.kept = [];
    for (const sent of kept) this.#arrive(line, sent);
  }

  /** What this direction carries comes later by `ms`; 0 ends it. */
  slow(from: string, to: string, ms: number): void {
    this.#line(from, to).slowMs = ms;
  }

  /** This direction loses or delays these kinds of messages, and carries the others; null ends it. */
  spoil(from: string, to: string, kinds: ReadonlyMap<MessageKind, Target> | null): void {
    this.#line(from, to).spoilt = kinds;
  }

  /** Takes back all cuts, slowness and the rest. */
  heal(): void {
    for (const lines of this.#lines.values()) {
      for (const line of lines.values()) {
        line.slowMs = 0;
        line.spoilt = null;
        line.cuts = 0;
        this.#release(line);
      }
    }
  }

  /** From now on the connection between these two carries nothing, until it is replaced. */
  mute(one: string, other: string): void {
    this.#line(one, other).isMute = true;
    this.#line(other, one).isMute = true;
  }

  /** A number that changes as long as what `from` says comes through to `to`. */
  heard(from: string, to: string): number {
    const line = this.#line(from, to);
    const carries = !line.isMute && !line.isBroken && line.cuts === 0;
    if (carries && this.#endpoints.get(from)?.isAwake) line.heardMs = this.#scheduler.now;
    return line.heardMs;
  }

  isCut(from: string, to: string): boolean {
    return this.#line(from, to).cuts > 0;
  }

  send(from: string, to: string, message: SimulatedMessage): void {
    this.#messages += 1;
    this.watcher?.sent(from, to, message);
    const line = this.#line(from, to);
    if (line.isBroken || this.#refuse(from, to)) {
      this.#counters.add("sent without a connection");
      return;
    }
    if (line.isMute) {
      this.#counters.add("lost on a silent connection");
      return;
    }
    const { lossPerMessage, losesCalls, duplicatePerMessage, targets } = this.faults;
    const kind = kindOf(message);
    const sent = { message, link: this.#endpoints.get(from)?.link ?? "" };
    if (line.cuts > 0) {
      this.#meetCut(line, sent);
      return;
    }
    const random = this.#random;
    if (lossPerMessage > 0 && random.chance(lossPerMessage) && (losesCalls || !isCall(kind))) {
      this.#counters.add("lost");
      return;
    }
    const target = line.spoilt?.get(kind) ?? targets.get(kind);
    if (target) {
      if (random.chance(target.loss)) {
        this.#counters.add("lost by kind");
        return;
      }
      if (random.chance(target.late)) {
        this.#counters.add("delayed by kind");
        this.#deliver(line, sent, random.between(0, target.lateMs));
        return;
      }
    }
    this.#arrive(line, sent);
    const again = duplicatePerMessage > 0 && random.chance(duplicatePerMessage);
    // A connection carries a call once: whoever repeats a question does so knowingly.
    if (again && message.kind !== "ask") {
      this.#counters.add("duplicated");
      this.#arrive(line, sent);
    }
  }

  #meetCut(line: Line, sent: Sent): void {
    if (this.faults.keepsThroughCuts && line.kept.length < KEPT_MAX) {
      this.#counters.add("kept through a cut");
      line.kept.push(sent);
    } else this.#counters.add("cut off");
  }

  #arrive(line: Line, sent: Sent): void {
    const { delayMs, spikePerMessage, reorder } = this.faults;
    const random = this.#random;
    let delay = random.heavy(delayMs) + line.slowMs;
    if (spikePerMessage > 0 && random.chance(spikePerMessage)) delay += random.between(0, SPIKE_MS);
    if (!reorder) {
      const arrival = Math.max(this.#scheduler.now + delay, line.lastArrival);
      line.lastArrival = arrival;
      delay = arrival - this.#scheduler.now;
    } else if (this.#scheduler.now + delay < line.lastArrival) this.#counters.add("reordered");
    else line.lastArrival = this.#scheduler.now + delay;
    this.#deliver(line, sent, delay);
  }

  #deliver(line: Line, sent: Sent, delayMs: number): void {
    const { connection } = line;
    this.#scheduler.after(delayMs, () => {
      if (line.connection !== connection) {
        this.#counters.add("lost in a reset");
        return;
      }
      if (line.isMute) {
        this.#counters.add("lost on a silent connection");
        return;
      }
      if (line.cuts > 0) {
        this.#meetCut(line, sent);
        return;
      }
      const endpoint = this.#endpoints.get(line.to);
      if (!endpoint?.isUp) return;
      this.watcher?.arrived(line.from, line.to, sent.message);
      endpoint.deliver(line.from, sent.message, sent.link);
    });
  }

  /** The link of this process; null while it is down. */
  linkOf(name: string): string | null {
    const endpoint = this.#endpoints.get(name);
    return endpoint?.isUp ? endpoint.link : null;
  }

  /** `name` came up: connections to and from it open, each after a while. */
  opened(name: string): void {
    for (const other of this.#endpoints.values()) {
      if (other.name === name) continue;
      this.#connect(name, other.name);
    }
  }

  /**
   * The connection between two living processes breaks: what is on its way is
   * lost, both are told, and it opens again after a while.
   */
  reset(one: string, other: string, connects: () => boolean = () => true): void {
    let told = 0;
    for (const [from, to] of bothWays(one, other)) {
      const line = this.#line(from, to);
      line.connection += 1;
      line.isBroken = true;
      line.isMute = false;
      line.kept = [];
      this.#scheduler.after(this.#random.heavy(this.faults.delayMs), () => {
        const sender = this.#endpoints.get(from);
        if (sender?.isUp) sender.connection(to, false);
        told += 1;
        if (told === 2) this.#connectOnce(one, other, connects);
      });
    }
  }

  /**
   * `name` takes its connection to `peer` for closed, as after a reset that reached only it: what
   * is on its way still comes, and the other end knows nothing of it.
   */
  lose(name: string, peer: string): void {
    this.#scheduler.after(this.#random.heavy(this.faults.delayMs), () => {
      const endpoint = this.#endpoints.get(name);
      if (endpoint?.isUp) endpoint.connection(peer, false);
    });
  }

  /** `name` connects to `peer` again, after it alone had lost the connection. */
  regain(name: string, peer: string): void {
    const endpoint = this.#endpoints.get(name);
    const areUp = endpoint?.isUp && this.#endpoints.get(peer)?.isUp;
    if (areUp && !this.#refuse(name, peer)) endpoint.connection(peer, true);
  }

  /** One end gave the connection up: both lose it, and have another as soon as they reach each other. */
  replace(one: string, other: string): void {
    this.#counters.add("silent connections replaced");
    const isAwake = (name: string): boolean => this.#endpoints.get(name)?.isAwake ?? false;
    this.reset(
      one,
      other,
      () => isAwake(one) && isAwake(other) && !this.isCut(one, other) && !this.isCut(other, one),
    );
  }

  #connectOnce(one: string, other: string, connects: () => boolean): void {
    if (connects()) this.#connect(one, other);
    else this.#scheduler.after(AGAIN_MS, () => this.#connectOnce(one, other, connects));
  }

  /** Both ways at once: whoever says something over a new connection can be answered. */
  #connect(one: string, other: string): void {
    this.#scheduler.after(this.#random.heavy(5), () => {
      const ends = bothWays(one, other);
      for (const [from, to] of ends) this.#line(from, to).isBroken = false;
      const areUp = ends.every(([from]) => this.#endpoints.get(from)?.isUp);
      if (!areUp) return;
      if (this.#refuse(one, other)) this.#counters.add("connections refused");
      else for (const [from, to] of ends) this.#endpoints.get(from)?.connection(to, true);
    });
  }

  /** Whether the handshake between these two fails: they are configured with different replicas. */
  #refuse(from: string, to: string): boolean {
    const ours = this.#endpoints.get(from)?.configured;
    const theirs = this.#endpoints.get(to)?.configured;
    if (ours === theirs || !ours || !theirs) return false;
    const cluster = (members: readonly number[]) => ({ name: null, members });
    return otherCluster(to, cluster(theirs), cluster(ours)) !== null;
  }

  /** `name` went down: who was connected learns it, unless it is cut off. */
  closed(name: string): void {
    for (const other of this.#endpoints.values()) {
      if (other.name === name) continue;
      this.#scheduler.after(this.#random.heavy(this.faults.delayMs), () => {
        const gone = this.#endpoints.get(name);
        if (other.isUp && !gone?.isUp && !this.isCut(name, other.name))
          other.connection(name, false);
      });
    }
  }
}

/** Without an answer it is given up after a second, and few are under way at once: all clients of a front end wait. */
function isCall(kind: MessageKind): boolean {
  return kind === "ask" || kind === "asked";
}

function bothWays(one: string, other: string): readonly (readonly [from: string, to: string])[] {
  return [
    [one, other],
    [other, one],
  ];
}
