// A log's core (core/replication/log-driver.ts) driven by real time and by the
// replicas' own connections: what the built-in log and the one over tables share.

import type { Logger } from "pino";
import type { StepTime } from "../../core/replication/events.ts";
import type { LogListener } from "../../core/replication/log.ts";
import { LogDriver } from "../../core/replication/log-driver.ts";
import type { ReplicaId } from "../../core/replication/types.ts";
import { recurring } from "../recurring.ts";
import type { Credentials, Identity, Peer } from "../rpc/types.ts";
import { type LogObserver, ReplicaLinks, type ReplicaLog, type Replicas } from "./links.ts";

/** Commands waiting for the tables before they are written: fewer cost a transaction more than they bring, more hold up what comes meanwhile. */
export const TABLES_FLUSH_COMMANDS_MIN = 256;

export interface DrivenLogOptions {
  readonly replicas: Replicas;
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly log: Logger;
  /** The disk failed, an invariant broke, or what is followed can't be: stop. Called at most once. */
  readonly failed: (reason: Error) => void;
}

export abstract class DrivenLog<Event, Effect>
  extends LogDriver<Event, Effect>
  implements ReplicaLog
{
  abstract readonly handlers: ReplicaLog["handlers"];
  /** Null before start(). */
  protected listener: LogListener | null = null;
  protected observer: LogObserver = {};
  protected links: ReplicaLinks | null = null;
  readonly #driven: DrivenLogOptions;
  readonly #id: ReplicaId;
  #stopTicks: () => void = () => {};

  /** Does nothing before start(). `id` is this replica's. */
  constructor(options: DrivenLogOptions, id: ReplicaId) {
    super();
    this.#driven = options;
    this.#id = id;
  }

  start(listener: LogListener, observer: LogObserver = {}): void {
    this.listener = listener;
    this.observer = observer;
    this.links = new ReplicaLinks({
      ...this.#driven,
      id: this.#id,
      changed: (peer, isOpen) => {
        this.step({ kind: isOpen ? "connected" : "disconnected", peer });
        if (!isOpen) listener.changed();
      },
    });
    this.#stopTicks = recurring(
      () => this.tickMs,
      () => this.step({ kind: "tick" }),
    );
  }

  peer(id: ReplicaId): Peer | null {
    return this.links?.peer(id) ?? null;
  }

  override close(): void {
    this.#stopTicks();
    this.links?.close();
    super.close();
  }

  protected time(): StepTime {
    return { now: performance.now(), wallMs: Date.now() };
  }

  protected atTurnsEnd(run: () => void): void {
    queueMicrotask(run);
  }

  protected failed(error: unknown): void {
    this.#driven.failed(error instanceof Error ? error : new Error(String(error)));
  }
}
