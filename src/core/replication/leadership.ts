// A leader's reign: it appends, counts, and knows when a quorum still follows.
//
//   J1. It decides and answers nothing before its `reign` entry is committed:
//       only then is everything older committed, and delivered.
//   J2. Committed is what a quorum holds, the leader's own durable journal
//       among it, and only from the reign on: an older epoch's entry on a
//       majority can still be replaced (Raft §5.4.2).
//   J3. A round is confirmed when a quorum acknowledged that round or a later
//       one; so whoever asked before it began knows that nobody else led then
//       (Raft §6.4, read index).
//   J4. A follower that refuses what is appended isn't waited for; when no
//       quorum is left without those that do, the reign is over (R5).

import { invariant } from "../invariant.ts";
import type { ReplicaContext } from "./context.ts";
import { FollowerProgress } from "./follower-progress.ts";
import type { Misfit } from "./judge.ts";
import {
  HEARTBEAT_MIN_MS,
  REIGN_MS,
  UNCOMMITTED_ENTRIES_MAX,
  UNCONFIRMED_HEARTBEATS_MAX,
} from "./limits.ts";
import type { Entry, EntryBody, Envelope, Message, ReplicaId } from "./types.ts";

interface WaitingConfirmation {
  readonly token: number;
  readonly round: number;
}

export class Leadership {
  readonly kind = "leading";
  readonly epoch: number;
  /** J1: true once the reign is committed. */
  opened = false;
  readonly #context: ReplicaContext;
  readonly #reignPosition: number;
  /** When it won, by this replica's clock. */
  readonly wonAt: number;
  readonly #followers = new Map<ReplicaId, FollowerProgress>();
  /** The newest round begun. */
  #round = 0;
  /** The newest round that a quorum confirmed. */
  #confirmedRound = 0;
  #heartbeatAt = Number.NEGATIVE_INFINITY;
  /** Rounds of heartbeats that no quorum has confirmed yet, ascending. */
  #unconfirmedHeartbeats: number[] = [];
  #waiting: WaitingConfirmation[] = [];
  /** When the newest confirmed round began; -Infinity before the first. */
  confirmedAt = Number.NEGATIVE_INFINITY;
  /** Who refuses what was appended, and from which position on. */
  readonly #refusals = new Map<ReplicaId, number>();
  /** Rounds begun and not confirmed yet, ascending, with when they began. */
  #begun: { readonly round: number; readonly at: number }[] = [];

  constructor(context: ReplicaContext, epoch: number) {
    invariant(
      context.hardState.promise.epoch === epoch && context.hardState.promise.nominee === context.id,
      "a leader has promised itself its epoch",
      { epoch, promise: context.hardState.promise },
    ); // R3
    this.#context = context;
    this.epoch = epoch;
    this.wonAt = context.now;
    const { last } = context.log;
    for (const peer of context.peers) {
      this.#followers.set(peer, new FollowerProgress(context, peer, last.position));
    }
    this.#append([{ kind: "reign", leader: context.id, state: context.summary() }]);
    this.#reignPosition = context.log.last.position;
    this.#beginRound();
  }

  #append(bodies: readonly EntryBody[]): void {
    const { position } = this.#context.log.last;
    const at = this.#context.wallMs;
    const entries = bodies.map(
      (body, index): Entry => ({ position: position + 1 + index, epoch: this.epoch, at, body }),
    );
    this.#context.append(entries);
  }

  append(commands: readonly Uint8Array[]): void {
    invariant(this.opened, "a leader decides only once its reign is committed", {
      epoch: this.epoch,
    }); // J1
    const uncommitted = this.#context.log.last.position - this.#context.commit;
    invariant(
      uncommitted + commands.length <= UNCOMMITTED_ENTRIES_MAX,
      "the uncommitted tail is bounded",
      { uncommitted },
    );
    this.#context.decided += 1;
    this.#append(commands.map((bytes) => ({ kind: "command", bytes })));
  }

  round(confirm: number | null): void {
    this.#beginRound();
    if (confirm !== null) this.#waiting.push({ token: confirm, round: this.#round });
    this.#countRounds();
  }

  #beginRound(): void {
    this.#round += 1;
    this.#begun.push({ round: this.#round, at: this.#context.now });
    for (const follower of this.#followers.values()) follower.sendRound(this.epoch, this.#round);
  }

  /** Returns false when it must step down. */
  tick(): boolean {
    const { now } = this.#context;
    if (!this.opened && now - this.wonAt > REIGN_MS) return false;
    if (now - this.#heartbeatAt < HEARTBEAT_MIN_MS) return true;
    // Judged by the previous heartbeat: the answers to it had a whole one to come.
    this.#unconfirmedHeartbeats = this.#unconfirmedHeartbeats.filter(
      (round) => round > this.#confirmedRound,
    );
    if (this.#unconfirmedHeartbeats.length >= UNCONFIRMED_HEARTBEATS_MAX) return false;
    this.#heartbeatAt = now;
    this.#beginRound();
    this.#unconfirmedHeartbeats.push(this.#round);
    this.#countRounds();
    return true;
  }

  connected(peer: ReplicaId): void {
    this.#followers.get(peer)?.probe();
    this.#followers.get(peer)?.sendRound(this.epoch, this.#round);
  }

  disconnected(peer: ReplicaId): void {
    this.#followers.get(peer)?.probe();
  }

  /** An answer to an append of this reign. */
  acknowledged(envelope: Envelope, ack: Extract<Message, { kind: "ack" }>): void {
    const follower = this.#followers.get(envelope.from);
    if (!follower || ack.epoch !== this.epoch) return;
    const last = this.#context.log.last.position;
    if (ack.round > this.#round || Math.max(ack.position, ack.goBackTo ?? 0) > last) return;
    if (!follower.hear(envelope.incarnation)) return;
    this.#admit(envelope);
    this.#refusals.delete(envelope.from); // it follows again
    const advanced = follower.acknowledge(ack);
    if (advanced)
      this.#context.emit({ kind: "replicated", peer: envelope.from, position: follower.match });
    this.#count();
    follower.sendMore(this.epoch, this.#round);
  }

  /** A follower won't have an entry. Returns false when the reign must end. */
  refused(from: ReplicaId, { position, reason }: Misfit): boolean {
    if (!this.#refusals.has(from)) {
      this.#context.emit({ kind: "refused", by: from, misfit: { position, reason } });
    }
    this.#refusals.set(from, position);
    return this.#followers.size + 1 - this.#doubters >= this.#context.quorum; // J4
  }

  /** Those who refuse what no quorum has taken yet: it may be this leader whose state is wrong. */
  get #doubters(): number {
    const { commit } = this.#context;
    return [...this.#refusals.values()].filter((position) => position > commit).length;
  }

  get isDoubted(): boolean {
    return this.#doubters > 0;
  }

  /** A replacement is admitted once: the entry itself says so from then on. */
  #admit(envelope: Envelope): void {
    const { from, incarnation } = envelope;
    if (!this.opened || incarnation <= this.#context.admissions.of(from).incarnation) return;
    this.#append([{ kind: "admit", replica: from, incarnation }]);
    this.#context.emit({ kind: "admitted", replica: from, incarnation });
    this.#beginRound();
  }

  /** Something became durable here, or was acknowledged. */
  #count(): void {
    this.#countEntries();
    this.#countRounds();
  }

  /** Our own writes are durable. */
  persisted(): void {
    this.#countEntries();
  }

  /** The highest value that a quorum has reached, ourselves with `own` among it. */
  #quorumHas(own: number, of: (follower: FollowerProgress) => number): number {
    const { admissions, commit, quorum } = this.#context;
    const others: number[] = [];
    for (const follower of this.#followers.values()) {
      if (admissions.counts(follower.peer, follower.incarnation, commit)) others.push(of(follower));
    }
    if (quorum === 1) return own;
    others.sort((a, b) => b - a);
    return Math.min(own, others[quorum - 2] ?? 0);
  }

  #countEntries(): void {
    const context = this.#context;
    const position = this.#quorumHas(context.log.durable, (follower) => follower.match);
    if (position < this.#reignPosition || position <= context.commit) return; // J2
    context.learnCommit(position);
    if (!this.opened) {
      this.opened = true;
      context.emit({ kind: "leading", epoch: this.epoch });
    }
    // An admission may just have been committed: its replica counts from now on.
    this.#countEntries();
  }

  #countRounds(): void {
    const confirmed = this.#quorumHas(this.#round, (follower) => follower.round);
    if (confirmed <= this.#confirmedRound) return;
    this.#confirmedRound = confirmed;
    const unconfirmed = this.#begun.findIndex(({ round }) => round > confirmed);
    const done = unconfirmed === -1 ? this.#begun.length : unconfirmed;
    this.confirmedAt = this.#begun[done - 1]?.at ?? this.confirmedAt;
    this.#begun = this.#begun.slice(done);
    let settled = 0;
    for (const { token, round } of this.#waiting) {
      if (round > confirmed) break;
      settled += 1;
      this.#context.emit({ kind: "confirmed", token, leads: true }); // J3
    }
    if (settled > 0) this.#waiting = this.#waiting.slice(settled);
  }

  /** The reign ends; whoever waits for a confirmation gets a no. */
  end(): void {
    for (const { token } of this.#waiting)
      this.#context.emit({ kind: "confirmed", token, leads: false });
    this.#waiting = [];
    if (this.opened) this.#context.emit({ kind: "deposed" });
  }
}
