// A replica's folder of files as a disk and its operating system have it: what was
// written is seen at once, and is on disk once it was synced. A sync that is cut off
// failed: what it was to write stays seen, and no later one writes it. When the power goes,
// each sector that wasn't is there or isn't, by chance, and so are names. Space
// that a new file takes may hold what an earlier one left there.

import type { SegmentFiles } from "../src/core/journal/reader.ts";
import type { Random } from "./random.ts";

/** Less than any disk has, so that the small writes of a run tear, too. */
const SECTOR_BYTES = 64;

/** Nothing more is done: the process was killed here. */
export class Interrupted extends Error {}

class File {
  /** As the operating system shows it. */
  seen: Uint8Array;
  /** As it is after a power cut, but for the sectors that aren't synced. */
  kept: Uint8Array;
  readonly unsynced = new Set<number>();
  /** Sectors that a sync failed to write, and no later one tries to. */
  readonly #believed = new Set<number>();

  constructor(size: number, stale: Uint8Array) {
    this.seen = new Uint8Array(size);
    this.seen.set(stale.subarray(0, size));
    this.kept = this.seen.slice();
  }

  write(offset: number, bytes: Uint8Array): void {
    this.seen.set(bytes, offset);
    const last = Math.floor((offset + bytes.length - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector <= last; sector++) {
      this.unsynced.add(sector);
      this.#believed.delete(sector);
    }
  }

  failToSync(): void {
    for (const sector of this.unsynced) this.#believed.add(sector);
    this.unsynced.clear();
  }

  /** The power is gone. */
  cut(isThere: (sector: number) => boolean): void {
    for (const sector of this.#believed) this.unsynced.add(sector);
    this.#believed.clear();
    this.settle(isThere);
  }

  /** Sectors for which `isThere` are on disk; the others are as they were. */
  settle(isThere: (sector: number) => boolean): void {
    if (this.kept.length !== this.seen.length) {
      const kept = this.kept.subarray(0, this.seen.length);
      this.kept = this.seen.slice();
      this.kept.set(kept);
    }
    for (const sector of this.unsynced) {
      const [from, to] = [sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES];
      if (isThere(sector)) this.kept.set(this.seen.subarray(from, to), from);
      else this.seen.set(this.kept.subarray(from, to), from);
    }
    this.unsynced.clear();
  }

  copy(): File {
    const copy = new File(0, this.seen);
    copy.seen = this.seen.slice();
    copy.kept = this.kept.slice();
    for (const sector of this.unsynced) copy.unsynced.add(sector);
    return copy;
  }
}

export class SimulatedFiles implements SegmentFiles {
  #names = new Map<string, File>();
  /** What the folder was, from when it was last synced on. */
  #folders: Map<string, File>[] = [new Map()];
  /** The newest file that lost its name, or was filled: its bytes are in the next one's space. */
  #stale = new Uint8Array(0);
  /** So many changes are still done. */
  #changesLeft = Number.POSITIVE_INFINITY;

  list(): readonly string[] {
    return [...this.#names.keys()];
  }

  size(name: string): number {
    return this.#file(name).seen.length;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    return this.#file(name).seen.slice(offset, offset + length);
  }

  create(name: string, bytes: Uint8Array, size: number): void {
    this.#change();
    const file = new File(size, this.#stale);
    file.write(0, bytes);
    this.#name(name, file);
  }

  write(name: string, offset: number, bytes: Uint8Array): void {
    this.#change();
    this.#file(name).write(offset, bytes);
  }

  trim(name: string, size: number): void {
    this.#change();
    const file = this.#file(name);
    this.#stale = file.seen.slice();
    file.seen = file.seen.slice(0, size);
  }

  sync(name: string): void {
    const file = this.#file(name);
    if (this.#changesLeft <= 0) file.failToSync();
    this.#change();
    file.settle(() => true);
  }

  rename(from: string, to: string): void {
    this.#change();
    const file = this.#file(from);
    this.#names.delete(from);
    this.#name(to, file);
  }

  syncFolder(): void {
    this.#change();
    this.#folders = [new Map(this.#names)];
  }

  close(): void {}

  /** After so many changes the process is killed. */
  interruptAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  /** The process is gone; with `random` the power is, too. */
  end(random: Random | null): void {
    this.#changesLeft = Number.POSITIVE_INFINITY;
    if (random === null) return;
    this.#names = new Map(random.pick(this.#folders));
    this.#folders = [new Map(this.#names)];
    for (const file of this.#names.values()) file.cut(() => random.chance(0.5));
  }

  /** A copy, with one bit flipped. */
  flipped(name: string, bit: number): SimulatedFiles {
    const copy = new SimulatedFiles();
    for (const [each, file] of this.#names) copy.#names.set(each, file.copy());
    const bytes = copy.#file(name).seen;
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    return copy;
  }

  /** A copy, with these bytes overwritten. */
  spoiled(name: string, offset: number, bytes: Uint8Array): SimulatedFiles {
    const copy = new SimulatedFiles();
    for (const [each, file] of this.#names) copy.#names.set(each, file.copy());
    copy.#file(name).seen.set(bytes, offset);
    return copy;
  }

  #name(name: string, file: File): void {
    this.#names.set(name, file);
    this.#folders.push(new Map(this.#names));
  }

  #file(name: string): File {
    const file = this.#names.get(name);
    if (file === undefined) throw new Error(`there is no file ${name}`);
    return file;
  }

  #change(): void {
    if (this.#changesLeft <= 0) throw new Interrupted();
    this.#changesLeft--;
  }
}
