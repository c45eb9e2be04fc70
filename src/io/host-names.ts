// Who asks, and under which name: whether a connection comes from this machine,
// and whether a request's Host header is one that this process answers to.
//
// A site can point a name of its own at this machine (DNS rebinding); its pages
// then ask as if they were ours, and only the name in Host gives them away. An
// address in Host is no name: nobody else can point it here.

import { isIP } from "node:net";

/** True for an address of the loopback interface, IPv4 (also as IPv6 writes it) or IPv6; false for none. */
export function isLoopback(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/, "") ?? "";
  return plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/** Whether `text` is an address, or a range of them: 10.0.0.0/8. */
export function isAddressRange(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const bitsMax = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (bits === undefined) return bitsMax > 0;
  return rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax;
}

/** True for a host, as people write it, that is reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const name = canonicalHost(host) ?? "";
  // Names in localhost are this machine's everywhere: RFC 6761, section 6.3.
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    isLoopback(name.replace(/^\[(.*)\]$/, "$1"))
  );
}

/** A name or an address, IPv6 in brackets, and a port if there is one. RFC 9110, section 7.2 */
const HOST_AND_PORT = /^([\w.-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(?::\d{0,5})?$/;

/** What a URL may name beside it, `*` say, nobody is called. */
const NAME = /^(?:[\w.-]+|\[[0-9a-f:.]+\])$/;

/**
 * The host in the value of a Host header as it is compared: without its port and
 * the dot of a full name, in lower case, addresses as URLs write them (IPv6 in
 * brackets). Null when it isn't one host.
 */
export function hostIn(header: string): string | null {
  const [, host] = HOST_AND_PORT.exec(header) ?? [];
  return host === undefined ? null : canonical(host);
}

/** The same for a host as people write it: also IPv6 without brackets, and names beyond ASCII. Null when it is none. */
export function canonicalHost(host: string): string | null {
  if (/[\s/?#@\\]/.test(host)) return null;
  return canonical(isIP(host) === 6 ? `[${host.replace(/%.*/, "")}]` : host);
}

function canonical(host: string): string | null {
  const url = URL.parse(`http://${host}/`);
  if (url === null || url.port !== "" || url.username !== "") return null;
  const name = url.hostname.replace(/\.$/, "");
  return NAME.test(name) ? name : null;
}

/** Values of Host headers that are remembered as good: ports and spellings differ, but not many at one place. */
const REMEMBERED_MAX = 64;

/** The names that a listening process answers to. */
export class HostNames {
  readonly #names: ReadonlySet<string>;
  /** It listens on all addresses of the machine, those included that a network maps to it. */
  readonly #isAnyAddress: boolean;
  readonly #good = new Set<string>();

  /** `listensOn` as in the configuration; `allowed`: further names and addresses. */
  constructor(listensOn: string, allowed: readonly string[]) {
    const names = [listensOn, ...allowed].map(canonicalHost);
    this.#names = new Set(names.filter((name) => name !== null));
    this.#isAnyAddress = this.#names.has("0.0.0.0") || this.#names.has("[::]");
  }

  /** Whether the value of a Host header is one of them, whatever the port. */
  has(header: string | undefined): boolean {
    if (header === undefined) return false;
    if (this.#good.has(header)) return true;
    const host = hostIn(header);
    if (host === null || !this.#answersTo(host)) return false;
    if (this.#good.size < REMEMBERED_MAX) this.#good.add(header);
    return true;
  }

  #answersTo(host: string): boolean {
    if (isLoopbackHost(host) || this.#names.has(host)) return true;
    const address = host.replace(/^\[(.*)\]$/, "$1");
    return this.#isAnyAddress && isIP(address) !== 0;
  }
}
