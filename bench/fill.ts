// Gives a replica that doesn't run a long history: orders written straight into
// its file, with the project's own journal and tables.
//
// A process of its own, `fill.ts ORDER_DB REPLICA LEADER ORDERS FIRST_MS`, one a
// replica; the same numbers give every replica the same entries. They are of
// epoch 1, with 50 orders each, which is about what 64 connections make. Loading
// a million orders over HTTP would make the same file in many times the time.

import { hash } from "node:crypto";
import { decodeCommands, encodeCommands } from "../src/core/market/codec.ts";
import type { Command, Stock } from "../src/core/market/types.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { type FileJournal, openJournal } from "../src/io/journal/journal.ts";
import { Ledger } from "../src/io/journal/ledger.ts";

/** Orders in one entry: what a turn of 64 connections comes to. */
export const ORDERS_PER_ENTRY = 50;
/** Entries in one transaction: so many that fsyncs don't count. */
const ENTRIES_PER_WRITE = 100;
const EPOCH = 1;
/** Orders decided in one millisecond, for the time in request ids. */
const ORDERS_PER_MS = 10;

export interface Filling {
  /** The replica's `order.db`, as the format step left it. */
  readonly path: string;
  readonly replica: number;
  /** Who led when these orders came. */
  readonly leader: number;
  readonly orders: number;
  /** When the first order came, milliseconds since 1970. */
  readonly firstMs: number;
}

/** Writes the history. The file must hold a new cluster's stocks and nothing else. */
export function fill({ path, replica, leader, orders, firstMs }: Filling): void {
  const journal = openJournal(path, { replica });
  try {
    const stocks = listedStocks(journal);
    const ledger = new Ledger(journal);
    for (const { body, position } of journal.entries(ledger.appliedPosition, Number.MAX_VALUE)) {
      ledger.queue(position, body.kind === "command" ? decodeCommands(body.bytes) : []);
    }
    const reign: Entry = {
      position: journal.lastPosition + 1,
      epoch: EPOCH,
      at: firstMs,
      body: { kind: "reign", leader, state: "" },
    };
    const hardState = { promise: { epoch: EPOCH, nominee: leader }, voter: true };
    journal.write({ hardState, entries: [reign] });
    ledger.queue(reign.position, []);
    for (let number = 1; number <= orders; ) {
      const entries: Entry[] = [];
      while (entries.length < ENTRIES_PER_WRITE && number <= orders) {
        const count = Math.min(ORDERS_PER_ENTRY, orders - number + 1);
        const commands = Array.from({ length: count }, (_, index) =>
          orderAt(number + index, stocks, firstMs),
        );
        const position = journal.lastPosition + entries.length + 1;
        const body = { kind: "command", bytes: encodeCommands(commands) } as const;
        entries.push({ position, epoch: EPOCH, at: firstMs, body });
        ledger.queue(position, commands);
        number += count;
      }
      journal.write({ entries });
      ledger.flush();
    }
  } finally {
    journal.close();
  }
}

/** A request id as front ends make them, time first and then chance, but the same for every replica. */
export function requestIdOf(number: number, firstMs: number): string {
  const time = (firstMs + Math.floor(number / ORDERS_PER_MS)).toString(16).padStart(12, "0");
  const chance = hash("sha256", `order ${number}`, "hex");
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${chance.slice(0, 3)}`,
    `8${chance.slice(3, 6)}`,
    chance.slice(6, 18),
  ].join("-");
}

/** Buys of 1, of one stock after another. */
function orderAt(number: number, stocks: readonly Stock[], firstMs: number): Command {
  const stock = stocks[number % stocks.length];
  if (stock === undefined) throw new Error("the cluster has no stocks");
  const { name, price } = stock;
  const requestId = requestIdOf(number, firstMs);
  return { kind: "order", number, requestId, name, type: "buy", quantity: 1, price };
}

function listedStocks(journal: FileJournal): Stock[] {
  return journal.entries(0, Number.MAX_VALUE).flatMap(({ body }) => {
    const commands = body.kind === "command" ? decodeCommands(body.bytes) : [];
    if (commands.some(({ kind }) => kind !== "list")) throw new Error("the file isn't new");
    return commands.flatMap((command) => (command.kind === "list" ? [command] : []));
  });
}

if (import.meta.main) {
  const [path, replica, leader, orders, firstMs] = process.argv.slice(2);
  if (path === undefined) throw new Error("fill.ts ORDER_DB REPLICA LEADER ORDERS FIRST_MS");
  fill({
    path,
    replica: Number(replica),
    leader: Number(leader),
    orders: Number(orders),
    firstMs: Number(firstMs),
  });
}
