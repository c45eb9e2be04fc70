// What a leader knows of one follower, and what it sends it next.
//
//   P1. match <= next - 1: everything through match is durable there.
//   P2. A round of an ack is the round that this very append was sent in, never
//       a later one.
//   P3. What is committed already nobody waits for: while trades are decided, a
//       follower that lacks it gets it piece by piece, with rests between them.
//
// While probing, the leader doesn't know where the journals part; it sends one
// piece and waits. Once that matched it streams: next runs ahead of match.

import { FIRST_INCARNATION } from "./admissions.ts";
import type { ReplicaContext } from "./context.ts";
import { entryBytes } from "./entry-log.ts";
import {
  CATCH_UP_REST_FACTOR,
  CATCH_UP_REST_MS_MAX,
  CATCH_UP_TURN_MS,
  IN_FLIGHT_BYTES_MAX,
  PROBE_AGAIN_MS,
} from "./limits.ts";
import type { Entry, Incarnation, Message, ReplicaId } from "./types.ts";

interface InFlight {
  readonly position: number;
  readonly bytes: number;
  readonly sentAt: number;
  /** How many turns the leader had decided by then. */
  readonly decided: number;
}

export class FollowerProgress {
  readonly peer: ReplicaId;
  incarnation: Incarnation = FIRST_INCARNATION;
  /** Everything through here is durable there. */
  match = 0;
  /** The newest round it acknowledged. */
  round = 0;
  readonly #context: ReplicaContext;
  /** Position of the next entry to send. */
  #next: number;
  #probing = true;
  /** When a probe with entries was sent; -Infinity if none is out. */
  #probeAt = Number.NEGATIVE_INFINITY;
  #inFlight: InFlight[] = [];
  #inFlightBytes = 0;
  /** It gets no committed entries until then; -Infinity while no trades would feel it. P3 */
  #restsUntil = Number.NEGATIVE_INFINITY;

  /** `last` is a guess at where its journal ends. */
  constructor(context: ReplicaContext, peer: ReplicaId, last: number) {
    this.#context = context;
    this.peer = peer;
    this.#next = last + 1;
    this.incarnation = context.admissions.of(peer).incarnation;
  }

  /** Forgets what is under way: the connection closed, or something got lost. */
  probe(): void {
    if (!this.#probing) this.#next = this.match + 1;
    this.#probing = true;
    this.#probeAt = Number.NEGATIVE_INFINITY;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
  }

  /** Whether to listen to this incarnation; a newer one starts from nothing. */
  hear(incarnation: Incarnation): boolean {
    if (incarnation < this.incarnation) return false;
    if (incarnation > this.incarnation) {
      this.incarnation = incarnation;
      this.match = 0;
      this.round = 0;
      this.probe();
    }
    return true;
  }

  /** One append for this round, with what entries it may have now. */
  sendRound(epoch: number, round: number): void {
    if (!this.#context.connected.has(this.peer)) return;
    if (this.#probing) {
      const { now } = this.#context;
      const again = now - this.#probeAt >= PROBE_AGAIN_MS;
      const entries = again ? this.#nextEntries() : [];
      if (entries.length > 0) this.#probeAt = now;
      this.#send(epoch, round, entries);
      return;
    }
    this.#send(epoch, round, this.#mayTakeMore() ? this.#nextEntries() : []);
  }

  /** What is left to send and may be, beyond the append of the round. */
  sendMore(epoch: number, round: number): void {
    if (!this.#context.connected.has(this.peer)) return;
    if (this.#probing) {
      if (
        this.#probeAt === Number.NEGATIVE_INFINITY &&
        this.#next <= this.#context.log.last.position
      ) {
        this.sendRound(epoch, round);
      }
      return;
    }
    // One piece for each answer: reading all that fits into flight at once could
    // keep the leader from its heartbeats.
    if (this.#next <= this.#context.log.last.position && this.#mayTakeMore()) {
      this.#send(epoch, round, this.#nextEntries());
    }
  }

  #mayTakeMore(): boolean {
    if (this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX) return false;
    const { commit, now } = this.#context;
    const isPaced = this.#next <= commit && this.#restsUntil !== Number.NEGATIVE_INFINITY;
    return !isPaced || (this.#inFlight.length === 0 && now >= this.#restsUntil); // P3
  }

  /** A piece is durable there: rests for a multiple of the time that it took, if trades went on meanwhile. P3 */
  #rest({ sentAt, decided }: InFlight): void {
    const { now, decided: decidedNow } = this.#context;
    const tookMs = now - sentAt;
    const isBusy = (decidedNow - decided) * CATCH_UP_TURN_MS > tookMs;
    const restMs = Math.min(CATCH_UP_REST_FACTOR * tookMs, CATCH_UP_REST_MS_MAX);
    this.#restsUntil = isBusy ? now + restMs : Number.NEGATIVE_INFINITY;
  }

  #nextEntries(): readonly Entry[] {
    const { log, messageBytesMax } = this.#context;
    return log.entriesAfter(this.#next - 1, messageBytesMax);
  }

  #send(epoch: number, round: number, entries: readonly Entry[]): void {
    const { log, commit } = this.#context;
    const prevPosition = this.#next - 1;
    const prevEpoch = log.epochAt(prevPosition);
    this.#context.send(this.peer, {
      kind: "append",
      epoch,
      round,
      prevPosition,
      prevEpoch,
      entries,
      commit,
    });
    if (this.#probing || entries.length === 0) return;
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    this.#next += entries.length;
    const { now: sentAt, decided } = this.#context;
    this.#inFlight.push({ position: this.#next - 1, bytes, sentAt, decided });
    this.#inFlightBytes += bytes;
  }

  /** Takes an answer in; true if more of the journal is durable there than was known. */
  acknowledge(ack: Extract<Message, { kind: "ack" }>): boolean {
    this.round = Math.max(this.round, ack.round); // P2
    if (ack.goBackTo !== null) {
      this.#goBack(ack.goBackTo);
      return false;
    }
    let landed = 0;
    for (const piece of this.#inFlight) {
      if (piece.position > ack.position) break;
      this.#inFlightBytes -= piece.bytes;
      this.#rest(piece);
      landed += 1;
    }
    if (landed > 0) this.#inFlight = this.#inFlight.slice(landed);
    if (this.#probing && ack.position >= this.#next - 1) {
      this.#probing = false;
      this.#next = ack.position + 1;
    }
    if (ack.position <= this.match) return false;
    this.match = ack.position;
    this.#next = Math.max(this.#next, this.match + 1); // P1
    return true;
  }

  #goBack(to: number): void {
    // Below match it can't mean anything: an old answer, overtaken.
    const next = Math.max(to, this.match) + 1;
    if (next >= this.#next && this.#probing) return;
    this.probe();
    this.#next = next;
  }
}
