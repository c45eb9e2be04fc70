// The playground of `bazaar up --playground`: what the page may do to processes,
// and who may ask for it.
//
//   G1. Only from this machine, through a name that means it, so that no site
//       that points its own name here (DNS rebinding) gets in.
//   G2. Only a page that came from this front end: its Origin, and a token that
//       was made for this run and that other origins can't read.
//
// The front end itself can do nothing to any process: it passes what was asked
// to the `up` that started it, over the channel that every role has with it.

import { timingSafeEqual } from "node:crypto";
import type { PlaygroundState } from "../../client/event-messages.ts";
import { isLoopback } from "../../io/host-names.ts";
import type { PlaygroundCommand, PlaygroundResult } from "./playground-commands.ts";

/** The `up` that started this front end. */
export interface Playground {
  /** Of this run of `up`. */
  readonly token: string;
  /** As `up` told last; null before it did. */
  readonly state: () => PlaygroundState | null;
  /** Never rejects. */
  readonly ask: (command: PlaygroundCommand) => Promise<PlaygroundResult>;
}

/** What a request says of where it comes from. */
export interface Caller {
  /** The peer's address. */
  readonly address: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly token: string | undefined;
}

const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/** Null when it may read what the playground says; else why not. G1 */
export function refusedToRead({ address, host, origin }: Caller): string | null {
  if (!isLoopback(address)) return "The playground answers on this machine only";
  if (host === undefined || !LOOPBACK_HOST.test(host)) {
    return "The playground answers under 127.0.0.1 or localhost only";
  }
  if (origin !== undefined && !isSame(origin, host)) return "Another site's page may not do this";
  return null;
}

/** Null when it may command; else why not. G1, G2 */
export function refusedToCommand(caller: Caller, token: string): string | null {
  const refusal = refusedToRead(caller);
  if (refusal !== null) return refusal;
  if (caller.origin === undefined) return "Only the page may do this: there is no Origin";
  if (!isEqual(caller.token ?? "", token)) {
    return "The token is not of this run: load the page again";
  }
  return null;
}

function isSame(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}`;
}

/** Takes the same time wherever they differ. */
function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
