// One replica's share of a log that is kept in two SQL tables, as a pure step
// function: events in, effects out, as in core/replication. The database makes
// entries durable and decides who leads; this decides what its answers mean.
//
//   T1. One statement is on its way; what is appended meanwhile is no part of it
//       and leaves with the next. Otherwise the answer to one would be taken for
//       an acknowledgement of entries, or of a question, that came after it.
//   T2. An entry counts once its statement succeeded with all its rows and
//       without a WARNING: a server whose wait for its standbys is cancelled
//       answers success, warns, and holds alone what the next primary won't have.
//   T3. Any other end of a statement ends the reign: deposed, another connection,
//       another epoch. Where an answer is lost the position says nothing: the
//       entries may be seen there and be on no standby, or come there later.
//   T4. Followers deliver up to `committed`, which a leader raises after T2. What
//       stands beyond may be the result of a cancelled wait, and be gone after
//       the next fail-over.
//   T5. It leads once its own reign is acknowledged, and had read all before it,
//       on the connection on which it claims: then all of that is on standbys,
//       since the database keeps an order. A leader that decided before would
//       decide on what an older leader was just appending to, or what another
//       primary has otherwise.
//   T6. It won when the answer came, since the epoch was raised before that, and
//       no older leader's round that began later can be acknowledged. A round
//       confirms from when it began: how long its answer took isn't known.
//   T7. A history is followed only from an entry whose digest is the one that is
//       known here: a restored backup or another cluster's table is noticed, not
//       followed. It is another history only if it calls its entry committed:
//       beyond that, an old primary may have what was never acknowledged.
//   T8. A database that lacks what a leader said is there is an old primary, and is
//       left: nothing else would tell a follower, whose looks it answers for ever.
//
// A claim and an append name epoch and last position, so a statement that was
// given up and still arrives changes nothing once another has. Between replicas
// travels only that a leader lives: `beat`. A leader that nobody hears is no
// danger, only a statement's time slower to be replaced.
// Longer than 400 lines because it is what a replica does in every phase, each answer once.

import { invariant } from "../invariant.ts";
import type { LeadResult, StepTime } from "../replication/events.ts";
import {
  HEARTBEAT_MS,
  LEADER_SILENCE_MS,
  MESSAGE_BYTES_MAX,
  UNCOMMITTED_ENTRIES_MAX,
} from "../replication/limits.ts";
import type { Entry, EntryBody, ReplicaId } from "../replication/types.ts";
import type {
  Answer,
  Beat,
  ChainedEntry,
  Head,
  Statement,
  TableEffect,
  TableEvent,
} from "./types.ts";

/** A primary that went away without a word is given up after this: five of them are in the ten seconds that a front end waits. */
export const ANSWER_MS = 2_000;
/** An attempt to lead takes a look and a claim; a fail-over of the database may need some of this. */
const LEAD_MS = 3_000;
/** Nothing follows what was committed last: after this a leader writes that followers may read it. */
const TELL_MS = 100;
/** An idle leader that nobody asks for a lease confirms that it leads: a database that is gone without a word is noticed before a trade needs it. Each time is a commit. */
const CONFIRM_MS = 1_000;
/** A follower looks as often as this where no beat tells that there is more. */
const POLL_MS = 1_000;
/** Entries read by one look: some 50 ms of work with what the tables make of them. */
const LOOK_BYTES_MAX = 256 * 1024;
/** Entries in one statement: the server parses each row's parameters. */
const STATEMENT_ENTRIES_MAX = 64;

interface Following {
  readonly kind: "following";
}

interface Standing {
  readonly kind: "standing";
  readonly sinceMs: number;
  /** Read beyond what is committed, on this connection. */
  tail: readonly ChainedEntry[];
  /** The head by which all entries are read; null while some aren't. */
  seen: Head | null;
}

interface Leading {
  readonly kind: "leading";
  readonly epoch: number;
  readonly wonAt: number;
  confirmedAt: number;
  /** Appended and in no statement yet, ascending. */
  queued: ChainedEntry[];
  /** The newest entry, wherever it is. */
  end: { readonly position: number; readonly digest: Uint8Array };
  /** `committed` as the newest acknowledged statement wrote it. */
  told: number;
  /** To be answered by the next statement. */
  asked: number[];
  roundWanted: boolean;
  beatAt: number;
}

interface Running {
  readonly id: number;
  readonly statement: Statement;
  readonly beganAt: number;
  /** Confirmations that this statement gives. */
  readonly tokens: readonly number[];
}

export interface TableReplicaOptions {
  readonly id: ReplicaId;
  /** The other replicas. */
  readonly peers: readonly ReplicaId[];
  /** The newest entry that is stored here; all that are stored are committed. */
  readonly end: { readonly position: number; readonly digest: Uint8Array };
  /** The digest of an entry that follows the one with digest `previous`. */
  readonly chain: (previous: Uint8Array, entry: Entry) => Uint8Array;
}

/** Where a replica stands. */
export interface TableStatus {
  readonly phase: "following" | "standing" | "leading";
  readonly leader: ReplicaId | null;
  readonly epoch: number;
  readonly lastPosition: number;
  readonly commitPosition: number;
  readonly reign: { readonly wonAt: number; readonly confirmedAt: number } | null;
}

export class TableReplica {
  readonly #options: TableReplicaOptions;
  /** The newest entry known to be committed, and delivered. */
  #end: { readonly position: number; readonly digest: Uint8Array };
  /** The highest epoch seen. */
  #epoch = 0;
  #phase: Following | Standing | Leading = { kind: "following" };
  /** Who said last that it leads, and when. */
  #heard: {
    readonly leader: ReplicaId;
    readonly epoch: number;
    /** Up to where it said that entries may be read. */
    readonly committed: number;
    readonly at: number;
  } | null = null;
  /** What the look on its way must find, by what was heard before it began. */
  #expected: { readonly epoch: number; readonly committed: number } | null = null;
  readonly #connected = new Set<ReplicaId>();
  #isOpen = false;
  #running: Running | null = null;
  #lastId = 0;
  #leadAsked = false;
  #lookAt = Number.NEGATIVE_INFINITY;
  #now = Number.NEGATIVE_INFINITY;
  #wallMs = 0;
  #effects: TableEffect[] = [];

  /** A restarted replica follows; it never resumes an epoch. */
  constructor(options: TableReplicaOptions) {
    this.#options = options;
    this.#end = options.end;
  }

  status(): TableStatus {
    const phase = this.#phase;
    const heard = phase.kind === "following" && this.#hearsLeader() ? this.#heard : null;
    const leads = phase.kind === "leading";
    return {
      phase: phase.kind,
      leader: leads ? this.#options.id : (heard?.leader ?? null),
      epoch: leads ? phase.epoch : this.#epoch,
      lastPosition: leads ? phase.end.position : this.#end.position,
      commitPosition: this.#end.position,
      reign: leads ? { wonAt: phase.wonAt, confirmedAt: phase.confirmedAt } : null,
    };
  }

  step(time: StepTime, event: TableEvent): readonly TableEffect[] {
    invariant(time.now >= this.#now, "the clock is monotonic", {
      now: time.now,
      before: this.#now,
    });
    this.#now = time.now;
    this.#wallMs = time.wallMs;
    const before = this.#end.position;
    this.#handle(event);
    this.#begin();
    invariant(this.#end.position >= before, "the commit position never goes back", { before });
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #handle(event: TableEvent): void {
    const phase = this.#phase;
    switch (event.kind) {
      case "tick":
        this.#tick();
        break;
      case "opened":
        this.#giveUp("another connection was made");
        this.#isOpen = true;
        this.#lookAt = Number.NEGATIVE_INFINITY;
        break;
      case "closed":
        this.#giveUp("the connection to the database closed");
        break;
      case "answered":
        if (event.id === this.#running?.id) this.#answered(event.answer);
        break;
      case "lead":
        this.#leadAsked = true;
        this.#stand();
        break;
      case "append":
        invariant(phase.kind === "leading", "only a leader appends", { phase: phase.kind });
        this.#append(phase, event.commands);
        break;
      case "round":
        if (phase.kind === "leading") {
          phase.roundWanted ||= phase.queued.length > 0;
          if (event.confirm !== null) phase.asked.push(event.confirm);
        } else if (event.confirm !== null) {
          this.#emit({ kind: "confirmed", token: event.confirm, leads: false });
        }
        break;
      case "connected":
        this.#connected.add(event.peer);
        if (phase.kind === "leading") this.#beat(phase, [event.peer]);
        break;
      case "disconnected":
        this.#connected.delete(event.peer);
        break;
      case "heard":
        this.#hear(event.from, event.beat);
        break;
    }
  }

  #emit(effect: TableEffect): void {
    this.#effects.push(effect);
  }

  #tick(): void {
    const phase = this.#phase;
    if (this.#running && this.#now - this.#running.beganAt >= ANSWER_MS) {
      this.#reconnect("the database doesn't answer");
    } else if (phase.kind === "standing" && this.#now - phase.sinceMs >= LEAD_MS) {
      const what = this.#isOpen ? "the database took too long" : "no primary can be reached";
      if (this.#running?.statement.kind === "claim") this.#reconnect(what);
      else this.#lose(what);
    } else if (phase.kind === "leading" && this.#now - phase.beatAt >= HEARTBEAT_MS) {
      this.#beat(phase, this.#options.peers);
    }
  }

  // ---- who leads, by the replicas' own connections

  #beat(phase: Leading, peers: readonly ReplicaId[]): void {
    if (peers === this.#options.peers) phase.beatAt = this.#now;
    this.#say(peers, { leads: true, epoch: phase.epoch, committed: phase.told });
  }

  #say(peers: readonly ReplicaId[], beat: Beat): void {
    for (const to of peers) if (this.#connected.has(to)) this.#emit({ kind: "send", to, beat });
  }

  #hear(from: ReplicaId, { leads, epoch, committed }: Beat): void {
    if (!this.#options.peers.includes(from) || epoch < (this.#heard?.epoch ?? 0)) return;
    if (!leads) {
      if (this.#heard?.leader === from) this.#heard = null;
      return;
    }
    const phase = this.#phase;
    if (phase.kind === "leading") {
      if (epoch > phase.epoch) this.#depose(`${from} leads a later epoch`);
      else return;
    }
    const isNew = this.#heard?.leader !== from || this.#heard.epoch !== epoch;
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#heard = { leader: from, epoch, committed, at: this.#now };
    if (isNew) {
      const behind = Math.max(0, committed - this.#end.position);
      this.#emit({ kind: "following", leader: from, epoch, behind });
    }
    if (committed > this.#end.position) this.#lookAt = Number.NEGATIVE_INFINITY;
    // A claim on its way may have won already: its answer is waited for.
    if (phase.kind === "standing" && this.#running?.statement.kind !== "claim") {
      this.#phase = { kind: "following" };
      this.#settleLead({ kind: "follows", leader: from, epoch });
    }
  }

  #hearsLeader(): boolean {
    const heard = this.#heard;
    if (heard === null || !this.#connected.has(heard.leader)) return false;
    return this.#now - heard.at < LEADER_SILENCE_MS;
  }

  // ---- standing for leader

  #stand(): void {
    const phase = this.#phase;
    if (phase.kind === "leading") this.#settleLead({ kind: "leading", epoch: phase.epoch });
    if (phase.kind !== "following") return;
    if (this.#heard !== null && this.#hearsLeader()) {
      const { leader, epoch } = this.#heard;
      this.#settleLead({ kind: "follows", leader, epoch });
      return;
    }
    this.#phase = { kind: "standing", sinceMs: this.#now, tail: [], seen: null };
  }

  #settleLead(outcome: LeadResult): void {
    if (!this.#leadAsked) return;
    this.#leadAsked = false;
    this.#emit({ kind: "lead-outcome", outcome });
  }

  #lose(reason: string): void {
    if (this.#phase.kind !== "standing") return;
    this.#phase = { kind: "following" };
    this.#settleLead({ kind: "lost", reason });
  }

  // ---- statements

  /** Begins the next statement, if there is one to begin and none on its way. T1 */
  #begin(): void {
    if (!this.#isOpen || this.#running !== null) return;
    const phase = this.#phase;
    if (phase.kind === "leading") this.#beginRound(phase);
    else if (phase.kind === "standing" && phase.seen !== null) this.#claim(phase, phase.seen);
    else if (phase.kind === "standing" || this.#now >= this.#lookAt) this.#look();
  }

  #run(statement: Statement, tokens: readonly number[] = []): void {
    this.#lastId += 1;
    this.#running = { id: this.#lastId, statement, beganAt: this.#now, tokens };
    this.#emit({ kind: "run", id: this.#lastId, statement });
  }

  #look(): void {
    this.#lookAt = this.#now + POLL_MS;
    this.#expected = this.#hearsLeader() ? this.#heard : null;
    this.#run({ kind: "look", after: this.#read.position, bytesMax: LOOK_BYTES_MAX });
  }

  /** The newest entry that was read. */
  get #read(): { readonly position: number; readonly digest: Uint8Array } {
    const newest = this.#phase.kind === "standing" ? this.#phase.tail.at(-1) : undefined;
    if (newest === undefined) return this.#end;
    return { position: newest.entry.position, digest: newest.digest };
  }

  #claim({ tail }: Standing, seen: Head): void {
    const { id } = this.#options;
    invariant(this.#read.position === seen.last, "all before a reign was read", {
      read: this.#read.position,
      last: seen.last,
      tail: tail.length,
    }); // T5
    // What it stands for isn't told: nobody could refuse it any more.
    const body: EntryBody = { kind: "reign", leader: id, state: "" };
    const reign = this.#chained(this.#read, seen.epoch + 1, body);
    const { position: committed } = this.#end;
    this.#run({ kind: "claim", seen, leader: id, committed, reign });
  }

  #chained(
    previous: { readonly position: number; readonly digest: Uint8Array },
    epoch: number,
    body: EntryBody,
  ): ChainedEntry {
    const entry = { position: previous.position + 1, epoch, at: this.#wallMs, body };
    return { entry, digest: this.#options.chain(previous.digest, entry) };
  }

  #append(phase: Leading, commands: readonly Uint8Array[]): void {
    const uncommitted = phase.end.position - this.#end.position;
    invariant(
      uncommitted + commands.length <= UNCOMMITTED_ENTRIES_MAX,
      "the uncommitted tail is bounded",
      { uncommitted },
    );
    for (const bytes of commands) {
      const chained = this.#chained(phase.end, phase.epoch, { kind: "command", bytes });
      phase.queued.push(chained);
      phase.end = { position: chained.entry.position, digest: chained.digest };
    }
  }

  #beginRound(phase: Leading): void {
    const { epoch, asked, confirmedAt, wonAt, told } = phase;
    const quietMs = told < this.#end.position ? TELL_MS : CONFIRM_MS;
    const mayRest = this.#now - Math.max(confirmedAt, wonAt) < quietMs;
    if (!phase.roundWanted && asked.length === 0 && mayRest) return;
    const entries = phase.roundWanted ? phase.queued.splice(0, countThatFits(phase.queued)) : [];
    phase.roundWanted = phase.roundWanted && phase.queued.length > 0;
    phase.asked = [];
    const { position: committed } = this.#end;
    this.#run({ kind: "append", epoch, last: committed, committed, entries }, asked);
  }

  // ---- answers

  #answered(answer: Answer): void {
    const running = this.#running;
    invariant(running !== null, "only what runs is answered");
    const { statement } = running;
    const phase = this.#phase;
    if (statement.kind === "look") {
      this.#running = null;
      if (answer.kind === "looked") this.#looked(statement.after, answer);
      else this.#lose(answer.kind === "failed" ? answer.reason : "an answer to another question");
      return;
    }
    const rows = statement.kind === "claim" ? 1 : Math.max(1, statement.entries.length);
    if (answer.kind === "done" && answer.rows === rows && !answer.isWarned) {
      this.#running = null; // T2
      if (statement.kind === "claim") this.#won(statement);
      else if (phase.kind === "leading") this.#acknowledged(phase, running, statement);
      return;
    }
    // Somebody was faster, or the old leader still appends: look again.
    if (statement.kind === "claim" && answer.kind === "done" && answer.rows === 0) {
      this.#running = null;
      if (phase.kind === "standing") phase.seen = null;
      return;
    }
    this.#reconnect(reasonOf(answer)); // T3
  }

  #looked(after: number, { head, digest, entries }: Extract<Answer, { kind: "looked" }>): void {
    const read = this.#read;
    if (after !== read.position) return; // it stood, or stood no more, meanwhile
    if (head === null) {
      this.#emit({ kind: "foreign", reason: "the database has no log of this cluster" });
      return;
    }
    const expected = this.#expected;
    const isOld = expected && (head.epoch < expected.epoch || head.committed < expected.committed); // T8
    if (isOld || digest === null || !isSame(digest, read.digest)) {
      if (!isOld && digest !== null && after <= head.committed) {
        this.#emit({ kind: "foreign", reason: `the database has another entry ${after}` }); // T7
        return;
      }
      const position = Math.max(after, expected?.committed ?? 0);
      this.#emit({ kind: "behind", position, committed: head.committed });
      this.#reconnect(`the database is at ${head.committed}, before ${position}`);
      return;
    }
    this.#epoch = Math.max(this.#epoch, head.epoch);
    const tail = this.#phase.kind === "standing" ? [...this.#phase.tail] : [];
    let previous = read;
    for (const chained of entries) {
      const { entry } = chained;
      const isNext = entry.position === previous.position + 1;
      if (!isNext || !isSame(chained.digest, this.#options.chain(previous.digest, entry))) {
        const reason = `entry ${entry.position} in the database isn't what was written`;
        this.#emit({ kind: "foreign", reason });
        return;
      }
      tail.push(chained);
      previous = { position: entry.position, digest: chained.digest };
    }
    const firstOpen = tail.findIndex(({ entry }) => entry.position > head.committed); // T4
    const committed = firstOpen === -1 ? tail : tail.slice(0, firstOpen);
    this.#deliver(committed, false);
    if (this.#phase.kind === "standing") {
      this.#phase.tail = tail.slice(committed.length);
      this.#phase.seen = previous.position === head.last ? head : null;
    } else if (this.#end.position < head.committed) {
      this.#lookAt = Number.NEGATIVE_INFINITY; // there is more
    }
  }

  #deliver(entries: readonly ChainedEntry[], own: boolean): void {
    const newest = entries.at(-1);
    if (newest === undefined) return;
    this.#end = { position: newest.entry.position, digest: newest.digest };
    this.#emit({ kind: "committed", entries: entries.map(({ entry }) => entry), own });
  }

  #won({ reign, committed }: Extract<Statement, { kind: "claim" }>): void {
    const phase = this.#phase;
    invariant(phase.kind === "standing", "who claims stands", { phase: phase.kind });
    const { epoch } = reign.entry;
    this.#deliver([...phase.tail, reign], false); // T5
    const leading: Leading = {
      kind: "leading",
      epoch,
      wonAt: this.#now, // T6
      confirmedAt: Number.NEGATIVE_INFINITY,
      queued: [],
      end: this.#end,
      told: committed,
      asked: [],
      roundWanted: false,
      beatAt: Number.NEGATIVE_INFINITY,
    };
    this.#phase = leading;
    this.#epoch = epoch;
    this.#heard = null;
    this.#emit({ kind: "leading", epoch });
    this.#settleLead({ kind: "leading", epoch });
    this.#beat(leading, this.#options.peers);
  }

  #acknowledged(
    phase: Leading,
    running: Running,
    { entries, committed }: Extract<Statement, { kind: "append" }>,
  ): void {
    phase.told = committed;
    phase.confirmedAt = running.beganAt; // T6
    this.#deliver(entries, true);
    for (const token of running.tokens) this.#emit({ kind: "confirmed", token, leads: true });
  }

  // ---- ends

  /** What runs has an end that is no acknowledgement: whatever this replica was, it follows. T3 */
  #giveUp(reason: string): void {
    const wasOpen = this.#isOpen;
    const running = this.#running;
    this.#isOpen = false;
    this.#running = null;
    if (this.#phase.kind === "leading") this.#depose(reason, running?.tokens);
    else if (wasOpen) this.#lose(reason); // with what it read: the next primary may have something else
  }

  #reconnect(reason: string): void {
    this.#giveUp(reason);
    this.#emit({ kind: "reconnect", reason });
  }

  #depose(reason: string, tokens = this.#running?.tokens ?? []): void {
    const phase = this.#phase;
    if (phase.kind !== "leading") return;
    for (const token of [...tokens, ...phase.asked])
      this.#emit({ kind: "confirmed", token, leads: false });
    this.#phase = { kind: "following" };
    this.#emit({ kind: "deposed", reason });
    this.#say(this.#options.peers, { leads: false, epoch: phase.epoch, committed: 0 });
  }
}

/** How many entries go in one statement: one at least. */
function countThatFits(entries: readonly ChainedEntry[]): number {
  let bytes = 0;
  for (const [index, { entry }] of entries.entries()) {
    bytes += entry.body.kind === "command" ? entry.body.bytes.length : 0;
    if (index >= STATEMENT_ENTRIES_MAX || (bytes > MESSAGE_BYTES_MAX && index > 0)) return index;
  }
  return entries.length;
}

function reasonOf(answer: Answer): string {
  if (answer.kind === "failed") return answer.reason;
  if (answer.kind === "looked") return "an answer to another question";
  if (answer.isWarned) return "the database gave up waiting for its standbys";
  return "another replica leads";
}

function isSame(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && some.every((byte, index) => byte === others[index]);
}
