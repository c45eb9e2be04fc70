// What goes into the leader selection of a front end, and what comes out.

/** How a replica describes itself: when asked, and with every beat. */
export interface ReplicaHealth {
  readonly replica: number;
  /** Whether it leads, with its reign committed. */
  readonly leads: boolean;
  /** Whom it follows; null when it hears no leader. */
  readonly leader: number | null;
  readonly epoch: number;
  readonly lastPosition: number;
  readonly commitPosition: number;
}

/** How a nomination ended, as the nominee tells it. */
export type Nomination =
  | { readonly kind: "leading"; readonly epoch: number }
  /** A live leader is heard, if not by the nominee, then by those it asked. */
  | { readonly kind: "follows"; readonly leader: number; readonly epoch: number }
  | { readonly kind: "lost"; readonly reason: string };

/** Something happened. */
export type SelectionEvent =
  /** A connection to the replica opened, or closed. */
  | { readonly kind: "connected"; readonly replica: number }
  | { readonly kind: "disconnected"; readonly replica: number }
  | { readonly kind: "beat"; readonly health: ReplicaHealth }
  /** The answer to `ask-health`; null when the call failed. */
  | {
      readonly kind: "health-answer";
      readonly replica: number;
      readonly health: ReplicaHealth | null;
    }
  /** The answer to `nominate`; null when the call failed. */
  | {
      readonly kind: "nominate-answer";
      readonly replica: number;
      readonly result: Nomination | null;
    }
  /** When `wakeInMs` says, at the latest. */
  | { readonly kind: "tick" };

/** Something to do, in this order. Asking and nominating are answered by an event, failures too. */
export type SelectionEffect =
  | { readonly kind: "ask-health"; readonly replica: number }
  | { readonly kind: "nominate"; readonly replica: number }
  | { readonly kind: "notify"; readonly replica: number; readonly leader: number }
  /**
   * From now on this replica is the leader; null: there is none for now.
   * `epoch` is its reign's, or that of the leader that was lost; it never goes back.
   */
  | { readonly kind: "leader-changed"; readonly leader: number | null; readonly epoch: number }
  | { readonly kind: "log"; readonly level: "info" | "warn" | "error"; readonly message: string };
