// A simulated PostgreSQL for the log over two tables: a primary whose commits wait
// for one of two standbys, as synchronous_standby_names = 'ANY 1 (…)' has them, and
// what goes wrong with one. A wait is cancelled, and answers success with a warning;
// answers are lost, with the statement done or not; the primary dies, hangs or is cut
// off; a fail-over stops both standbys, promotes the one that has more, and leaves the
// old primary to whoever is still connected to it, which may wake much later.
//
// What a server holds is its write-ahead log; what others see of it ends before the
// one transaction that waits, which holds the lock on the row of `logs`.
// Longer than 400 lines because what goes wrong reaches into all that a server does.

import { entryBytes } from "../src/core/replication/entry-log.ts";
import type { Entry } from "../src/core/replication/types.ts";
import type { Answer, ChainedEntry, Head, Statement } from "../src/core/table-log/types.ts";
import type { Counters } from "./counters.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** As the sessions of the real log set it. */
const LOCK_TIMEOUT_MS = 1_000;
const STREAM_EVERY_MS = 20;
/** Between two hosts, one way, typically. */
const HOP_MS = 0.3;
const FSYNC_MS = 1;
const LATE_MS = 700;

interface Waiting {
  readonly length: number;
  readonly done: (isWarned: boolean) => void;
}

/** One server: primary, standby, or a primary that was replaced and doesn't know. */
export class Server {
  readonly name: string;
  isUp = true;
  /** Stopped where it is: it answers nothing and acknowledges nothing. */
  isFrozen = false;
  isPrimary: boolean;
  timeline = 1;
  /** Whom a standby streams from. */
  upstream: Server | null = null;
  /** The head after each transaction. */
  wal: Head[];
  /** Of the last head's; a position is an index, less one. */
  entries: ChainedEntry[];
  /** Holds the row's lock. */
  waiting: Waiting | null = null;
  /** Run once the lock is free; each may have gone away. */
  queue: (() => boolean)[] = [];
  /** Run once it thaws. */
  backlog: (() => void)[] = [];

  constructor(name: string, isPrimary: boolean, head: Head, entries: readonly ChainedEntry[]) {
    this.name = name;
    this.isPrimary = isPrimary;
    this.wal = [head];
    this.entries = [...entries];
  }

  get head(): Head {
    return this.wal.at(-1) as Head;
  }

  /** What others may read. */
  get visible(): Head {
    return (this.waiting === null ? this.head : this.wal.at(-2)) as Head;
  }

  /** Takes over what `other` has beyond this one's, up to `length` transactions. */
  extend(other: Server, length: number): void {
    this.wal.push(...other.wal.slice(this.wal.length, length));
    this.entries.push(...other.entries.slice(this.entries.length, this.head.last));
  }

  /** Becomes a copy of `other`. */
  copy(other: Server): void {
    this.wal = [...other.wal];
    this.entries = [...other.entries];
  }
}

/** What a client hears of its session. */
export interface SessionEvents {
  answered(id: number, answer: Answer): void;
  closed(): void;
}

export interface Session {
  readonly client: string;
  readonly server: Server;
  readonly events: SessionEvents;
  /** By its client: it hears nothing more. */
  isGivenUp: boolean;
  /** Its packets are lost, both ways. */
  isCut: boolean;
}

export class SimulatedDatabase {
  readonly servers: readonly [Server, Server, Server];
  readonly #firstDigest: Uint8Array;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #counters: Counters;
  readonly #log: (line: string) => void;
  #sessions: Session[] = [];
  /** Clients that reach no server, and those that reach only an old primary, if there is one. */
  readonly #cutOff = new Set<string>();
  readonly #misled = new Set<string>();
  /** How much later answers come to a client, milliseconds. */
  readonly #late = new Map<string, number>();
  /** How much slower than usual everything is. */
  slowness = 1;
  /** Share of answers that take long. */
  lateAnswers = 0;
  /** Nothing gets from a primary to a standby. */
  isStalled = false;

  constructor(
    options: SimulatedDatabaseOptions,
    entries: readonly ChainedEntry[],
    firstDigest: Uint8Array,
  ) {
    this.#firstDigest = firstDigest;
    const { length } = entries;
    const head = { epoch: 0, leader: null, last: length, committed: length };
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#counters = options.counters;
    this.#log = (line) => options.log(line);
    const [first, ...others] = ["pg-1", "pg-2", "pg-3"].map(
      (name) => new Server(name, name === "pg-1", head, entries),
    ) as [Server, Server, Server];
    this.servers = [first, ...others];
    for (const other of others) other.upstream = first;
    this.#streamAgain();
  }

  /** The primary of the newest timeline. */
  get primary(): Server {
    return this.servers
      .filter(({ isPrimary }) => isPrimary)
      .reduce((newest, each) => (each.timeline > newest.timeline ? each : newest));
  }

  get standbys(): readonly Server[] {
    return this.servers.filter(({ isPrimary }) => !isPrimary);
  }

  /** A session with the primary of the newest timeline that can be reached; null if none can. */
  connect(client: string, events: SessionEvents): Session | null {
    if (this.#cutOff.has(client)) return null;
    const isMisled = this.#misled.has(client);
    const primaries = this.servers
      .filter(({ isUp, isPrimary, isFrozen }) => isUp && isPrimary && !isFrozen)
      .sort((a, b) => (isMisled ? a.timeline - b.timeline : b.timeline - a.timeline));
    const [server] = primaries;
    if (server === undefined) return null;
    if (server !== this.primary) this.#counters.add("sessions with an old primary");
    const session = { client, server, events, isGivenUp: false, isCut: false };
    this.#sessions.push(session);
    return session;
  }

  run(session: Session, id: number, statement: Statement): void {
    const { server } = session;
    this.#hop(() => {
      if (session.isCut || !this.#sessions.includes(session)) return;
      this.#awake(server, () => {
        this.#execute(server, session, statement, (answer) => {
          const isLate = this.#random.chance(this.lateAnswers);
          this.#hop(
            () => {
              if (session.isGivenUp || session.isCut || !this.#sessions.includes(session)) return;
              const lateMs = this.#late.get(session.client) ?? 0;
              this.#scheduler.after(lateMs, () => session.events.answered(id, answer));
            },
            isLate ? LATE_MS : 0,
          );
        });
      });
    });
  }

  /** Its client gives it up: what is on its way may still arrive, and what has arrived is done. */
  giveUp(session: Session): void {
    session.isGivenUp = true;
    this.#scheduler.after(this.#random.between(0, 3_000), () => this.#forget(session));
  }

  /** Whose disk lacks this entry: that of the primary, or of the standby that would be the next one; null if none does. */
  lacking(entry: Entry): string | null {
    const { primary, standbys } = this;
    const following = standbys.filter(({ upstream }) => upstream === primary);
    const next = following.length < 2 ? [] : [better(following)];
    const server = [primary, ...next].find(
      ({ entries }) => entries[entry.position - 1]?.entry !== entry,
    );
    return server?.name ?? null;
  }

  // ---- what goes wrong

  /** Neither connects any more, nor hears anything on the connections that it has. */
  cutOff(client: string): void {
    this.#cutOff.add(client);
    for (const session of this.#sessions) if (session.client === client) session.isCut = true;
  }

  mend(client: string): void {
    this.#cutOff.delete(client);
  }

  /** Reaches the oldest primary from now on; its connection breaks, or is kept. */
  mislead(client: string, breaks: boolean): void {
    this.#misled.add(client);
    for (const session of this.#sessions.filter((each) => breaks && each.client === client))
      this.#close(session, false);
  }

  undeceive(client: string): void {
    this.#misled.delete(client);
  }

  /** What is done for this client it hears so much later; 0 ends it. */
  answerLate(client: string, ms: number): void {
    this.#late.set(client, ms);
  }

  /** All servers are there, and all clients reach the newest primary. */
  heal(): void {
    this.slowness = 1;
    this.isStalled = false;
    this.lateAnswers = 0;
    this.#cutOff.clear();
    this.#misled.clear();
    this.#late.clear();
    for (const server of this.servers) {
      this.thaw(server);
      this.start(server);
    }
  }

  /** Whatever waits for standbys is cancelled. */
  cancelWaits(): void {
    for (const server of this.servers) {
      if (server.waiting === null || server.isFrozen) continue;
      this.#counters.add("waits for standbys cancelled");
      this.#log(`${server.name}: a wait is cancelled`);
      this.#release(server, true);
    }
  }

  /** Everything that is open with a server is closed; `silently`: nobody hears of it. */
  reset(server: Server, silently: boolean): void {
    for (const session of this.#sessions.filter((each) => each.server === server))
      this.#close(session, silently);
  }

  #close(session: Session, silently: boolean): void {
    this.#forget(session);
    if (silently || session.isGivenUp) return;
    this.#hop(() => {
      if (!session.isGivenUp && !session.isCut) session.events.closed();
    });
  }

  /** Some session's packets are lost from now on. */
  cutSome(): void {
    const session = this.#random.pick(this.#sessions);
    if (session) session.isCut = true;
  }

  crash(server: Server): void {
    if (!server.isUp) return;
    this.#counters.add("servers crashed");
    this.#log(`${server.name} crashes`);
    server.isUp = false;
    server.isFrozen = false;
    // Nobody cancels it and nobody hears of it: after the start it is simply there.
    server.waiting = null;
    server.queue = [];
    server.backlog = [];
    this.reset(server, this.#random.chance(0.3));
  }

  start(server: Server): void {
    server.isUp = true;
  }

  freeze(server: Server, ms: number): void {
    if (!server.isUp || server.isFrozen) return;
    this.#counters.add("servers frozen");
    this.#log(`${server.name} freezes`);
    server.isFrozen = true;
    this.#scheduler.after(ms, () => this.thaw(server));
  }

  thaw(server: Server): void {
    if (!server.isFrozen) return;
    this.#log(`${server.name} thaws`);
    server.isFrozen = false;
    for (const run of server.backlog.splice(0)) run();
  }

  /**
   * Promotes the standby that has more, having stopped both: every acknowledged
   * transaction is on one of them. Returns whether it could.
   */
  failOver(): boolean {
    const [one, other] = this.standbys;
    const old = this.primary;
    if (!one?.isUp || !other?.isUp || one.isFrozen || other.isFrozen) return false;
    if (one.upstream !== old || other.upstream !== old) return false;
    const next = better([one, other]);
    next.upstream = null;
    next.isPrimary = true;
    next.timeline = old.timeline + 1;
    for (const standby of this.standbys) standby.upstream = next;
    this.#counters.add("fail-overs of the database");
    if (old.isUp) this.#counters.add("old primaries that live on");
    this.#log(`${next.name} is promoted, at ${next.head.last}; ${old.name} had ${old.head.last}`);
    return true;
  }

  /** A primary that was replaced becomes a standby of the one that there is. */
  rejoin(): void {
    const { primary } = this;
    for (const server of this.servers) {
      if (!server.isPrimary || server === primary || !server.isUp || server.isFrozen) continue;
      this.#log(`${server.name} rejoins`);
      this.reset(server, false);
      server.waiting = null;
      server.queue = [];
      server.isPrimary = false;
      server.copy(primary);
      server.upstream = primary;
    }
  }

  // ---- how it works

  #execute(
    server: Server,
    session: Session,
    statement: Statement,
    answer: (answer: Answer) => void,
  ): void {
    if (statement.kind === "look") {
      answer(this.#look(server, statement));
      return;
    }
    if (server.waiting === null) {
      this.#write(server, statement, answer);
      return;
    }
    let isLate = false;
    server.queue.push(() => {
      if (isLate) return false;
      isLate = true;
      this.#write(server, statement, answer);
      return true;
    });
    const timeOut = (): void => {
      if (isLate || !this.#sessions.includes(session)) return;
      isLate = true;
      this.#counters.add("locks timed out");
      answer({ kind: "failed", reason: "canceling statement due to lock timeout" });
    };
    this.#scheduler.after(LOCK_TIMEOUT_MS, () => this.#awake(server, timeOut));
  }

  #look(server: Server, { after, bytesMax }: Extract<Statement, { kind: "look" }>): Answer {
    const { visible, entries } = server;
    const known = after <= visible.last ? entries[after - 1]?.digest : undefined;
    const shown: ChainedEntry[] = [];
    let bytes = 0;
    for (const chained of entries.slice(after, visible.last)) {
      bytes += entryBytes(chained.entry);
      if (bytes > bytesMax && shown.length > 0) break;
      shown.push(chained);
    }
    const digest = after === 0 ? this.#firstDigest : (known ?? null);
    return { kind: "looked", head: visible, digest, entries: shown };
  }

  #write(
    server: Server,
    statement: Exclude<Statement, { kind: "look" }>,
    answer: (answer: Answer) => void,
  ): void {
    const { head } = server;
    const { epoch, last } = statement.kind === "claim" ? statement.seen : statement;
    if (head.epoch !== epoch || head.last !== last) {
      this.#counters.add("statements that found another head");
      answer({ kind: "done", rows: 0, isWarned: false });
      this.#next(server);
      return;
    }
    const { committed } = statement;
    const entries = statement.kind === "claim" ? [statement.reign] : statement.entries;
    const after = { ...head, last: last + entries.length, committed };
    server.wal.push(
      statement.kind === "claim" ? { ...after, epoch: epoch + 1, leader: statement.leader } : after,
    );
    server.entries.push(...entries);
    server.waiting = {
      length: server.wal.length,
      done: (isWarned) => answer({ kind: "done", rows: Math.max(1, entries.length), isWarned }),
    };
    for (const standby of this.standbys) this.#stream(standby);
  }

  /** A standby gets what it lacks, if it can, and says so. */
  #stream(standby: Server): void {
    const primary = standby.upstream;
    if (primary === null || !primary.isUp) return;
    const { length } = primary.wal;
    const epoch = primary.timeline;
    this.#hop(() => {
      if (this.isStalled || standby.upstream !== primary || primary.timeline !== epoch) return;
      if (!standby.isUp || standby.isFrozen || !primary.isUp || primary.isFrozen) return;
      standby.extend(primary, length);
      const { length: received } = standby.wal;
      this.#hop(() => {
        if (!primary.isUp || primary.timeline !== epoch) return;
        this.#awake(primary, () => {
          if (primary.waiting && primary.waiting.length <= received) this.#release(primary, false);
        });
      });
    }, FSYNC_MS);
  }

  #streamAgain(): void {
    for (const standby of this.standbys) this.#stream(standby);
    this.#scheduler.after(STREAM_EVERY_MS, () => this.#streamAgain());
  }

  #release(server: Server, isWarned: boolean): void {
    const { waiting } = server;
    server.waiting = null;
    waiting?.done(isWarned);
    this.#next(server);
  }

  #next(server: Server): void {
    while (server.waiting === null) {
      const run = server.queue.shift();
      if (run === undefined || run()) return;
    }
  }

  #awake(server: Server, run: () => void): void {
    if (!server.isUp) return;
    if (server.isFrozen) server.backlog.push(run);
    else run();
  }

  #hop(run: () => void, besidesMs = 0): void {
    this.#scheduler.after(this.#random.heavy((HOP_MS + besidesMs) * this.slowness), run);
  }

  #forget(session: Session): void {
    this.#sessions = this.#sessions.filter((each) => each !== session);
  }
}

export interface SimulatedDatabaseOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: (line: string) => void;
}

/** Of two standbys, the one that has more. */
function better(standbys: readonly Server[]): Server {
  return standbys.reduce((one, other) => (other.wal.length > one.wal.length ? other : one));
}
