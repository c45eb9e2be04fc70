// What must hold, checked from outside the replicas: it sees what they commit,
// write and send, and what the clients are told.
//
//   R2. Nothing is acknowledged before it is on disk, and nothing is committed
//       before it is on a quorum of disks.
//   R3. One leader an epoch; the same (position, epoch) is the same entry, after
//       the same one.
//   R4. What one replica sees committed, all do, and every later leader holds it.
//   M1 to M3: through the market's own audit, and against what clients were told.
//   C1. Every answer is true at a position of the journal, not before what had
//       been answered when its call began: the history is linearizable, since
//       the journal's order is one that explains it.

import { Audit } from "../src/core/market/audit.ts";
import { decodeCommands } from "../src/core/market/codec.ts";
import type { Command, Order } from "../src/core/market/types.ts";
import type { Entry, ReplicaId } from "../src/core/replication/types.ts";
import type { SimulatedDisk } from "./disk.ts";
import { Violation } from "./violation.ts";

interface QuantityAt {
  readonly position: number;
  readonly quantity: number;
}

interface Appended {
  readonly entry: Entry;
  /** The epoch of the entry that it follows. */
  readonly before: number;
}

export class Oracle {
  readonly committed: Entry[] = [];
  readonly #audit = new Audit();
  readonly #orders: (Order & { readonly position: number })[] = [];
  readonly #commandOf = new Map<string, Command>();
  readonly #quantities = new Map<string, QuantityAt[]>();
  readonly #leaders = new Map<number, ReplicaId>();
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

  /** A replica sees `entries` committed; `disks` are those of all replicas, or null if one was lost lately. */
  commits(
    replica: ReplicaId,
    entries: readonly Entry[],
    disks: readonly SimulatedDisk[] | null,
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
      if (disks) {
        const holding = disks.filter(
          (disk) =>
            disk.lastPosition >= entry.position && disk.epochAt(entry.position) === entry.epoch,
        ).length;
        if (2 * holding <= disks.length) {
          throw new Violation(
            `R2: ${replica} commits ${entry.position}, which ${holding} disks hold`,
          );
        }
      }
      this.committed.push(entry);
      this.#feed(entry);
      if (disks && entry === entries.at(-1)) checkKept(replica, entry, disks);
    }
  }

  #feed(entry: Entry): void {
    if (entry.body.kind !== "command") return;
    const commands = decodeCommands(entry.body.bytes);
    this.#audit.feed(entry.position, commands);
    if (this.#audit.problems.length > 0) throw new Violation(this.#audit.problems.join("; "));
    for (const command of commands) {
      this.#commandOf.set(command.requestId, command);
      if (command.kind === "order") this.#orders.push({ ...command, position: entry.position });
      if (command.kind !== "refuse") this.#moved(command, entry.position);
    }
  }

  #moved(command: Exclude<Command, { kind: "refuse" }>, position: number): void {
    const history = this.#quantities.get(command.name) ?? [];
    const by =
      command.kind === "adjust"
        ? command.by
        : command.kind === "order" && command.type === "buy"
          ? -command.quantity
          : command.quantity;
    history.push({ position, quantity: (history.at(-1)?.quantity ?? 0) + by });
    this.#quantities.set(command.name, history);
  }

  /** The quantity of a stock after the entry at `position`; null if it isn't listed by then. */
  quantityAt(name: string, position: number): number | null {
    const at = this.#quantities.get(name)?.findLast((change) => change.position <= position);
    return at ? at.quantity : null;
  }

  /**
   * The lowest position from `floor` on, and committed by now, at which a stock
   * has this quantity (null: isn't listed); null if there is none.
   */
  positionWith(name: string, quantity: number | null, floor: number): number | null {
    if (this.quantityAt(name, floor) === quantity) return floor;
    const history = this.#quantities.get(name) ?? [];
    let found: number | null = null;
    for (let index = history.length - 1; index >= 0; index -= 1) {
      const change = history[index] as QuantityAt;
      if (change.position <= floor) break;
      if (change.quantity === quantity) found = change.position;
    }
    return found;
  }

  /** Whether an entry after `position` and up to `through` changed anything that clients see. */
  changedBetween(position: number, through: number): boolean {
    return this.committed.slice(position, through).some(({ body }) => body.kind === "command");
  }

  /** How many stocks are listed by `position`. */
  listedAt(position: number): number {
    let listed = 0;
    for (const name of this.#quantities.keys())
      if (this.quantityAt(name, position) !== null) listed += 1;
    return listed;
  }

  orderAt(number: number, position: number): Order | null {
    const order = this.#orders[number - 1];
    return order && order.position <= position ? order : null;
  }

  command(requestId: string): Command | undefined {
    return this.#commandOf.get(requestId);
  }

  get lastNumber(): number {
    return this.#orders.length;
  }
}

/**
 * R4, seen before an election shows it: were one held now, with whatever quorum,
 * the best journal of it must hold what was just committed.
 */
function checkKept(replica: ReplicaId, entry: Entry, disks: readonly SimulatedDisk[]): void {
  const { position, epoch } = entry;
  const lacking = disks.filter(
    (disk) => disk.lastPosition < position || disk.epochAt(position) !== epoch,
  );
  for (const winner of lacking) {
    const behind = disks.filter((disk) => isAtMost(disk, winner)).length;
    if (2 * behind <= disks.length) continue;
    throw new Violation(
      `R4: ${replica} commits ${position} of epoch ${epoch}, which a next leader may lack`,
    );
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
  if (body.kind === "admit") return `admit ${body.replica} ${body.incarnation}`;
  return String.fromCharCode(...body.bytes);
}
