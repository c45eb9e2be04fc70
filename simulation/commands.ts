// The commands of an entry, decoded once for all processes of a run: entries
// travel by reference here.

import { decodeCommands } from "../src/core/market/codec.ts";
import type { Command } from "../src/core/market/types.ts";
import type { CommittedEntry, Entry } from "../src/core/replication/types.ts";

const decoded = new WeakMap<Uint8Array, readonly Command[]>();
const NONE: readonly Command[] = [];

/** None for an entry of the log's own. */
export function commandsOf(entry: Entry | CommittedEntry): readonly Command[] {
  const command = "body" in entry ? bytesOf(entry) : entry.command;
  if (command === null) return NONE;
  const known = decoded.get(command);
  if (known) return known;
  const commands = decodeCommands(command);
  decoded.set(command, commands);
  return commands;
}

function bytesOf({ body }: Entry): Uint8Array | null {
  return body.kind === "command" ? body.bytes : null;
}
