// Keeps the roles of one machine running: starts them, starts again what
// crashes, stops them all.
//
//   - All start at once: a front end waits for a leader by itself, and loading
//     it takes as long as loading a replica.
//   - A role that can't start as configured (port in use, folder locked) when
//     everything is started fails the whole start: a second bazaar on the
//     same ports must not half run.
//   - Later, one role's crash leaves the others running, whatever its reason.
//   - When stop() has settled, no child is left.
//
// Processes and time come in as parameters, so that this is tested without them.

import { ELECTION_MS, RestartPolicy } from "./restart-policy.ts";

/** Front ends get this long to answer what they hold before the others stop too, milliseconds. */
export const FRONTENDS_STOP_MS = 1_500;
/** A child that hasn't stopped by then is killed, milliseconds after stop(). */
export const STOP_LIMIT_MS = 5_000;

/**
 * Why starting a role again wouldn't help: the configuration or the machine has to
 * change, or its file is damaged.
 */
export const HOPELESS = ["misconfigured", "damaged"] as const;
export type Hopeless = (typeof HOPELESS)[number];

export interface SupervisedRole {
  /** ROLE, `order-9094` say. */
  readonly name: string;
  readonly kind: "order" | "catalog" | "frontend";
}

/** How a child ended. */
export interface ChildExit {
  /** Exit status; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said last; "" if nothing. */
  readonly lastWords: string;
  /** Why starting it again won't help; null when it may. */
  readonly hopeless: Hopeless | null;
}

/** A running role process. Neither promise rejects. */
export interface Child {
  readonly pid: number | undefined;
  /** Settles when the role serves; never if it ends before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<ChildExit>;
  /** Asks it to stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Stops it where it is, or lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
}

export interface Clock {
  /** Monotonic, milliseconds. */
  now(): number;
  /** Calls `callback` once after `ms`, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void;
}

/** What a person may want to know. */
export type SupervisorEvent =
  /** All front ends serve, for the first time. */
  | { readonly kind: "frontends-serve" }
  /** All roles have ended, and none will be started again. */
  | { readonly kind: "none-left" }
  | {
      readonly kind: "serves-again";
      readonly role: SupervisedRole;
      readonly pid: number | undefined;
    }
  | {
      readonly kind: "ended";
      readonly role: SupervisedRole;
      readonly exit: ChildExit;
      readonly next: Next;
    };

/**
 * What follows an end: the role is started again, so many milliseconds later; it
 * stays down because it crashed too often, because it can't start again, or because
 * that was asked for; or the start has failed, and the caller should stop the rest.
 */
export type Next =
  | { readonly kind: "restart"; readonly afterMs: number }
  | { readonly kind: "given-up" | "cannot-start" | "stays-down" | "start-failed" };

export interface SupervisorOptions<R extends SupervisedRole> {
  readonly roles: readonly R[];
  readonly spawn: (role: R) => Child;
  readonly clock: Clock;
  /** Start again what crashed. */
  readonly restart: boolean;
  /** Not called once stop() was. */
  readonly report: (event: SupervisorEvent) => void;
}

/** One role across its restarts. */
interface Kept<R> {
  readonly role: R;
  readonly policy: RestartPolicy;
  /** Its newest process, running or not. */
  child: Child | null;
  isRunning: boolean;
  /** It served once: from then on, what ends it is a crash. */
  hasServed: boolean;
  isPaused: boolean;
  /** It was killed on purpose: it stays down until start. */
  staysDown: boolean;
  /** It ended, and will be started again. */
  awaitsRestart: boolean;
  cancelRestart: () => void;
}

export class Supervisor<R extends SupervisedRole = SupervisedRole> {
  readonly #options: SupervisorOptions<R>;
  readonly #kept: readonly Kept<R>[];
  /** Set once stop() was called. */
  #stopping: Promise<void> | null = null;

  constructor(options: SupervisorOptions<R>) {
    this.#options = options;
    this.#kept = options.roles.map((role) => ({
      role,
      policy: new RestartPolicy(role.kind === "order" ? ELECTION_MS : 0),
      child: null,
      isRunning: false,
      hasServed: false,
      isPaused: false,
      staysDown: false,
      awaitsRestart: false,
      cancelRestart: () => {},
    }));
  }

  /** Starts all roles; what becomes of them is reported. Call it once. */
  start(): void {
    for (const kept of this.#kept) this.#launch(kept);
  }

  /** The pid of each running role; null for one that is down. */
  pids(): ReadonlyMap<string, number | null> {
    return new Map(
      this.#kept.map(({ role, child, isRunning }) => [
        role.name,
        isRunning ? (child?.pid ?? null) : null,
      ]),
    );
  }

  /** What each role is at. */
  standings(): Readonly<Record<string, "running" | "paused" | "down">> {
    return Object.fromEntries(
      this.#kept.map(({ role, isRunning, isPaused }) => [
        role.name,
        !isRunning ? "down" : isPaused ? "paused" : "running",
      ]),
    );
  }

  /**
   * Does this to one role. One that is killed stays down until it is started;
   * `start` starts what is down. False when there is nothing to do it to.
   */
  play(action: "kill" | "pause" | "resume" | "start", name: string): boolean {
    const kept = this.#kept.find(({ role }) => role.name === name);
    if (!kept || this.#stopping !== null || kept.child === null) return false;
    if (kept.isRunning === (action === "start")) return false;
    switch (action) {
      case "kill":
        // The page is a front end's: without one, nobody could start it again.
        kept.staysDown = kept.role.kind !== "frontend";
        kept.child.kill();
        return true;
      case "start":
        kept.cancelRestart();
        this.#launch(kept);
        return true;
      default:
        kept.isPaused = action === "pause";
        kept.child.signal(action === "pause" ? "SIGSTOP" : "SIGCONT");
        return true;
    }
  }

  /** Stops all: front ends first, so that what they hold is answered. Settles when no child is left. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Ends all children at once; also while stop() is waiting. */
  kill(): Promise<void> {
    const stopped = this.stop();
    for (const { child } of this.#kept) child?.kill();
    return stopped;
  }

  async #stopAll(): Promise<void> {
    for (const kept of this.#kept) {
      kept.cancelRestart();
      if (kept.isPaused) kept.child?.signal("SIGCONT"); // or it wouldn't hear that it is to stop
    }
    const cancelKill = this.#options.clock.after(STOP_LIMIT_MS, () => {
      for (const { child } of this.#kept) child?.kill();
    });
    const stopped = (some: readonly Kept<R>[]) =>
      Promise.all(
        some.map(({ child }) => {
          child?.stop();
          return child?.exited;
        }),
      );
    const frontendsStopped = stopped(this.#frontends());
    await this.#atMost(FRONTENDS_STOP_MS, frontendsStopped);
    await Promise.all([frontendsStopped, stopped(this.#backends())]);
    cancelKill();
  }

  #frontends(): readonly Kept<R>[] {
    return this.#kept.filter(({ role }) => role.kind === "frontend");
  }

  #backends(): readonly Kept<R>[] {
    return this.#kept.filter(({ role }) => role.kind !== "frontend");
  }

  #launch(kept: Kept<R>): void {
    const { report, spawn } = this.#options;
    const isFirst = kept.child === null;
    const child = spawn(kept.role);
    kept.child = child;
    kept.isRunning = true;
    kept.staysDown = false;
    kept.awaitsRestart = false;
    void child.ready.then(() => {
      const servesFirst = !kept.hasServed;
      kept.hasServed = true;
      if (this.#stopping !== null) return;
      if (!isFirst) report({ kind: "serves-again", role: kept.role, pid: child.pid });
      const isFrontend = kept.role.kind === "frontend";
      if (isFrontend && servesFirst && this.#frontends().every(({ hasServed }) => hasServed)) {
        report({ kind: "frontends-serve" });
      }
    });
    void child.exited.then((exit) => {
      kept.isRunning = false;
      kept.isPaused = false;
      if (this.#stopping === null) this.#ended(kept, exit);
    });
  }

  #ended(kept: Kept<R>, exit: ChildExit): void {
    const { clock, report } = this.#options;
    const next = this.#next(kept, exit);
    if (next.kind === "restart") {
      kept.awaitsRestart = true;
      kept.cancelRestart = clock.after(next.afterMs, () => this.#launch(kept));
    }
    report({ kind: "ended", role: kept.role, exit, next });
    const isOver = this.#kept.every((each) => !each.isRunning && !each.awaitsRestart);
    if (isOver) report({ kind: "none-left" });
  }

  #next(kept: Kept<R>, exit: ChildExit): Next {
    if (exit.hopeless === "misconfigured" && !kept.hasServed) return { kind: "start-failed" };
    if (kept.staysDown || !this.#options.restart) return { kind: "stays-down" };
    if (exit.hopeless !== null) return { kind: "cannot-start" };
    const afterMs = kept.policy.crashed(this.#options.clock.now());
    return afterMs === null ? { kind: "given-up" } : { kind: "restart", afterMs };
  }

  /** Waits for `promise`, at most `ms`. */
  async #atMost(ms: number, promise: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      void promise.then(() => {
        cancel();
        resolve();
      });
    });
  }
}
