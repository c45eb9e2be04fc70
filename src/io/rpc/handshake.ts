// What two processes tell each other before the first frame, and how each proves
// that it knows the cluster's secret without sending it:
//
//   client                                     listener
//   GET /challenge                        →
//                                         ←    200, a nonce
//   upgrade: who it is, its link, whom it
//   looks for, a nonce of its own, a proof →
//                                         ←    101 (or 409): who it is, a proof
//
// A proof is an HMAC under the secret, of both nonces and of all that either side
// has said. So what is overheard proves nothing a second time; nobody can pass a
// client on to another listener than the one it looked for, since its name is in
// the proof; and what listens on the port of a process that is down can't pretend
// to be it. All this is over before the first frame is read.
//
// Frames after it are as safe as the wire: on loopback nobody is in between. Where
// somebody may be, both sides have certificates. Then TLS proves what the HMACs do,
// there is no challenge, and the upgrade only says what a certificate can't: the
// link, the cluster, and which of its names a process of several speaks for.

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { TLSSocket } from "node:tls";
import { z } from "zod";
import { MEMBERS_MAX } from "../../core/replication/limits.ts";
import { membersText } from "../../core/replication/members.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { Identity, RoleKind } from "./types.ts";

const ROLE_HEADER = "bazaar-role";
const NAME_HEADER = "bazaar-name";
const CLUSTER_HEADER = "bazaar-cluster";
const MEMBERS_HEADER = "bazaar-members";
const LINK_HEADER = "bazaar-link";
const TO_HEADER = "bazaar-to";
const NONCE_HEADER = "bazaar-nonce";
const PROOF_HEADER = "bazaar-proof";

/** Where a listener gives a nonce. */
export const CHALLENGE_URL = "/challenge";
const NONCE_BYTES = 32;
const NONCE = /^[\w-]{43}$/;
/** In every proof: one made for anything else that might be signed with the secret is none here. */
const PURPOSE = "bazaar connection 1";

const NAME = /^[\w.-]{1,64}$/;

const roleSchema = z.enum(["order", "catalog", "frontend", "cli"]);

const identitySchema = z.object({
  role: roleSchema,
  name: z.string().regex(NAME),
  cluster: z.object({
    name: z.string().regex(NAME).nullable(),
    members: z
      .string()
      .regex(/^\d{1,5}(,\d{1,5})*$/)
      .transform((text) => text.split(",").map(Number))
      .pipe(z.array(z.int()).max(MEMBERS_MAX)),
  }),
});

/** Headers that say who this side is, and of which cluster. */
function identityHeaders({ role, name, cluster }: Identity): Record<string, string> {
  return {
    [ROLE_HEADER]: role,
    [NAME_HEADER]: name,
    ...(cluster.name !== null && { [CLUSTER_HEADER]: cluster.name }),
    [MEMBERS_HEADER]: membersText(cluster.members),
  };
}

/** What both sides know of a handshake once the client has asked for the upgrade. */
export interface Greeting {
  /** Who the client says it is. */
  readonly client: Identity;
  /** Which of the client's links this is: any text of 1 to 64 letters of its own. */
  readonly link: string;
  /** The name of the process that the client looks for. */
  readonly to: string;
  readonly clientNonce: string;
  readonly listenerNonce: string;
}

/** 256 random bits, as text for a header. */
export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString("base64url");
}

/** Headers of the answer to a challenge. */
export function nonceHeaders(nonce: string): Record<string, string> {
  return { [NONCE_HEADER]: nonce };
}

/** The nonce that the other side gives; null when there is none. */
export function readNonce(headers: IncomingHttpHeaders): string | null {
  const nonce = headers[NONCE_HEADER];
  return typeof nonce === "string" && NONCE.test(nonce) ? nonce : null;
}

/** Headers of the client's upgrade request; `proven` by the secret, or not where certificates say who both are. */
export function clientHeaders(greeting: Greeting, secret: string | null): Record<string, string> {
  const { client, link, to, clientNonce } = greeting;
  return {
    ...identityHeaders(client),
    [LINK_HEADER]: link,
    [TO_HEADER]: to,
    ...(secret !== null && {
      ...nonceHeaders(clientNonce),
      [PROOF_HEADER]: proofOf(secret, "client", greeting).toString("hex"),
    }),
  };
}

/** Headers of the listener's answer to it. */
export function listenerHeaders(
  identity: Identity,
  greeting: Greeting,
  secret: string | null,
): Record<string, string> {
  return {
    ...identityHeaders(identity),
    ...(secret !== null && {
      [PROOF_HEADER]: proofOf(secret, "listener", greeting, identity).toString("hex"),
    }),
  };
}

/** What the client says in its upgrade request; null when it is unclear. Nothing of it is proven. */
export function readGreeting(headers: IncomingHttpHeaders, listenerNonce: string): Greeting | null {
  const client = readIdentity(headers);
  const link = headers[LINK_HEADER];
  const to = headers[TO_HEADER];
  if (client === null || typeof link !== "string" || typeof to !== "string") return null;
  if (!/^[\w-]{1,64}$/.test(link) || !NAME.test(to)) return null;
  return { client, link, to, clientNonce: readNonce(headers) ?? "", listenerNonce };
}

/** Who the other side says it is; null when it doesn't, or in words that no role uses. */
export function readIdentity(headers: IncomingHttpHeaders): Identity | null {
  const parsed = identitySchema.safeParse({
    role: headers[ROLE_HEADER],
    name: headers[NAME_HEADER],
    cluster: { name: headers[CLUSTER_HEADER] ?? null, members: headers[MEMBERS_HEADER] },
  });
  return parsed.success ? parsed.data : null;
}

/** Whether the client has proven that it knows `secret`, and meant what it said for this connection. */
export function clientProves(
  headers: IncomingHttpHeaders,
  greeting: Greeting,
  secret: string,
): boolean {
  return NONCE.test(greeting.clientNonce) && proves(headers, proofOf(secret, "client", greeting));
}

/** The same of the listener, which says that it is `listener`. */
export function listenerProves(
  headers: IncomingHttpHeaders,
  greeting: Greeting,
  listener: Identity,
  secret: string,
): boolean {
  return proves(headers, proofOf(secret, "listener", greeting, listener));
}

function proofOf(
  secret: string,
  side: "client" | "listener",
  { client, link, to, clientNonce, listenerNonce }: Greeting,
  listener?: Identity,
): Buffer {
  const said = [client, ...(listener ? [listener] : [])].map(({ role, name, cluster }) => [
    role,
    name,
    cluster.name,
    membersText(cluster.members),
  ]);
  const all = [PURPOSE, side, clientNonce, listenerNonce, link, to, ...said];
  return createHmac("sha256", secret).update(JSON.stringify(all)).digest();
}

/** Takes the same time whatever proof was sent. */
function proves(headers: IncomingHttpHeaders, proof: Buffer): boolean {
  const told = headers[PROOF_HEADER];
  if (typeof told !== "string" || !/^[0-9a-f]{64}$/.test(told)) return false;
  return timingSafeEqual(Buffer.from(told, "hex"), proof);
}

/** Null if who was looked for was found; one line for people if another process of the cluster was. */
export function otherProcess(where: string, wanted: string, found: string): string | null {
  if (wanted === found) return null;
  return `${where} is ${found}, not ${wanted}: give every process the same addresses of all`;
}

/** What TLS is opened with between processes: both sides are of this program, and none speaks less. */
export function tlsOptions(certificates: Certificates) {
  return { ...certificates.texts, minVersion: "TLSv1.3" } as const;
}

/** The names that the other side's certificate gives it, as it is on this connection. */
export function certifiedNames(socket: TLSSocket): ReadonlySet<string> {
  const { subjectaltname = "" } = socket.getPeerCertificate() ?? {};
  const names = subjectaltname.split(", ").filter((name) => name.startsWith("DNS:"));
  return new Set(names.map((name) => name.slice("DNS:".length)));
}

/** The role of the process that has this name by the configuration; null for none. */
export function roleNamed(name: string): RoleKind | null {
  return roleSchema.safeParse(/^([a-z]+)(?:-\d{1,5})?$/.exec(name)?.[1]).data ?? null;
}

/** Throws unless `secret` can be relied on: misuse shows at the start, not as a refused connection. */
export function checkSecret(secret: string): void {
  if (!/^[\x21-\x7e]{16,256}$/.test(secret)) {
    throw new TypeError("the cluster's secret must be 16 to 256 printable ASCII characters");
  }
}
