// Commands as the bytes of a journal entry: all that were decided in one turn.
//
// Deterministic: the same commands give the same bytes, so that digests of
// journals can be compared. Compact: an order under a 36 character request id
// takes about 55 bytes. A format of our own rather than msgpack, because core
// imports nothing, and because field names and float64 prices would double the
// size of every journal. Which bytes a kind of command has is in content.ts.

import { BadCommandBytes, RecordReader, RecordWriter } from "./codec-bytes.ts";
import { readCommand, writeCommand } from "./content.ts";
import type { Command } from "./types.ts";

export { BadCommandBytes };

/** The bytes of a journal entry for commands decided in one turn. Strings must be well-formed: no command that decide() makes has others. */
export function encodeCommands(commands: readonly Command[]): Uint8Array {
  const writer = new RecordWriter(commands.length);
  for (const command of commands) writeCommand(writer, command);
  return writer.finish();
}

/** The commands of a journal entry. Throws {@link BadCommandBytes} for anything that encodeCommands() didn't write. */
export function decodeCommands(bytes: Uint8Array): Command[] {
  const reader = new RecordReader(bytes);
  const commands: Command[] = [];
  while (!reader.done) commands.push(readCommand(reader));
  return commands;
}
