// Request ids as keys of a table.
//
// Front ends make UUIDs (version 7, so that new ones come last in the index);
// as 16 bytes they take less than half of their text, and there is one for every
// order. Any other id, which a client chose, stays text. SQLite never takes bytes
// and text for equal, and only the one way of writing a UUID becomes bytes, so
// two ids never share a key.
//
// Read digit by digit, because every trade comes through here twice: a regular
// expression and Buffer.from(…, "hex") take ten times as long.

const UUID_LENGTH = 36;
const UUID_BYTES = 16;
const HYPHEN = 0x2d;
/** RFC 9562: the version is the upper half of this byte. */
const VERSION_BYTE = 6;
const MADE_VERSION = 7;

/** A UUID as bytes, or any other request id. */
export type RequestKey = string | Uint8Array;

/** The key under which a request id is stored. */
export function requestKey(requestId: string): RequestKey {
  if (requestId.length !== UUID_LENGTH) return requestId;
  const bytes = Buffer.allocUnsafe(UUID_BYTES);
  let at = 0;
  for (let index = 0; index < UUID_BYTES; index++) {
    if (at === 8 || at === 13 || at === 18 || at === 23) {
      if (requestId.charCodeAt(at) !== HYPHEN) return requestId;
      at++;
    }
    const high = digitOf(requestId.charCodeAt(at));
    const low = digitOf(requestId.charCodeAt(at + 1));
    if (high < 0 || low < 0) return requestId;
    bytes[index] = high * 16 + low;
    at += 2;
  }
  return bytes;
}

/** How two keys stand to each other, as SQLite orders them: text before bytes, both byte by byte. */
export function compareKeys(a: RequestKey, b: RequestKey): number {
  if (typeof a === "string") {
    return typeof b === "string" ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : -1;
  }
  return typeof b === "string" ? 1 : Buffer.compare(a, b);
}

/**
 * Whether a key is that of an id as front ends make them, which grow with time:
 * a UUID of version 7. Those that clients draw at random (version 4) aren't.
 */
export function isMade(key: RequestKey): key is Uint8Array {
  return typeof key !== "string" && (key[VERSION_BYTE] ?? 0) >> 4 === MADE_VERSION;
}

/** The value of a lower-case hex digit; -1 for any other character. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10;
  return -1;
}
