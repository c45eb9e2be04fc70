// One replica's share of the replication protocol, as a pure step function.
//
// step(time, event) takes a message, a tick or a finished write and returns
// effects: messages to send, entries to make durable, positions committed. It
// never waits, so what is asserted on entry still holds on return. Multi-Paxos
// with a nominated leader, close to Viewstamped Replication and Raft.
//
//   R1. commit <= last; the promise and the commit position never go back.
//   R2. Nothing is acknowledged before it is durable: no promise, no ack.
//   R3. One leader an epoch; two journals with the same (position, epoch) are
//       the same up to there.
//   R4. A committed entry is in every later leader's journal.
//   R5. An entry that can't follow what is before it, by the judge, is never
//       acknowledged. Who refuses one follows its leader no more in that epoch,
//       and the leader goes on if it has a quorum without it. Both then compare
//       their files with their journals; a leader that had no quorum left
//       doesn't stand before that.
//
// A phase owns what only it needs: following, standing (candidacy.ts), leading
// (leadership.ts). What all share is in context.ts. Longer than 400 lines because
// it is what a replica does in every phase, each message once.

import { invariant } from "../invariant.ts";
import { Candidacy, type CandidacyStep } from "./candidacy.ts";
import { ReplicaContext, type ReplicaOptions } from "./context.ts";
import type { LeadResult, ReplicaEffect, ReplicaEvent, StepTime } from "./events.ts";
import type { Misfit } from "./judge.ts";
import { Leadership } from "./leadership.ts";
import {
  CANDIDACY_TICK_MS,
  GO_BACK_ENTRIES_MAX,
  HEARTBEAT_MS,
  LEADER_SILENCE_MS,
  PROMISE_REST_MS,
  WORDS_MAX,
} from "./limits.ts";
import type { Entry, Envelope, Message, ReplicaId } from "./types.ts";

interface Following {
  readonly kind: "following";
  /** Whom it has had an append from, in the epoch it has promised; null if nobody yet. */
  readonly leader: ReplicaId | null;
  /** When the leader was heard last. */
  heardAt: number;
}

type Phase = Following | Candidacy | Leadership;

/** Where a replica stands, for health answers and people. */
export interface ReplicaStatus {
  readonly phase: Phase["kind"];
  /** Leading, with its reign committed: it may decide. */
  readonly leads: boolean;
  /** Whom it hears, or itself while leading; null when it hears nobody. */
  readonly leader: ReplicaId | null;
  readonly epoch: number;
  readonly lastPosition: number;
  readonly durablePosition: number;
  readonly commitPosition: number;
  readonly voter: boolean;
  /** Monotonic milliseconds; null unless it leads. */
  readonly reign: {
    /** When it won, the quorum's promises being at most a little older. */
    readonly wonAt: number;
    /** When the newest round began that a quorum acknowledged; -Infinity before the first. */
    readonly confirmedAt: number;
  } | null;
}

export class Replica {
  readonly #context: ReplicaContext;
  #phase: Phase = { kind: "following", leader: null, heardAt: Number.NEGATIVE_INFINITY };
  #tokens = 0;
  /** The epoch whose leader this replica won't follow, and why. */
  #refusing: { readonly epoch: number; readonly misfit: Misfit } | null = null;
  /** Others refused what this replica led with, and its files haven't been verified since. */
  #isDoubted = false;
  /** Someone waits for a lead-outcome. */
  #leadAsked = false;

  /** A restarted replica follows; it never resumes an epoch. */
  constructor(options: ReplicaOptions) {
    this.#context = new ReplicaContext(options);
  }

  /** Entries of the journal after `position`, about `bytesMax` bytes, at least one if there is any. */
  entriesAfter(position: number, bytesMax: number): readonly Entry[] {
    return this.#context.log.entriesAfter(position, bytesMax);
  }

  status(): ReplicaStatus {
    const { hardState, log, commit } = this.#context;
    const phase = this.#phase;
    const heard = phase.kind === "following" && this.#hearsLeader() ? phase.leader : null;
    return {
      phase: phase.kind,
      leads: phase.kind === "leading" && phase.opened,
      leader: phase.kind === "leading" ? this.#context.id : heard,
      epoch: hardState.promise.epoch,
      lastPosition: log.last.position,
      durablePosition: log.durable,
      commitPosition: commit,
      voter: hardState.voter,
      reign:
        phase.kind === "leading" ? { wonAt: phase.wonAt, confirmedAt: phase.confirmedAt } : null,
    };
  }

  /** How often a tick is of use now, milliseconds. */
  get tickMs(): number {
    return this.#phase.kind === "standing" ? CANDIDACY_TICK_MS : HEARTBEAT_MS;
  }

  step(time: StepTime, event: ReplicaEvent): readonly ReplicaEffect[] {
    const context = this.#context;
    const before = { promise: context.hardState.promise.epoch, commit: context.commit };
    invariant(time.now >= context.now, "the clock is monotonic", {
      now: time.now,
      before: context.now,
    });
    context.now = time.now;
    context.wallMs = time.wallMs;
    this.#handle(event);
    this.#answerIfOpened();
    invariant(
      context.hardState.promise.epoch >= before.promise,
      "the promise never goes back",
      before,
    ); // R1
    invariant(context.commit >= before.commit, "the commit position never goes back", before); // R1
    invariant(
      context.commit <= context.log.durable && context.log.durable <= context.log.last.position,
      "commit <= durable <= last",
      { commit: context.commit, durable: context.log.durable },
    ); // R1
    return context.takeEffects();
  }

  #handle(event: ReplicaEvent): void {
    const context = this.#context;
    const phase = this.#phase;
    switch (event.kind) {
      case "receive":
        this.#receive(event.envelope);
        break;
      case "tick":
        if (phase.kind === "leading" && !phase.tick()) this.#follow(null);
        if (phase.kind === "standing") this.#advance(phase.tick());
        break;
      case "persisted":
        context.persisted(event.id);
        if (phase.kind === "leading") phase.persisted();
        break;
      case "connected":
        context.connected.add(event.peer);
        if (phase.kind === "leading") phase.connected(event.peer);
        break;
      case "disconnected":
        context.connected.delete(event.peer);
        if (phase.kind === "leading") phase.disconnected(event.peer);
        if (phase.kind === "standing") this.#advance(phase.disconnected(event.peer));
        break;
      case "lead":
        this.#leadAsked = true;
        this.#stand();
        break;
      case "append":
        invariant(phase.kind === "leading", "only a leader appends", { phase: phase.kind });
        phase.append(event.commands);
        break;
      case "verified":
        this.#isDoubted = false;
        this.#refusing = null;
        // A reign decides on the state there is.
        if (phase.kind !== "leading") context.judgeAnew(context.log.last.position);
        break;
      case "round":
        if (phase.kind === "leading") phase.round(event.confirm);
        else if (event.confirm !== null) {
          context.emit({ kind: "confirmed", token: event.confirm, leads: false });
        }
        break;
    }
  }

  // ---- standing for leader

  #stand(): void {
    const context = this.#context;
    const phase = this.#phase;
    if (phase.kind !== "following") return; // joins the candidacy, or is answered at once when it leads
    if (!context.hardState.voter) {
      this.#settleLead({ kind: "lost", reason: "not admitted yet" });
      return;
    }
    if (this.#isDoubted) {
      this.#settleLead({
        kind: "lost",
        reason: "its entries were refused, and it checks its file",
      });
      return;
    }
    if (this.#hearsLeader()) {
      const leader = phase.leader ?? context.id;
      this.#settleLead({ kind: "follows", leader, epoch: context.hardState.promise.epoch });
      return;
    }
    this.#tokens += 1;
    const candidacy = new Candidacy(context, this.#tokens);
    this.#phase = candidacy;
    this.#advance(candidacy.begin());
  }

  #advance(step: CandidacyStep): void {
    switch (step.kind) {
      case "wait":
        return;
      case "won":
        this.#phase = new Leadership(this.#context, step.epoch);
        return;
      case "lost":
        this.#follow(null);
        this.#settleLead({ kind: "lost", reason: step.reason });
        return;
      case "follow":
        this.#follow(null);
        this.#settleLead({ kind: "follows", leader: step.leader, epoch: step.epoch });
        return;
    }
  }

  #settleLead(outcome: LeadResult): void {
    if (!this.#leadAsked) return;
    this.#leadAsked = false;
    this.#context.emit({ kind: "lead-outcome", outcome });
  }

  #answerIfOpened(): void {
    const phase = this.#phase;
    if (phase.kind === "leading" && phase.opened)
      this.#settleLead({ kind: "leading", epoch: phase.epoch });
  }

  /** Ends whatever phase it is in and follows; `leader` null if it knows none. */
  #follow(leader: ReplicaId | null): void {
    const context = this.#context;
    const phase = this.#phase;
    if (phase.kind === "leading") {
      phase.end();
      if (phase.isDoubted) {
        this.#isDoubted = true;
        context.emit({ kind: "verify" });
      }
    }
    this.#phase = { kind: "following", leader, heardAt: context.now };
    if (leader !== null) {
      this.#settleLead({ kind: "follows", leader, epoch: context.hardState.promise.epoch });
    } else if (phase.kind === "leading") {
      this.#settleLead({ kind: "lost", reason: "stepped down" });
    }
  }

  #hearsLeader(): boolean {
    const phase = this.#phase;
    if (phase.kind !== "following" || phase.leader === null) return false;
    const { connected, now } = this.#context;
    return connected.has(phase.leader) && now - phase.heardAt < LEADER_SILENCE_MS;
  }

  // ---- messages

  #receive(envelope: Envelope): void {
    const { from, message } = envelope;
    const context = this.#context;
    if (!context.peers.includes(from)) return;
    // Of a replica whose disk was lost, only the newest incarnation is listened to.
    if (envelope.incarnation < context.admissions.of(from).incarnation) return;
    const phase = this.#phase;
    switch (message.kind) {
      case "canvass":
        this.#answerCanvass(from, message.token);
        break;
      case "prepare":
        this.#prepare(from, message.epoch);
        break;
      case "fetch":
        this.#answerFetch(from, message);
        break;
      case "append":
        this.#append(from, message);
        break;
      case "canvass-answer":
        if (phase.kind === "standing") this.#advance(phase.canvassAnswered(from, message));
        break;
      case "promise":
        if (phase.kind === "standing") this.#advance(phase.promised(envelope, message));
        break;
      case "fetched":
        if (phase.kind === "standing") this.#advance(phase.fetched(from, message));
        break;
      case "ack":
        if (phase.kind === "leading") phase.acknowledged(envelope, message);
        break;
      case "misfit":
        if (phase.kind === "leading" && phase.epoch === message.epoch) {
          if (!phase.refused(from, message)) this.#follow(null);
        }
        break;
      case "refuse":
        context.epochSeen = Math.max(context.epochSeen, message.epoch);
        if (phase.kind === "standing") this.#advance(phase.refused(message.epoch));
        if (phase.kind === "leading" && message.epoch > phase.epoch) this.#follow(null);
        break;
    }
  }

  #answerCanvass(from: ReplicaId, token: number): void {
    const context = this.#context;
    const { promise, voter } = context.hardState;
    const phase = this.#phase;
    const hears = this.#hearsLeader();
    const leads = phase.kind === "leading";
    const rests = promise.nominee !== from && context.now - context.promisedAt < PROMISE_REST_MS;
    context.send(from, {
      kind: "canvass-answer",
      token,
      willing: voter && !hears && !leads && !rests,
      epoch: promise.epoch,
      leader: leads ? context.id : hears && phase.kind === "following" ? phase.leader : null,
    });
  }

  #prepare(from: ReplicaId, epoch: number): void {
    const context = this.#context;
    const { promise, voter } = context.hardState;
    // A replacement has forgotten what its predecessor promised: it can't promise.
    if (!voter) return;
    if (epoch < promise.epoch || (epoch === promise.epoch && promise.nominee !== from)) {
      context.send(from, { kind: "refuse", epoch: promise.epoch });
      return;
    }
    if (epoch > promise.epoch) {
      this.#endOlderReign(null);
      context.promise(epoch, from);
      context.promisedAt = context.now;
    }
    const { last } = context.log;
    context.sendDurably(from, {
      kind: "promise",
      epoch,
      lastEpoch: last.epoch,
      lastPosition: last.position,
    }); // R2
  }

  /** A higher epoch shows: whatever this replica was in a lower one, it is no more. */
  #endOlderReign(leader: ReplicaId | null): void {
    const standing = this.#phase.kind === "standing";
    this.#follow(leader);
    if (standing && leader === null)
      this.#settleLead({ kind: "lost", reason: "a higher epoch was promised" });
  }

  #answerFetch(from: ReplicaId, fetch: Extract<Message, { kind: "fetch" }>): void {
    const context = this.#context;
    const { promise } = context.hardState;
    // Fenced: were the promise another by now, a later leader's entries could
    // slip into the journal of one who won earlier.
    if (promise.epoch !== fetch.epoch || promise.nominee !== from) {
      context.send(from, { kind: "refuse", epoch: promise.epoch });
      return;
    }
    const { epoch, prevPosition, prevEpoch } = fetch;
    const goBackTo = this.#goBack(prevPosition, prevEpoch, 0);
    const entries =
      goBackTo === null ? context.log.entriesAfter(prevPosition, context.messageBytesMax) : [];
    context.sendDurably(from, {
      kind: "fetched",
      epoch,
      prevPosition,
      prevEpoch,
      goBackTo,
      entries,
    });
  }

  /**
   * Null if the journal holds (prevPosition, prevEpoch); else a position, not
   * below `floor`, up to which the two may agree.
   */
  #goBack(prevPosition: number, prevEpoch: number, floor: number): number | null {
    const { log } = this.#context;
    if (prevPosition > log.last.position) return log.last.position;
    const epoch = log.epochAt(prevPosition);
    if (epoch === prevEpoch) return null;
    // Skip the whole differing epoch (Raft §5.3, end), within reason.
    const lowest = Math.max(floor, prevPosition - GO_BACK_ENTRIES_MAX, 0);
    let position = prevPosition - 1;
    while (position > lowest && log.epochAt(position) === epoch) position -= 1;
    return position;
  }

  #append(from: ReplicaId, append: Extract<Message, { kind: "append" }>): void {
    const context = this.#context;
    const { promise } = context.hardState;
    const { epoch, round, prevPosition, prevEpoch, entries } = append;
    if (epoch < promise.epoch) {
      context.send(from, { kind: "refuse", epoch: promise.epoch });
      return;
    }
    if (this.#refusing?.epoch === epoch) {
      context.send(from, { kind: "misfit", epoch, ...this.#refusing.misfit });
      return;
    }
    const phase = this.#phase;
    invariant(phase.kind !== "leading" || epoch > phase.epoch, "one leader an epoch", {
      epoch,
      from,
    }); // R3
    const known = phase.kind === "following" && phase.leader === from && epoch === promise.epoch;
    if (known) {
      phase.heardAt = context.now;
    } else {
      // An append proves that its sender won: follow it, also where this epoch
      // had been promised to a nominee who, then, can't win any more.
      if (epoch > promise.epoch) context.promise(epoch, from);
      this.#endOlderReign(from);
      const behind = Math.max(0, prevPosition + entries.length - context.log.last.position);
      context.emit({ kind: "following", leader: from, epoch, behind });
    }
    const goBackTo = this.#goBack(prevPosition, prevEpoch, context.commit);
    if (goBackTo !== null) {
      invariant(prevPosition > context.commit, "committed journals are the same", {
        prevPosition,
        prevEpoch,
      }); // R4
      context.sendDurably(from, { kind: "ack", epoch, round, position: 0, goBackTo });
      return;
    }
    const misfit = context.store(prevPosition, entries);
    if (misfit !== null) {
      this.#refuse(from, epoch, misfit);
      return;
    }
    const position = prevPosition + entries.length;
    context.learnCommit(Math.min(append.commit, position));
    // The position of this message, not our own last: what follows it here may differ there.
    context.sendDurably(from, { kind: "ack", epoch, round, position, goBackTo: null }); // R2
  }
  /** R5: whoever is wrong, it can't be followed; it hears so until its epoch is over. */
  #refuse(from: ReplicaId, epoch: number, { position, reason }: Misfit): void {
    const context = this.#context;
    const misfit = { position, reason: reason.slice(0, WORDS_MAX) };
    this.#refusing = { epoch, misfit };
    this.#follow(null);
    context.promisedAt = Number.NEGATIVE_INFINITY; // the next nominee isn't kept waiting
    context.emit({ kind: "refuses", from, misfit });
    context.emit({ kind: "verify" });
    context.send(from, { kind: "misfit", epoch, ...misfit });
  }
}
