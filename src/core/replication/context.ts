// What all phases of a replica share: its durable state, its journal, and the
// list of effects that the present step produces.
//
//   X1. What is sent with sendDurably leaves only when every write issued
//       before it is durable: no promise and no ack tells of what a crash
//       could still erase (R2).
//   X2. The promise never goes back (R1).
//   X3. The judge's state is that at the journal's end, and what it won't have
//       is neither stored nor acknowledged (R5).
//   X4. What is a quorum follows from the members that the file and the journal
//       name: a replica that is configured with others isn't started.

import { invariant } from "../invariant.ts";
import type { Admission } from "./admissions.ts";
import { Admissions } from "./admissions.ts";
import { EntryLog, type StoredEntries } from "./entry-log.ts";
import type { ReplicaEffect, Write } from "./events.ts";
import type { Judge, Misfit } from "./judge.ts";
import { MESSAGE_BYTES_MAX } from "./limits.ts";
import { areSameMembers, OtherCluster, otherMembers } from "./members.ts";
import type { Entry, HardState, Incarnation, Message, ReplicaId } from "./types.ts";

export interface ReplicaOptions {
  readonly id: ReplicaId;
  readonly incarnation: Incarnation;
  /** All replicas of the cluster, as this one's file says. */
  readonly members: readonly ReplicaId[];
  /** All configured replicas, this one included: must be the members. */
  readonly replicas: readonly ReplicaId[];
  /** As found on disk. */
  readonly hardState: HardState;
  readonly stored: StoredEntries & { admissions(): readonly Admission[] };
  readonly judge: Judge;
  /** Through where the tables on disk are applied; committed for sure. */
  readonly applied: number;
  /** Entries in one append or fetch, about; default MESSAGE_BYTES_MAX. */
  readonly messageBytesMax?: number;
}

interface DeferredMessage {
  readonly afterWrite: number;
  readonly to: ReplicaId;
  readonly message: Message;
}

interface PendingWrite {
  readonly id: number;
  /** The journal's last position once this write is durable; lowered when a truncation overtakes it. */
  position: number;
  readonly hardState: HardState;
}

export class ReplicaContext {
  readonly id: ReplicaId;
  readonly incarnation: Incarnation;
  /** The other replicas. */
  readonly peers: readonly ReplicaId[];
  /** How many replicas, this one included, are a quorum: a majority of the members. */
  readonly quorum: number;
  readonly log: EntryLog;
  readonly admissions: Admissions;
  readonly messageBytesMax: number;
  readonly connected = new Set<ReplicaId>();
  /** Monotonic milliseconds of the present step. */
  now = 0;
  /** Milliseconds since 1970 of the present step, for people. */
  wallMs = 0;
  /** In force from when it is issued; durable later. */
  hardState: HardState;
  /** commit <= durable <= last. */
  commit: number;
  /** Highest epoch seen in any refusal or canvass: a candidacy goes above it. */
  epochSeen: number;
  /** Turns that this replica has decided while it led. */
  decided = 0;
  /** When the last promise to another nominee was made. */
  promisedAt = Number.NEGATIVE_INFINITY;

  readonly #judge: Judge;
  readonly #members: readonly ReplicaId[];
  #effects: ReplicaEffect[] = [];
  #nextWriteId = 1;
  #pendingWrites: PendingWrite[] = [];
  #deferred: DeferredMessage[] = [];
  /** Highest position known committed in this journal; may be ahead of what is durable here. */
  #commitKnown: number;

  /** Throws OtherCluster when the configured replicas aren't the members. */
  constructor(options: ReplicaOptions) {
    const { members, replicas } = options;
    const refusal = otherMembers(`the journal of order-${options.id}`, members, replicas);
    if (refusal !== null) throw new OtherCluster(refusal); // X4
    invariant(replicas.includes(options.id), "a replica is one of the configured ones", {
      id: options.id,
      replicas,
    });
    this.id = options.id;
    this.incarnation = options.incarnation;
    this.#members = members;
    this.peers = replicas.filter((replica) => replica !== options.id);
    this.quorum = Math.floor(replicas.length / 2) + 1;
    this.messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
    this.log = new EntryLog(options.stored);
    this.admissions = new Admissions(options.stored.admissions());
    this.hardState = options.hardState;
    this.epochSeen = options.hardState.promise.epoch;
    invariant(options.applied <= this.log.last.position, "applied <= last", {
      applied: options.applied,
      last: this.log.last.position,
    });
    this.commit = options.applied;
    this.#commitKnown = options.applied;
    this.#judge = options.judge;
    this.judgeAnew(this.log.last.position);
    this.#voteIfAdmitted();
  }

  takeEffects(): readonly ReplicaEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: ReplicaEffect): void {
    this.#effects.push(effect);
  }

  /** Sends at once. For messages that promise nothing. */
  send(to: ReplicaId, message: Message): void {
    this.#effects.push({ kind: "send", to, message });
  }

  /** Sends once every write issued so far is durable. */
  sendDurably(to: ReplicaId, message: Message): void {
    const newest = this.#pendingWrites.at(-1);
    if (newest)
      this.#deferred.push({ afterWrite: newest.id, to, message }); // X1
    else this.send(to, message);
  }

  /** Stores a promise, in force at once. */
  promise(epoch: number, nominee: ReplicaId): void {
    const { promise } = this.hardState;
    if (promise.epoch === epoch && promise.nominee === nominee) return;
    invariant(epoch >= promise.epoch, "a promise never goes back", {
      epoch,
      promised: promise.epoch,
    }); // X2
    this.epochSeen = Math.max(this.epochSeen, epoch);
    this.#persist({ hardState: { ...this.hardState, promise: { epoch, nominee } } });
  }

  /** From now on this replica answers prepares: its admission is committed. */
  becomeVoter(): void {
    this.#persist({ hardState: { ...this.hardState, voter: true } });
  }

  /** Appends new entries at the end. */
  append(entries: readonly Entry[]): void {
    this.#append(entries, {});
  }

  /** What this journal amounts to. */
  summary(): string {
    return this.#judge.summary();
  }

  /** The judge's state is that after the entry at `through` again, from what is on disk (X3). */
  judgeAnew(through: number): void {
    let position = this.#judge.rewind();
    while (position < through) {
      const entries = this.log
        .entriesAfter(position, MESSAGE_BYTES_MAX)
        .filter((entry) => entry.position <= through);
      const misfit = this.#judge.take(entries);
      if (misfit !== null) throw this.#judge.damage(misfit);
      position += entries.length;
    }
  }

  /** Why these can't be in this journal from `from` on; null when they can. */
  #judgeFresh(from: number, fresh: readonly Entry[]): Misfit | null {
    const last = this.log.last.position;
    if (from <= last) this.judgeAnew(from - 1);
    const misfit = this.#judge.take(fresh);
    if (misfit !== null) this.judgeAnew(last);
    return misfit;
  }

  /**
   * Stores entries that follow `prevPosition`, dropping what differs; none of
   * them if one can't follow, which is returned. `prevPosition` must match already.
   */
  store(prevPosition: number, entries: readonly Entry[]): Misfit | null {
    // Only the first entry whose epoch differs ends what we have: a late, short
    // message must not cut off a tail that it simply doesn't reach.
    const firstNew = entries.findIndex(
      (entry) =>
        entry.position > this.log.last.position || this.log.epochAt(entry.position) !== entry.epoch,
    );
    const held = firstNew === -1 ? entries : entries.slice(0, firstNew);
    if (held.length > 0) this.emit({ kind: "already-held", entries: held });
    if (firstNew === -1) return null;
    const fresh = entries.slice(firstNew);
    const from = prevPosition + firstNew + 1;
    const last = this.log.last.position;
    invariant(from > last || from > this.commit, "a committed entry is never dropped", {
      from,
      commit: this.commit,
    });
    const misfit = this.#judgeFresh(from, fresh);
    if (misfit !== null) return misfit; // X3
    if (from <= last) {
      this.log.truncateFrom(from);
      this.admissions.truncateFrom(from);
      for (const write of this.#pendingWrites) write.position = Math.min(write.position, from - 1);
      this.emit({ kind: "truncated", from, through: last });
      this.#append(fresh, { truncateFrom: from });
    } else {
      this.#append(fresh, {});
    }
    this.emit({ kind: "stored", entries: fresh });
    return null;
  }

  #append(entries: readonly Entry[], write: Write): void {
    this.log.append(entries);
    for (const { position, body } of entries) {
      if (body.kind === "admit") {
        this.admissions.add({ position, replica: body.replica, incarnation: body.incarnation });
      }
      if (body.kind === "members") {
        invariant(areSameMembers(body.members, this.#members), "the journal is of our members", {
          journal: body.members,
          members: this.#members,
        }); // X4
      }
    }
    this.#persist({ ...write, entries });
  }

  #persist(write: Write): void {
    if (write.hardState) this.hardState = write.hardState;
    const id = this.#nextWriteId;
    this.#nextWriteId += 1;
    this.#pendingWrites.push({ id, position: this.log.last.position, hardState: this.hardState });
    this.#effects.push({ kind: "persist", id, write });
  }

  /** The writes through `id` are durable. */
  persisted(id: number): void {
    let position = this.log.durable;
    let done = 0;
    for (const write of this.#pendingWrites) {
      if (write.id > id) break;
      position = Math.max(position, write.position);
      done += 1;
    }
    this.#pendingWrites = this.#pendingWrites.slice(done);
    this.log.setDurable(position);
    let sent = 0;
    for (const deferred of this.#deferred) {
      if (deferred.afterWrite > id) break;
      sent += 1;
      const { message } = deferred;
      // A newer promise was made meanwhile: what was said under the old one is void.
      if ("epoch" in message && message.epoch < this.hardState.promise.epoch) continue;
      this.send(deferred.to, message);
    }
    this.#deferred = this.#deferred.slice(sent);
    this.#advanceCommit();
  }

  /** `position` of this very journal is committed. */
  learnCommit(position: number): void {
    invariant(position <= this.log.last.position, "commit <= last", {
      position,
      last: this.log.last.position,
    }); // R1
    this.#commitKnown = Math.max(this.#commitKnown, position);
    this.#advanceCommit();
  }

  #advanceCommit(): void {
    const commit = Math.min(this.#commitKnown, this.log.durable);
    if (commit <= this.commit) return;
    this.commit = commit;
    this.emit({ kind: "committed", position: commit });
    this.#voteIfAdmitted();
  }

  /** A replacement votes once an entry that admits it is committed. */
  #voteIfAdmitted(): void {
    if (this.hardState.voter) return;
    const own = this.admissions.of(this.id);
    const isAdmitted = own.position > 0 && own.incarnation === this.incarnation;
    if (isAdmitted && own.position <= this.commit) this.becomeVoter();
  }
}
