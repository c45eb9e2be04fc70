// The cluster's own certificate authority: made with the cluster, it issues a
// certificate to each process, whose names are in it.
//
//   DIR/certs/authority.crt, .key   the authority; its key is needed only to issue
//   DIR/certs/authorities.crt       those that are trusted: it, and while it
//                                   takes another's place, that one too
//   DIR/certs/NAME.crt, .key        of the process of this name
//
// No request for a signature travels, as with ACME: whoever runs a cluster copies
// the secret and the files of each role to their hosts anyway.

import "reflect-metadata"; // which the next one needs
import { randomBytes, webcrypto } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { privateFolder } from "../private-files.ts";
import {
  authoritiesPath,
  CertificateError,
  certificatePaths,
  certsFolder,
} from "./certificates.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
/** An authority outlives what it has issued. */
const AUTHORITY_DAYS = 3_650;
/** As long as authorities of the web let a certificate last. */
const CERTIFICATE_DAYS = 397;
/** Clocks of hosts differ. */
const BEFORE_MS = 3_600_000;
const SERIAL_BYTES = 16;
const OWNER_ONLY = 0o600;

/** A certificate to be issued. */
export interface CertificateRequest {
  /** Of the process, ROLE. */
  readonly name: string;
  /** Names and addresses that clients reach it by, where it serves HTTPS. */
  readonly hosts: readonly string[];
}

/** Makes an authority. The one before, if there is one, goes on being trusted. Nothing is issued. */
export async function makeAuthority(data: string, nowMs: number): Promise<void> {
  privateFolder(certsFolder(data));
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const subject = `CN=bazaar authority ${randomBytes(4).toString("hex")}`;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: subject,
    ...validity(nowMs, AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pem = `${certificate.toString("pem")}\n`;
  const before = authorityPaths(data);
  const old = existsSync(before.cert) ? readFileSync(before.cert, "utf8") : "";
  // Trusted before it signs: a crash in between leaves one that nobody uses.
  write(authoritiesPath(data), `${pem}${old}`);
  write(before.key, await keyText(keys.privateKey));
  write(before.cert, pem);
}

/** The authority that issues now becomes the only one that is trusted. */
export function retireAuthorities(data: string): void {
  write(authoritiesPath(data), readFileSync(authorityPaths(data).cert, "utf8"));
}

/** Whether this host can issue. */
export function hasAuthority(data: string): boolean {
  return existsSync(authorityPaths(data).key);
}

/** Issues a certificate with a new key for each, in the place of those they had. Throws CertificateError without an authority. */
export async function issueCertificates(
  data: string,
  requests: readonly CertificateRequest[],
  nowMs: number,
): Promise<void> {
  const { cert, key } = authorityPaths(data);
  if (!hasAuthority(data)) {
    throw new CertificateError(
      `${key} is missing: issue on the host that has it; "npx bazaar certs create" makes an authority for a cluster without one`,
    );
  }
  const authority = new x509.X509Certificate(readFileSync(cert, "utf8"));
  const pkcs8 = x509.PemConverter.decodeFirst(readFileSync(key, "utf8"));
  const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]);
  for (const { name, hosts } of requests) {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${name}`,
      issuer: authority.subject,
      ...validity(nowMs, CERTIFICATE_DAYS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(
          [name, ...hosts].map(
            (host) => ({ type: isIP(host) ? "ip" : "dns", value: host }) as const,
          ),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      ],
    });
    const paths = certificatePaths(data, name);
    // The key last but one moment apart: who reads in between finds that they don't fit, and waits.
    write(paths.key, await keyText(keys.privateKey));
    write(paths.cert, `${certificate.toString("pem")}\n`);
  }
}

function authorityPaths(data: string): { readonly cert: string; readonly key: string } {
  return {
    cert: join(certsFolder(data), "authority.crt"),
    key: join(certsFolder(data), "authority.key"),
  };
}

function validity(nowMs: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - BEFORE_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

/** Positive, and never twice. RFC 5280, section 4.1.2.2 */
function serial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}

async function keyText(key: CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(bytes, "PRIVATE KEY")}\n`;
}

/** In one step, durable, and closed to others. */
function write(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "w", OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
