// A replica's disk for tests, and journals to put on it. A write lands whole,
// when the test says so, and not before.

import type { Admission } from "./admissions.ts";
import { entryBytes, type StoredEntries } from "./entry-log.ts";
import type { Write } from "./events.ts";
import type { Judge } from "./judge.ts";
import type { Entry, HardState, Incarnation, ReplicaId } from "./types.ts";

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What an entry says, readable: a command's text, or what replication wrote. */
export function textOf({ body }: Entry): string {
  if (body.kind === "reign") return `reign of ${body.leader}`;
  if (body.kind === "admit") return `admit ${body.replica}/${body.incarnation}`;
  if (body.kind === "members") return `members ${body.members}`;
  return String.fromCharCode(...body.bytes);
}

/** A command; its text names position and epoch unless given, so that equal ones are the same (R3). */
export function command(
  position: number,
  epoch: number,
  text: string = `${position}@${epoch}`,
): Entry {
  return { position, epoch, at: 0, body: { kind: "command", bytes: bytesOf(text) } };
}

/** A command of this many bytes. */
export function bulky(position: number, epoch: number, bytes: number): Entry {
  return { position, epoch, at: 0, body: { kind: "command", bytes: new Uint8Array(bytes) } };
}

export function admission(
  position: number,
  epoch: number,
  replica: ReplicaId,
  incarnation: Incarnation,
): Entry {
  return { position, epoch, at: 0, body: { kind: "admit", replica, incarnation } };
}

/** A journal of commands with these epochs, from position 1: `journal(1, 1, 2)`. */
export function journal(...epochs: number[]): Entry[] {
  return epochs.map((epoch, index) => command(index + 1, epoch));
}

/** Has nothing against any entry. */
export const LENIENT: Judge = {
  rewind: () => Number.POSITIVE_INFINITY,
  take: () => null,
  summary: () => "",
  damage: ({ position, reason }) => new Error(`${position}: ${reason}`),
};

export class TestDisk implements StoredEntries {
  hardState: HardState;
  journal: Entry[];
  /** Issued and not landed, oldest first. */
  underWay: { readonly id: number; readonly write: Write }[] = [];
  /** Through where the tables are applied. */
  applied = 0;
  /** How often entries were read back. */
  reads = 0;

  constructor(entries: readonly Entry[] = [], hardState?: Partial<HardState>) {
    this.journal = [...entries];
    this.hardState = {
      promise: { epoch: entries.at(-1)?.epoch ?? 0, nominee: 0 },
      voter: true,
      ...hardState,
    };
  }

  get lastPosition(): number {
    return this.journal.length;
  }

  epochAt(position: number): number {
    if (position === 0) return 0;
    const entry = this.journal[position - 1];
    if (!entry) throw new Error(`no entry ${position} on a disk of ${this.lastPosition}`);
    return entry.epoch;
  }

  entries(position: number, bytesMax: number): readonly Entry[] {
    this.reads += 1;
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.journal.slice(position)) {
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  admissions(): readonly Admission[] {
    return this.journal.flatMap(({ position, body }) =>
      body.kind === "admit"
        ? [{ position, replica: body.replica, incarnation: body.incarnation }]
        : [],
    );
  }

  /** The oldest `count` writes land; returns the newest id among them, null for none. */
  land(count: number = this.underWay.length): number | null {
    const landed = this.underWay.splice(0, count);
    for (const { write } of landed) {
      if (write.hardState) this.hardState = write.hardState;
      if (write.truncateFrom !== undefined) this.journal.length = write.truncateFrom - 1;
      if (write.entries) this.journal.push(...write.entries);
    }
    return landed.at(-1)?.id ?? null;
  }

  /** Power is gone: what hasn't landed never will. */
  crash(): void {
    this.underWay = [];
  }
}
