// The Idempotency-Key of a trade: the client's own, or one made for it.

import { randomUUIDv7 } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { REQUEST_ID_LENGTH_MAX } from "../../contract.ts";

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** The key to work under; null when the client's isn't one. */
export function requestKey(
  request: Pick<IncomingMessage, "headers" | "rawHeaders">,
): string | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return randomUUIDv7();
  if (typeof key !== "string" || key.length > REQUEST_ID_LENGTH_MAX) return null;
  if (!PRINTABLE_ASCII.test(key)) return null;
  // Node joins a header that came twice with a comma, and two keys are no key.
  return key.includes(",") && isTwice(request.rawHeaders) ? null : key;
}

function isTwice(rawHeaders: readonly string[]): boolean {
  const isKey = (text: string, index: number) =>
    index % 2 === 0 && text.toLowerCase() === "idempotency-key";
  return rawHeaders.filter(isKey).length > 1;
}
