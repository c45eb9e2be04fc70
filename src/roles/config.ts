// The configuration of a cluster: what runs where, and how. Given on the
// command line, in the environment and in a file, by the same names; every role
// gets the whole of it.

import { z } from "zod";
import { MEMBERS_MAX } from "../core/replication/limits.ts";
import { isLoopbackHost } from "../io/host-names.ts";

const port = z.int().min(0).max(65_535);
const host = z.string().min(1).max(255);

/** Where one process listens. */
export const addressSchema = z.object({ host, port });
export type Address = z.infer<typeof addressSchema>;

export const clusterConfigSchema = z.object({
  /** Directory of all files; each role keeps to its own folder in it. */
  data: z.string().min(1),
  frontends: z
    .array(addressSchema.extend({ name: z.string() }))
    .min(1)
    .max(16),
  catalogs: z
    .array(addressSchema.extend({ name: z.string() }))
    .min(1)
    .max(16),
  /** A replica's id is its port, unless told otherwise. An odd number is best: a quorum is a majority. */
  replicas: z
    .array(addressSchema.extend({ id: port, name: z.string() }))
    .min(1)
    .max(MEMBERS_MAX),
  /** What makes commands durable and says who leads. */
  engine: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("builtin") }),
    z.object({
      kind: z.literal("postgres"),
      /** Of one host or several, without a password: that is in PGPASSWORD, or in a .pgpass file. */
      url: z.string(),
      /** A primary that waits for no standby will do. */
      acceptLoss: z.boolean(),
      /** Its servers are in the data directory, to try it, and run while `up` does. */
      embedded: z.boolean(),
    }),
  ]),
  /** CSV of the first stocks: name,price,quantity. */
  stocks: z.string(),
  cache: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("none") }),
    z.object({ kind: z.literal("memory"), entriesMax: z.int().min(1).max(10_000_000) }),
    z.object({
      kind: z.literal("redis"),
      /** Without a password. */
      url: z.string(),
      /** Where its password is: in a file of the owner's, or in the environment; never here. */
      password: z
        .union([z.object({ file: z.string() }), z.object({ variable: z.string() })])
        .optional(),
      /** Set on the server only when given: bytes, and a policy name. */
      maxmemory: z.string().optional(),
      maxmemoryPolicy: z.string().optional(),
    }),
  ]),
  /** Sites whose pages may ask the front ends: `https://shop.example`, or `*`. */
  corsOrigins: z.array(z.string()).max(64),
  /** Names and addresses that processes answer to beside those they listen on and this machine's, as io/host-names.ts writes them. */
  allowedHosts: z.array(z.string()).max(64),
  /** What one address may ask of a front end, units a second, 0 for all it likes; and whether this machine's own are limited, too. */
  rateLimit: z.object({ unitsPerS: z.int().min(0).max(1_000_000_000), loopback: z.boolean() }),
  /** Addresses and ranges of proxies whose word on whom they ask for is taken. */
  trustProxy: z.array(z.string()).max(64),
  /** How long a front end that is terminated goes on taking connections, milliseconds. */
  drainMs: z.int().min(0).max(600_000),
  /** What front ends serve HTTPS with: PEM files. Null: HTTP on loopback, beyond it the certificate that the cluster has made. */
  tls: z.object({ cert: z.string(), key: z.string() }).nullable(),
  /** What connections between processes are made with, instead of what the cluster has made; its names, DNS, are those of the processes that use it. */
  peerCertificate: z.object({ cert: z.string(), key: z.string(), ca: z.string() }).nullable(),
  /** Authorities that commands trust, beside the system's and the cluster's, when they ask front ends. */
  ca: z.string().nullable(),
  /** Listen beyond this machine without TLS. */
  insecure: z.boolean(),
  /** Where it is written down who did what; nowhere unless given. */
  auditLog: z.string().optional(),
  /** Whose tokens front ends take beside keys. */
  jwt: z
    .object({
      /** As tokens name it. */
      issuer: z.string(),
      audience: z.string(),
      /** Of the rights. */
      claim: z.string(),
    })
    .optional(),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
});
export type ClusterConfig = z.infer<typeof clusterConfigSchema>;

/** Whether a front end speaks HTTPS. */
export function isServedByTls(
  config: Pick<ClusterConfig, "tls" | "insecure">,
  { host }: Address,
): boolean {
  return config.tls !== null || (!config.insecure && !isLoopbackHost(host));
}

/** Where a browser or a client reaches a front end: the wildcard address isn't one to connect to. */
export function urlOf(config: Pick<ClusterConfig, "tls" | "insecure">, address: Address): string {
  const host = address.host === "0.0.0.0" || address.host === "::" ? "127.0.0.1" : address.host;
  const scheme = isServedByTls(config, address) ? "https" : "http";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

/** The ids of all configured replicas. */
export function membersOf({ replicas }: Pick<ClusterConfig, "replicas">): number[] {
  return replicas.map(({ id }) => id);
}

/** The quorum of the configured replicas: a majority. */
export function quorumOf(replicas: number): number {
  return Math.floor(replicas / 2) + 1;
}
