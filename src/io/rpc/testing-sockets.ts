// Clients with none of our code behind the handshake, for tests: also in a worker
// thread, where vitest isn't.

import { randomUUID } from "node:crypto";
import { get, type IncomingMessage } from "node:http";
import { connect as connectTcp } from "node:net";
import { WebSocket } from "ws";
import type { Cluster } from "../../core/replication/members.ts";
import { OneConnection } from "./connect.ts";
import { CHALLENGE_URL, clientHeaders, newNonce, readNonce } from "./handshake.ts";
import type { Identity } from "./types.ts";

export const SECRET = "0123456789abcdef0123456789abcdef";
/** The cluster of everybody in tests where nothing depends on it. */
export const TEST_CLUSTER: Cluster = { name: "test", members: [9094] };
export const ORDER: Identity = { role: "order", name: "order-9094", cluster: TEST_CLUSTER };
export const FRONTEND: Identity = { role: "frontend", name: "frontend", cluster: TEST_CLUSTER };

export interface RawHandshake {
  readonly client?: Identity;
  readonly to?: string;
  readonly secret?: string;
  /** The nonce that is answered to, instead of the listener's. */
  readonly listenerNonce?: string;
  /** What becomes of the headers before they are sent. */
  readonly changed?: (headers: Record<string, string>) => Record<string, string>;
}

/** A WebSocket whose upgrade request has just left, on a connection that was given a nonce. */
export async function rawSocket(port: number, how: RawHandshake = {}): Promise<WebSocket> {
  const agent = new OneConnection(connectTcp(port, "127.0.0.1"));
  const listenerNonce = how.listenerNonce ?? (await nonceFrom(agent, port));
  const { client = FRONTEND, to = ORDER.name, secret = SECRET, changed = (same) => same } = how;
  const greeting = { client, link: randomUUID(), to, clientNonce: newNonce(), listenerNonce };
  const headers = changed(clientHeaders(greeting, secret));
  return new WebSocket(`ws://127.0.0.1:${port}`, { agent, headers });
}

async function nonceFrom(agent: OneConnection, port: number): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ agent, host: "127.0.0.1", port, path: CHALLENGE_URL }, resolve).once("error", reject);
  });
  response.resume();
  return readNonce(response.headers) ?? "";
}
