// Request ids as keys of a table.
//
// Front ends make UUIDs (version 7, so that new ones come last in the index);
// as 16 bytes they take less than half of their text, and there is one for every
// order. Any other id, which a client chose, stays text. SQLite never takes bytes
// and text for equal, and only the one way of writing a UUID becomes bytes, so
// two ids never share a key.

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_LENGTH = 36;

/** The key under which a request id is stored. */
export function requestKey(requestId: string): string | Uint8Array {
  if (requestId.length !== UUID_LENGTH || !UUID.test(requestId)) return requestId;
  return Buffer.from(requestId.replaceAll("-", ""), "hex");
}
