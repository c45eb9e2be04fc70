// The commands of an entry, decoded once for all processes of a run: entries
// travel by reference here.

import { decodeCommands } from "../src/core/market/codec.ts";
import type { Command } from "../src/core/market/types.ts";
import type { Entry } from "../src/core/replication/types.ts";

const decoded = new WeakMap<Uint8Array, readonly Command[]>();
const NONE: readonly Command[] = [];

/** None for an entry of the log's own. */
export function commandsOf({ body }: Entry): readonly Command[] {
  if (body.kind !== "command") return NONE;
  const known = decoded.get(body.bytes);
  if (known) return known;
  const commands = decodeCommands(body.bytes);
  decoded.set(body.bytes, commands);
  return commands;
}
