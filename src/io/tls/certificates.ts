// A certificate, its key and, for connections between processes, the authorities
// that the other side's certificate must come from: read from files, and read
// anew when these change, without a connection lost.
//
//   1. What is in use was whole and fitted together when it was read. Files that
//      are being replaced, one after the other, may not fit for a moment: then
//      what was read before stays in use, and the log says why.
//   2. Changes are noticed by looking, not by fs.watch: that misses what a mount, a
//      link that is switched or a rename puts in a file's place.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";

/** Between two looks whether the files have changed, milliseconds: soon enough for who waits for it, and no work. */
const LOOK_INTERVAL_MS = 1_000;
/** A certificate that ends sooner is worth a word: a month, in which somebody is there even in summer. */
export const ENDS_SOON_MS = 30 * 86_400_000;
/** Between two such words, milliseconds. */
const SAY_AGAIN_MS = 86_400_000;
const OTHERS = 0o007;

/** A certificate can't be used; the message is one line that says what to do. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

/** Where the cluster's own certificates are. */
export function certsFolder(data: string): string {
  return join(data, "certs");
}

/** The authorities that are trusted; two while one takes the other's place. */
export function authoritiesPath(data: string): string {
  return join(certsFolder(data), "authorities.crt");
}

/** The files of the process of this name, ROLE. */
export function certificatePaths(data: string, name: string): CertificateFiles & { ca: string } {
  const path = join(certsFolder(data), name);
  return { cert: `${path}.crt`, key: `${path}.key`, ca: authoritiesPath(data) };
}

/** Paths of PEM files. */
export interface CertificateFiles {
  /** The certificate, and what leads from it to its authority. */
  readonly cert: string;
  readonly key: string;
  /** The authorities that the other side's certificate must come from; null where anybody may connect. */
  readonly ca: string | null;
}

/** What the files held, as node:tls takes it. */
export interface CertificateTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

export interface CertificatesOptions {
  readonly files: CertificateFiles;
  /** What it is for, in the words of the log: `HTTPS`. */
  readonly purpose: string;
  readonly log: Logger;
  /** Wall clock, milliseconds. Default Date.now. */
  readonly wallMs?: () => number;
}

export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #wallMs: () => number;
  readonly #changed: (() => void)[] = [];
  readonly #looks: NodeJS.Timeout;
  #read: ReadCertificate;
  /** Of the files when they were last read, whether that succeeded or not. */
  #seen: string;
  #saidMs = Number.NEGATIVE_INFINITY;

  /** Reads the files. Throws CertificateError when they can't be used. */
  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#wallMs = options.wallMs ?? Date.now;
    this.#seen = seen(options.files);
    this.#read = readCertificate(options.files, this.#wallMs());
    this.#looks = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
    this.#looks.unref();
    this.#warn();
  }

  /** What to shake hands with now. */
  get texts(): CertificateTexts {
    return this.#read.texts;
  }

  /** Until when it may be used: wall clock, milliseconds. */
  get endsMs(): number {
    return this.#read.endsMs;
  }

  /** Told whenever `texts` is another. */
  onChange(changed: () => void): void {
    this.#changed.push(changed);
  }

  /** Reads the files anew. */
  reload(): void {
    const { files, purpose, log } = this.#options;
    this.#seen = seen(files);
    try {
      this.#read = readCertificate(files, this.#wallMs());
    } catch (error) {
      const why = errorText(error);
      log.error(
        { why },
        `The new ${purpose} certificate can't be used; the one from before goes on`,
      );
      return;
    }
    const until = new Date(this.#read.endsMs).toISOString();
    log.info({ until }, `Read the ${purpose} certificate anew`);
    this.#saidMs = Number.NEGATIVE_INFINITY;
    this.#warn();
    for (const changed of this.#changed) changed();
  }

  close(): void {
    clearInterval(this.#looks);
  }

  #look(): void {
    if (seen(this.#options.files) !== this.#seen) this.reload();
    else this.#warn();
  }

  #warn(): void {
    const nowMs = this.#wallMs();
    if (this.endsMs - nowMs > ENDS_SOON_MS || nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = nowMs;
    const { purpose, files, log } = this.#options;
    const until = new Date(this.endsMs).toISOString();
    log.warn({ until, file: files.cert }, `The ${purpose} certificate ends soon: renew it`);
  }
}

interface ReadCertificate {
  readonly texts: CertificateTexts;
  readonly endsMs: number;
}

/** Reads and checks the files. Throws CertificateError. */
export function readCertificate(files: CertificateFiles, nowMs: number): ReadCertificate {
  const cert = readText(files.cert);
  const key = readKey(files.key);
  const [leaf, ...chain] = certificatesIn(files.cert, cert);
  if (leaf === undefined) throw new CertificateError(`${files.cert} holds no certificate (PEM)`);
  const isPair = attempt(files.key, "no private key that can be read", () =>
    leaf.checkPrivateKey(createPrivateKey(key)),
  );
  if (!isPair) {
    throw new CertificateError(`${files.key} is not the key of ${files.cert}: copy both together`);
  }
  const ca = files.ca === null ? null : readText(files.ca);
  const authorities = files.ca === null || ca === null ? [] : certificatesIn(files.ca, ca);
  if (files.ca !== null && authorities.length === 0) {
    throw new CertificateError(`${files.ca} holds no certificate (PEM)`);
  }
  if (authorities.length > 0 && ![leaf, ...chain].some((one) => isOf(one, authorities))) {
    throw new CertificateError(
      `${files.cert} is of none of the authorities in ${files.ca}: copy both from the host that made them`,
    );
  }
  const texts = { cert, key, ...(ca !== null && { ca }) };
  attempt(files.cert, "no certificate that TLS takes", () => createSecureContext(texts));
  const endsMs = Math.min(
    ...[leaf, ...chain].map(({ validToDate }) => validToDate.getTime()),
    ...(authorities.length === 0
      ? []
      : [Math.max(...authorities.map(({ validToDate }) => validToDate.getTime()))]),
  );
  if (endsMs <= nowMs) {
    const until = new Date(endsMs).toISOString();
    throw new CertificateError(`${files.cert} ended ${until}: renew it ("npx bazaar certs renew")`);
  }
  return { texts, endsMs };
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isOf(certificate: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  return authorities.some((authority) => {
    try {
      return certificate.verify(authority.publicKey);
    } catch {
      return false; // a key of another kind
    }
  });
}

/** All certificates in a PEM text. Throws CertificateError for one that can't be read. */
function certificatesIn(path: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) =>
    attempt(path, "no certificate that can be read", () => new X509Certificate(block)),
  );
}

function attempt<T>(path: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new CertificateError(`${path} holds ${what}: ${errorText(error)}`);
  }
}

function readKey(path: string): string {
  const text = readText(path);
  const { mode } = statSync(path);
  if ((mode & OTHERS) !== 0) {
    throw new CertificateError(`${path} is open to other users: chmod o-rwx ${path}`);
  }
  return text;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CertificateError(`${path} can't be read: ${errorText(error)}`);
  }
}

/** Another text whenever one of the files is another, or has changed. */
function seen({ cert, key, ca }: CertificateFiles): string {
  const parts = [cert, key, ca].map((path) => {
    if (path === null) return "";
    const found = statSync(path, { throwIfNoEntry: false });
    return found ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}` : "none";
  });
  return parts.join("|");
}
