// A nominee's way to an epoch: canvass, prepare, fetch, win.
//
//   B1. Nobody is disturbed before a quorum is willing: the canvass stores
//       nothing (Raft, PreVote, Ongaro's thesis §9.6).
//   B2. `prepare` goes out only once the own promise is durable, and the epoch
//       is above all that were seen; so a nominee never asks twice for one epoch
//       with a forgotten promise in between.
//   B3. It wins only with the best journal of a quorum of promises: what was
//       committed is in one of them, and the best holds it (R4).
//   B4. Fetched entries keep their epoch: restamped ones could outrank what a
//       quorum holds.
//   B5. Promises are counted by the incarnations that its journal admits *after*
//       the fetch: the fetch may bring an admission.
//   B6. A peer whose entries can't follow here is not counted: who wins without
//       it has what is committed, since a quorum promised (R5).

import type { ReplicaContext } from "./context.ts";
import { atLeastAsGood, type LogPoint } from "./entry-log.ts";
import { CANVASS_MS, FETCH_PROGRESS_MS, PREPARE_MS } from "./limits.ts";
import type { Envelope, Incarnation, Message, ReplicaId } from "./types.ts";

/** What a candidacy wants done next. */
export type CandidacyStep =
  | { readonly kind: "wait" }
  | { readonly kind: "won"; readonly epoch: number }
  | { readonly kind: "lost"; readonly reason: string }
  /** A quorum hears this leader: follow it, or ask through who does. */
  | { readonly kind: "follow"; readonly leader: ReplicaId; readonly epoch: number };

const WAIT: CandidacyStep = { kind: "wait" };

interface ReceivedPromise {
  readonly incarnation: Incarnation;
  readonly last: LogPoint;
}

type Stage =
  | {
      readonly kind: "canvassing";
      readonly willing: Set<ReplicaId>;
      readonly unwilling: Set<ReplicaId>;
      /** Whom the newest refusal named. */
      heard: { readonly leader: ReplicaId; readonly epoch: number } | null;
    }
  | { readonly kind: "preparing" }
  | {
      readonly kind: "fetching";
      readonly from: ReplicaId;
      readonly until: LogPoint;
      /** The position that the one request under way asks to go on from. */
      after: number;
    };

export class Candidacy {
  readonly kind = "standing";
  /** Names this candidacy in its canvass; answers to earlier ones are ignored. */
  readonly token: number;
  readonly #context: ReplicaContext;
  #stage: Stage;
  /** Set once prepared. */
  #epoch = 0;
  #promises = new Map<ReplicaId, ReceivedPromise>();
  /** Whose journals can't be followed (B6). */
  readonly #unfit = new Set<ReplicaId>();
  /** When the present stage began, or last got on. */
  #progressAt: number;

  constructor(context: ReplicaContext, token: number) {
    this.#context = context;
    this.token = token;
    this.#progressAt = context.now;
    this.#stage = { kind: "canvassing", willing: new Set(), unwilling: new Set(), heard: null };
  }

  begin(): CandidacyStep {
    for (const peer of this.#context.peers) {
      this.#context.send(peer, { kind: "canvass", token: this.token });
    }
    return this.#prepareIfWilling();
  }

  tick(): CandidacyStep {
    const waitedMs = this.#context.now - this.#progressAt;
    const limitMs = { canvassing: CANVASS_MS, preparing: PREPARE_MS, fetching: FETCH_PROGRESS_MS };
    if (waitedMs <= limitMs[this.#stage.kind]) return WAIT;
    return { kind: "lost", reason: `no quorum answered while ${this.#stage.kind}` };
  }

  disconnected(peer: ReplicaId): CandidacyStep {
    if (this.#stage.kind === "canvassing") return this.#loseIfHopeless();
    if (this.#stage.kind !== "fetching" || this.#stage.from !== peer) return WAIT;
    return { kind: "lost", reason: `the connection to ${peer} closed during the fetch` };
  }

  canvassAnswered(
    from: ReplicaId,
    answer: Extract<Message, { kind: "canvass-answer" }>,
  ): CandidacyStep {
    const context = this.#context;
    context.epochSeen = Math.max(context.epochSeen, answer.epoch);
    if (this.#stage.kind !== "canvassing" || answer.token !== this.token) return WAIT;
    if (answer.willing) {
      this.#stage.willing.add(from);
      return this.#prepareIfWilling();
    }
    this.#stage.unwilling.add(from);
    if (answer.leader !== null && answer.leader !== context.id) {
      this.#stage.heard = { leader: answer.leader, epoch: answer.epoch };
    }
    return this.#loseIfHopeless();
  }

  /**
   * Ends a canvass that can't have a quorum any more, so that another nominee is
   * tried at once: a peer without a connection, the leader that just died say,
   * won't answer, and waiting for it would be most of a fail-over.
   */
  #loseIfHopeless(): CandidacyStep {
    const { connected, peers, quorum } = this.#context;
    const stage = this.#stage;
    if (stage.kind !== "canvassing") return WAIT;
    const hopeful = peers.filter(
      (peer) => stage.willing.has(peer) || (connected.has(peer) && !stage.unwilling.has(peer)),
    );
    if (hopeful.length + 1 >= quorum) return WAIT;
    if (stage.heard !== null) return { kind: "follow", ...stage.heard };
    return { kind: "lost", reason: "no quorum is willing" };
  }

  #prepareIfWilling(): CandidacyStep {
    const context = this.#context;
    if (this.#stage.kind !== "canvassing" || this.#stage.willing.size + 1 < context.quorum)
      return WAIT; // B1
    this.#epoch = Math.max(context.epochSeen, context.hardState.promise.epoch) + 1;
    this.#stage = { kind: "preparing" };
    this.#progressAt = context.now;
    context.promise(this.#epoch, context.id);
    context.promisedAt = context.now;
    for (const peer of context.peers) {
      context.sendDurably(peer, { kind: "prepare", epoch: this.#epoch }); // B2
    }
    return this.#winIfPromised();
  }

  promised(envelope: Envelope, promise: Extract<Message, { kind: "promise" }>): CandidacyStep {
    if (this.#stage.kind === "canvassing" || promise.epoch !== this.#epoch) return WAIT;
    if (this.#unfit.has(envelope.from)) return WAIT; // B6
    this.#promises.set(envelope.from, {
      incarnation: envelope.incarnation,
      last: { position: promise.lastPosition, epoch: promise.lastEpoch },
    });
    return this.#stage.kind === "preparing" ? this.#winIfPromised() : WAIT;
  }

  refused(epoch: number): CandidacyStep {
    const context = this.#context;
    context.epochSeen = Math.max(context.epochSeen, epoch);
    if (this.#stage.kind === "canvassing" || epoch < this.#epoch) return WAIT;
    return { kind: "lost", reason: `epoch ${epoch} was promised to another` };
  }

  /** Wins if a quorum promised and ours is the best journal; else fetches from who has the best. */
  #winIfPromised(): CandidacyStep {
    const { admissions, log, quorum } = this.#context;
    // A newer incarnation than our journal admits may be one that the fetch will bring.
    const candidates = [...this.#promises].filter(
      ([peer, { incarnation }]) => incarnation >= admissions.of(peer).incarnation,
    );
    if (candidates.length + 1 < quorum) return WAIT;
    let best: LogPoint = log.last;
    let holder: ReplicaId | null = null;
    for (const [peer, { last }] of candidates) {
      if (atLeastAsGood(best, last)) continue;
      best = last;
      holder = peer;
    }
    if (holder !== null) {
      this.#stage = { kind: "fetching", from: holder, until: best, after: log.last.position };
      this.#progressAt = this.#context.now;
      this.#fetchAfter(log.last.position);
      return WAIT;
    }
    const counted = candidates.filter(
      ([peer, { incarnation }]) => incarnation === admissions.of(peer).incarnation, // B5
    );
    if (counted.length + 1 < quorum) return WAIT;
    // Only voters promise: their admissions are committed, whether we had been told or not.
    for (const [peer] of counted) this.#context.learnCommit(admissions.of(peer).position);
    return { kind: "won", epoch: this.#epoch }; // B3
  }

  #fetchAfter(position: number): void {
    if (this.#stage.kind !== "fetching") return;
    this.#stage.after = position;
    this.#context.send(this.#stage.from, {
      kind: "fetch",
      epoch: this.#epoch,
      prevPosition: position,
      prevEpoch: this.#context.log.epochAt(position),
    });
  }

  fetched(from: ReplicaId, answer: Extract<Message, { kind: "fetched" }>): CandidacyStep {
    const stage = this.#stage;
    const context = this.#context;
    const { log } = context;
    if (stage.kind !== "fetching" || stage.from !== from || answer.epoch !== this.#epoch)
      return WAIT;
    // A repeated answer: each asks for the next piece, and repeats of those would double it again.
    if (answer.prevPosition !== stage.after) return WAIT;
    if (answer.goBackTo !== null) {
      if (answer.goBackTo >= answer.prevPosition)
        return { kind: "lost", reason: `${from} sends what makes no sense` };
      this.#progressAt = context.now;
      this.#fetchAfter(Math.min(answer.goBackTo, log.last.position));
      return WAIT;
    }
    // What it follows may have been replaced meanwhile.
    if (
      answer.prevPosition > log.last.position ||
      log.epochAt(answer.prevPosition) !== answer.prevEpoch
    )
      return WAIT;
    if (answer.entries.length === 0)
      return { kind: "lost", reason: `${from} has nothing after ${answer.prevPosition}` };
    const misfit = context.store(answer.prevPosition, answer.entries); // B4
    this.#progressAt = context.now;
    if (misfit !== null) {
      context.emit({ kind: "refuses", from, misfit });
      context.emit({ kind: "verify" });
      this.#unfit.add(from);
      this.#promises.delete(from); // B6
      this.#stage = { kind: "preparing" };
      return this.#winIfPromised();
    }
    if (!atLeastAsGood(log.last, stage.until)) {
      this.#fetchAfter(answer.prevPosition + answer.entries.length);
      return WAIT;
    }
    this.#stage = { kind: "preparing" };
    return this.#winIfPromised();
  }
}
