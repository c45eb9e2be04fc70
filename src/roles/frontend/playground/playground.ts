// The playground of `bazaar up --playground`: what the page may do to processes,
// and who may ask for it.
//
//   - Only from this machine, and not from another site's page.
//   - Only with the token of this run, which `up` prints to who started it, in
//     an address for the browser; nobody else gets it, this process included.
//
// Who hasn't the token sees all and plays nothing, and is told why. The front
// end itself can do nothing to any process: it passes what was asked to the `up`
// that started it, over the channel that every role has with it.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { PlaygroundState } from "../../../client/event-messages.ts";
import { isLoopback } from "../../../io/host-names.ts";
import { foreignTo } from "../http/foreign-pages.ts";
import type { PlaygroundCommand, PlaygroundResult } from "./playground-commands.ts";

/** The `up` that started this front end. */
export interface Playground {
  /** SHA-256 of the token of this run of `up`, 64 hex digits. */
  readonly tokenDigest: string;
  /** As `up` told last; null before it did. */
  readonly state: () => PlaygroundState | null;
  /** Never rejects. */
  readonly ask: (command: PlaygroundCommand) => Promise<PlaygroundResult>;
}

/** What a request says of where it comes from. */
export interface Caller {
  /** The peer's address. */
  readonly address: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export const TOKEN_HEADER = "bazaar-playground";
/** Whatever --cors-origin says: that is for trades. */
const isForeign = foreignTo([]);

/** Null when it may play with the run whose token has this digest; else why not. */
export function refusedToPlay({ address, headers }: Caller, tokenDigest: string): string | null {
  if (!isLoopback(address)) return "Only the machine that the bazaar runs on may play";
  if (isForeign({ headers })) return "Another site's page may not play";
  const token = headers[TOKEN_HEADER];
  if (token === undefined) return "Only who opens the address that bazaar up printed may play";
  const digest = createHash("sha256").update(String(token)).digest();
  const known = Buffer.from(tokenDigest, "hex");
  // Takes the same time wherever they differ.
  if (known.length === digest.length && timingSafeEqual(known, digest)) return null;
  return "This address is of an earlier run: open the one that bazaar up printed";
}
