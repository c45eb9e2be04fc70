// What an order replica serves, leading or following.
//
// It keeps the durable tables up with what the log commits, and answers: with a
// reign of its own while this replica leads, else by passing the question on to
// the leader, else by saying who to ask. Catalogs follow every replica all the
// time, so that a new leader knows at once whom to wait for.
//
//   R1. applied <= commit, and entries reach the tables in order, once each.

import type { Logger } from "pino";
import type { Following } from "../../core/coherence/leader-views.ts";
import { LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { Speakers } from "../../core/connection/names.ts";
import { invariant } from "../../core/invariant.ts";
import { decodeCommands } from "../../core/market/codec.ts";
import type { MarketState } from "../../core/market/state.ts";
import type { Command } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import { relayOf } from "../../core/service/relaying.ts";
import type { LogListener, ReplicatedLog } from "../../io/log/log.ts";
import type { Peer } from "../../io/rpc/types.ts";
import type { AskResult, Health, Question } from "../contract.ts";
import type { FollowQuestion, HeldAnswer } from "./catalog-feeds.ts";
import { Reign, type ReignTables } from "./reign.ts";
import type { ReignTimes } from "./reign-times.ts";
import { type PeerOf, Relay } from "./relay.ts";
import { TradeTrace } from "./trade-trace.ts";

/** The durable tables: io/journal's ledger. */
export interface ServiceTables extends ReignTables {
  /** Number of the newest order in the tables; 0 before the first. */
  readonly lastNumber: number;
  /** Remembers the commands of the next committed entry, to be written by flush(). */
  queue(position: number, commands: readonly Command[]): void;
}

/** Told how much is done together. */
export interface Batches {
  /** A call carried this many questions. */
  asked(questions: number): void;
  /** An entry with this many commands was committed. */
  committed(commands: number): void;
}

export interface ReplicaServiceOptions {
  readonly replica: number;
  /** All other replicas. */
  readonly others: readonly number[];
  /** Names of all configured catalogs. */
  readonly catalogs: readonly string[];
  readonly source: ReplicatedLog;
  readonly tables: ServiceTables;
  /** The market at the journal's end, as long as that isn't cut short. */
  readonly market: () => MarketState;
  readonly peerOf: PeerOf;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Whether it leads, or since when, has changed. */
  readonly onChange: () => void;
  /** Something broke that must stop the process. */
  readonly onBroken: (reason: unknown) => void;
  /** Told how much is done together. */
  readonly batches?: Batches;
  /** Told how long the parts of a new reign's turns take. */
  readonly times?: () => ReignTimes;
}

export class ReplicaService implements LogListener {
  readonly #options: ReplicaServiceOptions;
  readonly #relay: Relay;
  /** Catalogs, and what each had received when it said so last. */
  readonly #followers = new Map<Peer, number>();
  /** One process a configured catalog. */
  readonly #speakers = new Speakers<Peer>(LEASE_MS + LEASE_MARGIN_MS);
  /** Others of the same names, of which the log has told. */
  readonly #unheard = new WeakSet<Peer>();
  /** The reign of this replica; null while it doesn't lead. */
  #reign: Reign | null = null;
  #deliveredPosition: number;
  #lastNumber: number;

  constructor(options: ReplicaServiceOptions) {
    this.#options = options;
    this.#relay = new Relay(options.peerOf);
    this.#deliveredPosition = options.tables.appliedPosition;
    this.#lastNumber = options.tables.lastNumber;
  }

  /** Everything up to here is committed and was delivered. */
  get deliveredPosition(): number {
    return this.#deliveredPosition;
  }

  /** Number of the newest committed order. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Up to where clients may see; undefined while it doesn't lead. */
  get exposed(): number | undefined {
    return this.#reign?.exposed;
  }

  committed(entries: readonly CommittedEntry[]): void {
    for (const { position, command } of entries) {
      invariant(position === this.#deliveredPosition + 1, "R1: entries come one after another", {
        delivered: this.#deliveredPosition,
        position,
      });
      const commands = command === null ? [] : decodeCommands(command);
      if (command !== null) this.#options.batches?.committed(commands.length);
      this.#options.tables.queue(position, commands);
      this.#deliveredPosition = position;
      for (const each of commands) if (each.kind === "order") this.#lastNumber = each.number;
    }
    this.#reign?.committed(entries);
  }

  leading(epoch: number): void {
    const { replica, others, catalogs, source, tables, market, log, nowMs, onBroken } =
      this.#options;
    invariant(this.#reign === null, "one reign at a time", { epoch });
    this.#reign = new Reign({
      replica,
      epoch,
      source,
      market: market(),
      position: this.#deliveredPosition,
      tables,
      catalogs,
      followers: this.#followers,
      log,
      trace: log.isLevelEnabled("debug") ? new TradeTrace(log, others) : null,
      nowMs,
      onBroken,
      times: this.#options.times?.() ?? null,
    });
    log.info({ epoch, position: this.#deliveredPosition }, "Leading");
    this.#options.onChange();
  }

  deposed(): void {
    const { log, source, onChange } = this.#options;
    this.#reign?.close();
    this.#reign = null;
    const { epoch, leader } = source.status();
    log.warn({ epoch, leader }, "No longer leading");
    onChange();
  }

  /** Answers questions, or says who could. Never rejects. */
  ask(relayed: boolean, questions: readonly Question[]): Promise<AskResult> {
    const { source, replica, batches } = this.#options;
    batches?.asked(questions.length);
    if (this.#reign !== null) return this.#reign.ask(questions);
    const to = relayOf({ replica, leader: source.status().leader, relayed });
    if (typeof to !== "number") return Promise.resolve(to);
    return this.#relay.ask(to, questions);
  }

  /** A catalog says what it has received; while this replica leads, it sends it the rest, and may grant it a lease. */
  follow(peer: Peer, question: FollowQuestion): Following {
    const { source, catalogs } = this.#options;
    const { epoch } = source.status();
    const { role, name } = peer.identity;
    // A next leader presumes leases of the configured catalogs only: nobody else may have one.
    if (role !== "catalog" || !catalogs.includes(name)) return { leads: false, epoch, grant: null };
    if (!this.#speakers.speaks(name, peer, this.#options.nowMs())) {
      this.#refuse(peer);
      return { leads: false, epoch, grant: null };
    }
    this.#followers.set(peer, question.received);
    if (this.#reign === null) return { leads: false, epoch, grant: null };
    return { leads: true, epoch, grant: this.#reign.follow(peer, question) };
  }

  /** Another process has the same name, and was there first. */
  #refuse(peer: Peer): void {
    if (this.#unheard.has(peer)) return;
    this.#unheard.add(peer);
    const catalog = peer.identity.name;
    this.#options.log.warn(
      { catalog },
      "A second process of a catalog's name is not heard: stop one of them",
    );
  }

  /** A catalog tells of its progress. */
  held(peer: Peer, answer: HeldAnswer): void {
    if (!this.#followers.has(peer)) return;
    this.#followers.set(peer, answer.received);
    this.#reign?.held(peer, answer);
  }

  /** A connection closed, a catalog's or another. */
  unfollow(peer: Peer): void {
    this.#speakers.left(peer.identity.name, peer, this.#options.nowMs());
    if (this.#followers.delete(peer)) this.#reign?.unfollow(peer);
  }

  health(): Health {
    const { replica, source } = this.#options;
    const { leader, epoch, lastPosition, commitPosition } = source.status();
    return { replica, leads: this.#reign !== null, leader, epoch, lastPosition, commitPosition };
  }

  /** Another replica has everything up to `position` on its disk. */
  written(replica: number, position: number): void {
    this.#reign?.written(replica, position);
  }

  /** Every beat. */
  tick(): void {
    this.#reign?.tick();
  }

  /** Stops answering: whoever waits is told that the fate is unknown. */
  close(): void {
    this.#reign?.close();
    this.#reign = null;
  }
}
