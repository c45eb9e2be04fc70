// Who may reach a bazaar: what a process needs before it listens beyond this
// machine, by what it proves to others who it is, and by what a command knows
// that a front end is one.
//
// On loopback nothing is needed but the secret. Any listener beyond it needs TLS,
// so that nothing travels in clear; --insecure lifts that, in so many words.

import { existsSync, readFileSync } from "node:fs";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type Logger, pino } from "pino";
import { isLoopbackHost } from "../io/host-names.ts";
import { roleNamed } from "../io/rpc/handshake.ts";
import { readSecret } from "../io/rpc/secret.ts";
import type { Credentials } from "../io/rpc/types.ts";
import type { CertificateRequest } from "../io/tls/authority.ts";
import {
  authoritiesPath,
  CertificateError,
  type CertificateFiles,
  Certificates,
  certificatePaths,
  certsFolder,
  ENDS_SOON_MS,
  readCertificate,
} from "../io/tls/certificates.ts";
import { type ClusterConfig, isServedByTls, membersOf } from "../roles/config.ts";
import { commandIdentity, Peers } from "../roles/peers.ts";
import { type ConfiguredProcess, processesOf } from "./processes.ts";
import { UserError } from "./user-error.ts";

/** The name that a command's certificate is for. */
export const COMMAND_NAME = "cli";

/** The name that a certificate is for which opens /metrics of internal ports, and nothing else. */
const METRICS_NAME = "metrics";

/** Whether the connections between processes leave this machine. */
function isSpread({ catalogs, replicas }: ClusterConfig): boolean {
  return [...catalogs, ...replicas].some(({ host }) => !isLoopbackHost(host));
}

/** Whether a new cluster gets certificates of its own. */
export function needsCertificates(config: ClusterConfig): boolean {
  const { insecure, tls, peerCertificate } = config;
  if (insecure) return false;
  if (isSpread(config) && peerCertificate === null) return true;
  return tls === null && config.frontends.some(({ host }) => !isLoopbackHost(host));
}

/** Whether any process of this configuration has a certificate. */
export function hasTls(config: ClusterConfig): boolean {
  return processesOf(config).some(
    ({ name }) =>
      peerFiles(config, name) !== null ||
      config.frontends.some((place) => place.name === name && isServedByTls(config, place)),
  );
}

/** The certificate that connections of the process of this name are made with; null where none is. */
function peerFiles(config: ClusterConfig, name: string): CertificateFiles | null {
  if (config.peerCertificate !== null) return config.peerCertificate;
  const own = certificatePaths(config.data, name);
  return existsSync(own.ca) ? own : null;
}

/** The certificate that a front end serves HTTPS with; null where it serves HTTP. */
function httpsFiles(config: ClusterConfig, place: ClusterConfig["frontends"][number]) {
  if (!isServedByTls(config, place)) return null;
  return { ...(config.tls ?? certificatePaths(config.data, place.name)), ca: null };
}

/** Throws UserError, or CertificateError, unless this process may listen where it is configured to. */
export function expectClosed(config: ClusterConfig, process: ConfiguredProcess): void {
  const { name, host, port, kind } = process;
  if (config.insecure) return;
  const where = `${name} would listen on ${host}:${port}, beyond this machine,`;
  const how =
    '"npx bazaar certs create" makes certificates (docs/security.md says the rest), and --insecure goes without';
  if (kind === "frontend") {
    const place = config.frontends.find((frontend) => frontend.name === name);
    const files = place ? httpsFiles(config, place) : null;
    if (files !== null && !existsSync(files.cert)) {
      if (config.tls !== null) {
        throw new UserError(`${files.cert} is missing: --tls-cert must name a certificate`);
      }
      throw new UserError(
        `${where} and ${files.cert} is missing: give --tls-cert and --tls-key; or ${how}`,
      );
    }
  }
  if (isSpread(config) && peerFiles(config, name) === null) {
    const subject =
      kind !== "frontend" && !isLoopbackHost(host) ? where : `${name} would connect to other hosts`;
    throw new UserError(`${subject} without a certificate: ${how}`);
  }
}

/** The same of every process that `up` starts. */
export function expectAllClosed(config: ClusterConfig): void {
  for (const process of processesOf(config)) expectClosed(config, process);
}

/** The certificates that a cluster has: of each process, of commands, and of who reads metrics. */
export function certificateNames(config: ClusterConfig): readonly CertificateRequest[] {
  return [
    ...processesOf(config).map(({ kind, name, host }) => ({
      name,
      hosts: kind === "frontend" ? hostsOf(host, config) : [],
    })),
    { name: COMMAND_NAME, hosts: [] },
    { name: METRICS_NAME, hosts: [] },
  ];
}

/** What clients reach a front end by; without what is another process's name, which its certificate would then be for, too. */
function hostsOf(host: string, { allowedHosts }: ClusterConfig): readonly string[] {
  const all = new Set([host, ...allowedHosts, "localhost", "127.0.0.1"]);
  return [...all].filter((each) => roleNamed(each) === null);
}

/** Makes an authority and all certificates; says so in one line. Throws UserError when there are some. */
export async function createCertificates(config: ClusterConfig, nowMs: number): Promise<string> {
  const { data } = config;
  const folder = certsFolder(data);
  if (existsSync(authoritiesPath(data))) {
    throw new UserError(`${folder} has certificates: "npx bazaar certs renew" issues new ones`);
  }
  // Loaded only where certificates are made: it takes a while.
  const { issueCertificates, makeAuthority } = await import("../io/tls/authority.ts");
  await makeAuthority(data, nowMs);
  await issueCertificates(data, certificateNames(config), nowMs);
  return `made an authority and certificates in ${folder}: to each host, copy authorities.crt, and .crt and .key of its roles and of cli; authority.key stays here`;
}

/** By what the process of this name, or a command, proves who it is. Throws SecretError, or CertificateError. */
export function credentialsOf(config: ClusterConfig, name: string, log: Logger): Credentials {
  const files = peerFiles(config, name);
  return {
    secret: readSecret(config.data),
    certificates: files && new Certificates({ files, purpose: "peers'", log }),
  };
}

/** Connections of a command. Throws SecretError, or CertificateError. */
export function commandPeers(config: ClusterConfig): Peers {
  const silent = pino({ level: "silent" });
  const credentials = credentialsOf(config, COMMAND_NAME, silent);
  return new Peers(credentials, commandIdentity(membersOf(config)));
}

/** A line for each certificate on this host that ends soon, or can't be used. */
export function certificateWarnings(config: ClusterConfig, nowMs: number): readonly string[] {
  const https = config.frontends.flatMap((place) => httpsFiles(config, place) ?? []);
  const peers = certificateNames(config).flatMap(({ name }) => peerFiles(config, name) ?? []);
  const files = new Map([...https, ...peers].map((each) => [each.cert, each]));
  const present = [...files.values()].filter(({ cert }) => existsSync(cert));
  return present.flatMap((each) => {
    try {
      const { endsMs } = readCertificate(each, nowMs);
      if (endsMs - nowMs > ENDS_SOON_MS) return [];
      return [`${each.cert} ends ${new Date(endsMs).toISOString().slice(0, 10)}: renew it`];
    } catch (error) {
      if (error instanceof CertificateError) return [error.message];
      throw error;
    }
  });
}

/** A front end's certificate; null where it serves HTTP. Throws CertificateError. */
export function httpsOf(config: ClusterConfig, name: string, log: Logger): Certificates | null {
  const place = config.frontends.find((frontend) => frontend.name === name);
  const files = place ? httpsFiles(config, place) : null;
  return files && new Certificates({ files, purpose: "HTTPS", log });
}

/** From now on this process trusts front ends whose certificates come from --ca, or from the cluster's own authority. */
export function trustAuthorities(config: ClusterConfig): void {
  if (!config.frontends.some((place) => isServedByTls(config, place)) && config.ca === null) return;
  const paths = [config.ca, authoritiesPath(config.data)].filter((path) => path !== null);
  const texts = paths.filter((path) => path === config.ca || existsSync(path)).map(textOf);
  if (texts.length > 0) setDefaultCACertificates([...getCACertificates("default"), ...texts]);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CertificateError(`${path} can't be read: ${(error as Error).message}`);
  }
}
