// What must hold, checked from outside the replicas: it sees what they commit,
// write and send, and what the clients are told.
//
//   R2. Nothing is acknowledged before it is on disk, and nothing is committed
//       before it is on a quorum of disks; or, where a database keeps it, on the
//       disks of its primary and of the standby that would be the next one.
//   R3. One leader an epoch; the same (position, epoch) is the same entry, after
//       the same one.
//   R4. What one replica sees committed, all do, and every later leader holds it.
//   M1 to M3: through the market's own audit, and against what clients were told.
//   C1. Every answer is true at a position of the journal, not before what had
//       been answered when its call began: the history is linearizable, since
//       the journal's order is one that explains it.
//   R6. A confirmation says truly that no later leader had won when it was asked for.
//   R7. No leader is confirmed from a time after a later one says that it won:
//       leases are measured by these two.

import { Audit } from "../src/core/market/audit.ts";
import type { Stock } from "../src/core/market/types.ts";
import { FIRST_INCARNATION } from "../src/core/replication/admissions.ts";
import type { Entry, Incarnation, ReplicaId } from "../src/core/replication/types.ts";
import { commandsOf } from "./commands.ts";
import type { SimulatedDatabase } from "./database.ts";
import type { SimulatedDisk } from "./disk.ts";
import { MarketHistory } from "./market-history.ts";
import { Violation } from "./violation.ts";

/** Two clocks agree only so far, milliseconds. */
const ROUNDING_MS = 1e-3;

interface Appended {
  readonly entry: Entry;
  /** The epoch of the entry that it follows. */
  readonly before: number;
}

export class Oracle {
  readonly committed: Entry[] = [];
  /** Beside each of them, the epoch of the leader that committed it. */
  readonly #committedIn: number[] = [];
  readonly #audit = new Audit();
  /** What `committed` says of stocks, orders and requests. */
  readonly market = new MarketHistory();
  /** Incarnations, which are counted over all replicas of a run. */
  readonly #admitted = new Set<Incarnation>();
  readonly #leaders = new Map<number, ReplicaId>();
  /** By epoch, in true time: when it says that it won, and from when it was confirmed last. */
  readonly #reignTimes = new Map<number, { wonMs: number; confirmedMs: number }>();
  /** By epoch, then position. */
  readonly #entries = new Map<number, Map<number, Appended>>();
  /** The highest position that an answer given so far rests on. */
  answeredPosition = 0;

  /** An entry was appended to some journal, after one of epoch `before`. */
  appended(entry: Entry, before: number): void {
    let ofEpoch = this.#entries.get(entry.epoch);
    if (!ofEpoch) {
      ofEpoch = new Map();
      this.#entries.set(entry.epoch, ofEpoch);
    }
    const known = ofEpoch.get(entry.position);
    if (!known) ofEpoch.set(entry.position, { entry, before });
    else if (!isSame(known.entry, entry) || known.before !== before) {
      throw new Violation(
        `R3: two different entries at position ${entry.position} of epoch ${entry.epoch}`,
      );
    }
    if (before > entry.epoch) {
      throw new Violation(
        `R3: position ${entry.position} of epoch ${entry.epoch} follows an entry of epoch ${before}`,
      );
    }
    if (entry.body.kind === "reign") this.#reigns(entry.epoch, entry.body.leader);
  }

  #reigns(epoch: number, leader: ReplicaId): void {
    const known = this.#leaders.get(epoch);
    if (known !== undefined && known !== leader) {
      throw new Violation(`R3: epoch ${epoch} has two leaders, ${known} and ${leader}`);
    }
    this.#leaders.set(epoch, leader);
  }

  /** What a reign says of itself, in true time. */
  reigns(epoch: number, wonMs: number, confirmedMs: number): void {
    this.#reignTimes.set(epoch, { wonMs, confirmedMs });
    for (const [other, times] of this.#reignTimes) {
      const [older, newer] = other < epoch ? [other, epoch] : [epoch, other];
      const latestMs = other < epoch ? times.confirmedMs : confirmedMs;
      const laterWonMs = other < epoch ? wonMs : times.wonMs;
      if (other === epoch || latestMs <= laterWonMs + ROUNDING_MS) continue;
      throw new Violation(`R7: epoch ${older} is confirmed from after ${newer} says it won`);
    }
  }

  /** In true time: asked for at `askedMs`, answered with yes. */
  confirms(epoch: number, askedMs: number): void {
    for (const [later, { wonMs }] of this.#reignTimes) {
      if (later > epoch && wonMs + ROUNDING_MS < askedMs)
        throw new Violation(`R6: epoch ${epoch} is confirmed, though ${later} was won before`);
    }
  }

  /** A leader opened its reign: everything committed so far must be in its journal. */
  leads(
    leader: ReplicaId,
    epoch: number,
    epochAt: (position: number) => number,
    last: number,
  ): void {
    this.#reigns(epoch, leader);
    const newest = this.committed.length;
    for (let position = newest; position > Math.max(0, newest - 64); position -= 1) {
      const expected = (this.committed[position - 1] as Entry).epoch;
      // Committed under a later leader: this one was asleep, and isn't later.
      if (expected > epoch) continue;
      if (position > last || epochAt(position) !== expected) {
        throw new Violation(
          `R4: leader ${leader} of epoch ${epoch} lacks the committed entry ${position}`,
        );
      }
    }
  }

  /** A replica sees `entries` committed, which are kept on the disks of all replicas, or by a database. */
  commits(
    replica: ReplicaId,
    entries: readonly Entry[],
    kept: readonly SimulatedDisk[] | SimulatedDatabase,
  ): void {
    for (const entry of entries) {
      const known = this.committed[entry.position - 1];
      if (known) {
        if (known.epoch !== entry.epoch || !isSame(known, entry)) {
          throw new Violation(
            `R4: ${replica} commits another entry at ${entry.position} than was committed`,
          );
        }
        continue;
      }
      if (entry.position !== this.committed.length + 1) {
        throw new Violation(`${replica} commits ${entry.position} after ${this.committed.length}`);
      }
      if ("primary" in kept) {
        const lacking = kept.lacking(entry);
        if (lacking !== null)
          throw new Violation(`R2: ${replica} commits ${entry.position}, which ${lacking} lacks`);
      } else this.#checkHeld(replica, entry, kept);
      this.committed.push(entry);
      // J2 of leadership.ts: what a leader commits ends with an entry of its own epoch, and it is the first to know.
      this.#committedIn.push(entries.at(-1)?.epoch ?? entry.epoch);
      this.#feed(entry);
      if (entry === entries.at(-1) && !("primary" in kept)) this.#checkKept(replica, entry, kept);
    }
  }

  #checkHeld(replica: ReplicaId, entry: Entry, disks: readonly SimulatedDisk[]): void {
    const holding = disks.filter((disk) => this.#counted(disk)?.holds(entry)).length;
    if (2 * holding > disks.length) return;
    throw new Violation(`R2: ${replica} commits ${entry.position}, which ${holding} disks hold`);
  }

  #isAdmitted({ incarnation }: SimulatedDisk): boolean {
    return incarnation === FIRST_INCARNATION || this.#admitted.has(incarnation);
  }

  /** The disk whose acknowledgements count: until a replacement is admitted, those of the lost one. */
  #counted(disk: SimulatedDisk): SimulatedDisk | null {
    return this.#isAdmitted(disk) ? disk : disk.replaces;
  }

  /**
   * R4, seen before an election shows it: were one held now, with whatever quorum,
   * the best journal of it must hold what was just committed. A replacement that
   * isn't admitted has no vote.
   */
  #checkKept(replica: ReplicaId, entry: Entry, disks: readonly SimulatedDisk[]): void {
    const voters = disks.filter((disk) => this.#isAdmitted(disk));
    for (const winner of voters.filter((disk) => !disk.holds(entry))) {
      const behind = voters.filter((disk) => isAtMost(disk, winner)).length;
      if (2 * behind <= disks.length) continue;
      throw new Violation(
        `R4: ${replica} commits ${entry.position} of epoch ${entry.epoch}, which a next leader may lack`,
      );
    }
  }

  #feed(entry: Entry): void {
    if (entry.body.kind === "admit") this.#admitted.add(entry.body.incarnation);
    if (entry.body.kind !== "command") return;
    const commands = commandsOf(entry);
    this.#audit.feed(entry.position, commands);
    if (this.#audit.problems.length > 0) throw new Violation(this.#audit.problems.join("; "));
    this.market.feed(entry.position, commands);
  }

  /** Whether an entry after `position` and up to `through` changed anything that clients see. */
  changedBetween(position: number, through: number): boolean {
    for (let index = position; index < Math.min(through, this.committed.length); index += 1)
      if (this.committed[index]?.body.kind === "command") return true;
    return false;
  }

  /** The stocks after the newest committed entry, by the audit. */
  stocks(): readonly Stock[] {
    return this.#audit.stocks();
  }

  /** The epoch of the leader that committed this very entry; null if none did. */
  committedIn({ position, epoch }: Entry): number | null {
    if (this.committed[position - 1]?.epoch !== epoch) return null;
    return this.#committedIn[position - 1] ?? null;
  }
}

function isAtMost(disk: SimulatedDisk, other: SimulatedDisk): boolean {
  const [epoch, otherEpoch] = [disk.epochAt(disk.lastPosition), other.epochAt(other.lastPosition)];
  return epoch < otherEpoch || (epoch === otherEpoch && disk.lastPosition <= other.lastPosition);
}

/** Entries travel by reference here: one that is another object may still be the same. */
function isSame(a: Entry, b: Entry): boolean {
  return a.body === b.body || fingerprintOf(a) === fingerprintOf(b);
}

function fingerprintOf({ body }: Entry): string {
  if (body.kind === "reign") return `reign ${body.leader}`;
  if (body.kind === "members") return `members ${body.members}`;
  if (body.kind === "admit") return `admit ${body.replica} ${body.incarnation}`;
  return String.fromCharCode(...body.bytes);
}
