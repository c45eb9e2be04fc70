// Where in a file a bit is flipped: anywhere, or aimed at what SQLite finds its
// way by. A flip in a row is found by the row's checksum; what hides rows, shows
// them twice or leads elsewhere is in the headers of pages, their pointers, the
// beginnings of cells, inner pages, the free list and the header of the file,
// which are small: chance alone would rarely hit them.
//
// In a segment of a journal it is the headers: its own, and those of batches.
//
// Format: https://www.sqlite.org/fileformat2.html, src/core/journal/segment.ts

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Random } from "../../simulation/random.ts";
import { decodeHeader, HEADER_BYTES, readBatch } from "../../src/core/journal/segment.ts";
import { HASHES } from "../../src/io/journal/segment-files.ts";

const PAGE_BYTES = 4_096;
/** At the beginning of the first page, before the page's own header. */
const FILE_HEADER_BYTES = 100;
/** First page and number of pages of the free list, in the file's header. */
const FREE_LIST_OFFSET = 32;
const FREE_LIST_BYTES = 8;
const LEAF_HEADER_BYTES = 8;
const INNER_HEADER_BYTES = 12;
const INNER_PAGES: ReadonlySet<number> = new Set([2, 5]);
const CELLS_OFFSET = 3;
/** A cell begins with its length, its key, the types of its columns. */
const CELL_BEGINNING_BYTES = 10;
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const BATCH_HEADER_BYTES = 28;

/** One bit of a file. */
export interface Place {
  readonly file: string;
  readonly offset: number;
  /** 0 to 7. */
  readonly bit: number;
  /** What it belongs to, in words. */
  readonly what: string;
}

/** A part of a file. */
interface Span {
  readonly what: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A page as SQLite tells of it. */
export interface Page {
  /** The table or index that it belongs to; `free list` for one of nobody's. */
  readonly owner: string;
  readonly kind: "leaf" | "inner" | "other";
  /** 1, 2, 3 … */
  readonly number: number;
}

/** The places of one file. */
export class Places {
  readonly #file: string;
  readonly #bytes: Buffer;
  readonly #pages: ReadonlyMap<string, readonly Page[]>;

  /** Of the file of this name in a folder; it isn't touched. */
  constructor(folder: string, file: string) {
    this.#file = file;
    this.#bytes = readFileSync(join(folder, file));
    this.#pages = file.endsWith(".db") ? pagesByOwner(join(folder, file)) : new Map();
  }

  draw(random: Random): Place {
    const { what, offset, bytes } = this.#span(random);
    return {
      file: this.#file,
      offset: offset + random.below(bytes),
      bit: random.below(8),
      what: `${this.#file}: ${what}`,
    };
  }

  #span(random: Random): Span {
    const anywhere = { what: "anywhere", offset: 0, bytes: this.#bytes.length };
    if (random.chance(0.2)) return anywhere;
    if (this.#file.endsWith("-wal")) return this.#spanOfLog(random);
    if (this.#file.endsWith(".segment")) return this.#spanOfSegment(random);
    if (this.#pages.size === 0) return anywhere;
    if (random.chance(0.15)) {
      return random.chance(0.2)
        ? { what: "free list", offset: FREE_LIST_OFFSET, bytes: FREE_LIST_BYTES }
        : { what: "file's header", offset: 0, bytes: FILE_HEADER_BYTES };
    }
    const owned = random.pick([...this.#pages.values()]);
    const inner = owned.filter(({ kind }) => kind === "inner");
    const page = random.pick(inner.length > 0 && random.chance(0.4) ? inner : owned);
    return this.#spanOfPage(page, random);
  }

  #spanOfLog(random: Random): Span {
    if (random.chance(0.2)) return { what: "log's header", offset: 0, bytes: LOG_HEADER_BYTES };
    const frameBytes = FRAME_HEADER_BYTES + PAGE_BYTES;
    const frames = Math.floor((this.#bytes.length - LOG_HEADER_BYTES) / frameBytes);
    const newest = random.chance(0.3) ? Math.min(frames, 4) : frames;
    const offset = LOG_HEADER_BYTES + (frames - 1 - random.below(newest)) * frameBytes;
    return random.chance(0.5)
      ? { what: "frame's header", offset, bytes: FRAME_HEADER_BYTES }
      : { what: "frame's page", offset: offset + FRAME_HEADER_BYTES, bytes: PAGE_BYTES };
  }

  #spanOfSegment(random: Random): Span {
    if (random.chance(0.2)) return { what: "segment's header", offset: 0, bytes: HEADER_BYTES };
    const header = decodeHeader(HASHES, this.#bytes);
    if (header === null || typeof header === "number") throw new Error("a segment is wrong");
    const batches: Span[] = [];
    for (let offset = HEADER_BYTES; ; ) {
      const found = readBatch(HASHES, { bytes: this.#bytes, seed: header.seed }, offset, null);
      if (found.kind !== "batch") break;
      batches.push({ what: "batch", offset, bytes: found.end - offset });
      offset = found.end;
    }
    const newest = random.chance(0.3) ? batches.slice(-2) : batches;
    const batch = random.pick(newest);
    const { offset, bytes } = batch;
    return random.chance(0.5)
      ? { what: "batch's header", offset, bytes: Math.min(bytes, BATCH_HEADER_BYTES) }
      : batch;
  }

  #spanOfPage({ owner, kind, number }: Page, random: Random): Span {
    const start = (number - 1) * PAGE_BYTES;
    const header = start + (number === 1 ? FILE_HEADER_BYTES : 0);
    const whole = { what: `${owner}, ${kind} page`, offset: start, bytes: PAGE_BYTES };
    if (kind === "other" || header + CELLS_OFFSET + 2 > this.#bytes.length) return whole;
    const headerBytes = INNER_PAGES.has(this.#bytes.readUInt8(header))
      ? INNER_HEADER_BYTES
      : LEAF_HEADER_BYTES;
    const cells = this.#bytes.readUInt16BE(header + CELLS_OFFSET);
    const pointers = header + headerBytes;
    const aim = random.pick(["header", "header", "pointers", "cells", "page"] as const);
    const what = `${owner}, ${aim} of ${kind} page`;
    if (aim === "header") return { what, offset: header, bytes: headerBytes };
    if (aim === "page" || cells === 0) return whole;
    if (aim === "pointers") return { what, offset: pointers, bytes: 2 * cells };
    const at = this.#bytes.readUInt16BE(pointers + 2 * random.below(cells));
    return { what, offset: start + at, bytes: Math.min(CELL_BEGINNING_BYTES, PAGE_BYTES - at) };
  }
}

/** Offset of the number of cells of the last leaf page of a table. */
export function cellCountOffset(path: string, table: string): number {
  const leaves = pagesOf(path).filter(({ owner, kind }) => owner === table && kind === "leaf");
  const last = leaves.at(-1);
  if (last === undefined) throw new Error(`${path} has no table ${table}`);
  return (last.number - 1) * PAGE_BYTES + CELLS_OFFSET;
}

function pagesByOwner(path: string): ReadonlyMap<string, readonly Page[]> {
  return Map.groupBy(pagesOf(path), ({ owner }) => owner);
}

/** All pages of a database, in the order of each tree. */
function pagesOf(path: string): Page[] {
  // Of a copy: to look into a database changes the files beside it.
  const folder = mkdtempSync(join(tmpdir(), "bazaar-pages-"));
  try {
    const copy = join(folder, "copy.db");
    copyFileSync(path, copy);
    const database = new DatabaseSync(copy);
    const rows = database.prepare("SELECT name, pagetype, pageno FROM dbstat ORDER BY name, path");
    const pages: Page[] = rows.all().map(({ name, pagetype, pageno }) => ({
      owner: String(name),
      kind: pagetype === "leaf" ? "leaf" : pagetype === "internal" ? "inner" : "other",
      number: Number(pageno),
    }));
    const used = new Set(pages.map(({ number }) => number));
    const count = Number(database.prepare("PRAGMA page_count").get()?.page_count);
    database.close();
    for (let number = 1; number <= count; number++) {
      if (!used.has(number)) pages.push({ owner: "free list", kind: "other", number });
    }
    return pages;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
