// What two processes tell each other before the first frame: the client, in
// its upgrade request, the cluster's secret, who it is, of which cluster, and
// which of its links this is; the listener, in its answer, who it is and of
// which cluster, also when it refuses a client of another one.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { MEMBERS_MAX } from "../../core/replication/limits.ts";
import { membersText } from "../../core/replication/members.ts";
import type { Identity } from "./types.ts";

const SECRET_HEADER = "bazaar-secret";
const ROLE_HEADER = "bazaar-role";
const NAME_HEADER = "bazaar-name";
const CLUSTER_HEADER = "bazaar-cluster";
const MEMBERS_HEADER = "bazaar-members";
const LINK_HEADER = "bazaar-link";

const identitySchema = z.object({
  role: z.enum(["order", "catalog", "frontend", "cli"]),
  name: z.string().regex(/^[\w.-]{1,64}$/),
  cluster: z.object({
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/)
      .nullable(),
    members: z
      .string()
      .regex(/^\d{1,5}(,\d{1,5})*$/)
      .transform((text) => text.split(",").map(Number))
      .pipe(z.array(z.int()).max(MEMBERS_MAX)),
  }),
});

/** Headers that say who this side is, and of which cluster. */
export function identityHeaders({ role, name, cluster }: Identity): Record<string, string> {
  return {
    [ROLE_HEADER]: role,
    [NAME_HEADER]: name,
    ...(cluster.name !== null && { [CLUSTER_HEADER]: cluster.name }),
    [MEMBERS_HEADER]: membersText(cluster.members),
  };
}

/** Headers of the client: the secret, who it is, and which link: any text of 1 to 64 letters of its own. */
export function clientHeaders(
  secret: string,
  identity: Identity,
  link: string,
): Record<string, string> {
  return { [SECRET_HEADER]: secret, [LINK_HEADER]: link, ...identityHeaders(identity) };
}

/** Which link of the client this is; null when it doesn't say. */
export function readLink(headers: IncomingHttpHeaders): string | null {
  const link = headers[LINK_HEADER];
  return typeof link === "string" && /^[\w-]{1,64}$/.test(link) ? link : null;
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

/** Whether the client knows `secret`. Takes the same time whatever it sent. */
export function knowsSecret(headers: IncomingHttpHeaders, secret: string): boolean {
  const told = headers[SECRET_HEADER];
  if (typeof told !== "string") return false;
  // Digests are of one length, which timingSafeEqual needs and a comparison of lengths would tell.
  return timingSafeEqual(digest(told), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Throws unless `secret` can be sent and can be relied on: misuse shows at the start, not as a refused connection. */
export function checkSecret(secret: string): void {
  if (!/^[\x21-\x7e]{16,256}$/.test(secret)) {
    throw new TypeError("the cluster's secret must be 16 to 256 printable ASCII characters");
  }
}
