// What the catalog's tests put in the place of the journal.

import { encodeCommands } from "../../core/market/codec.ts";
import type { Command, Stock } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import type { DecodedEntry } from "./stock-view.ts";

export const FISH: Stock = { name: "FishCo", price: 17.99, quantity: 600 };
export const BOAR: Stock = { name: "BoarCo", price: 28.59, quantity: 1102 };

export function adjust(name: string, by: number): Command {
  return { kind: "adjust", requestId: `${name} ${by}`, name, by };
}

/** A committed entry with these commands; without any, one of the log's own. */
export function entry(position: number, ...commands: Command[]): CommittedEntry {
  const command = commands.length === 0 ? null : encodeCommands(commands);
  return { position, epoch: 1, at: 0, command };
}

/** The same, as the view takes it. */
export function decoded(position: number, ...commands: Command[]): DecodedEntry {
  return { position, commands };
}
