// Two processes of one name, which an operator's second command makes, or one
// configuration used on two hosts: who is who.
//
//   N1. A name tells people who it is, not rules. A process is known by its link,
//       which it made when it started: two of one name are two, and when one
//       leaves it takes nothing away from the other.
//   N2. Where rules need one process a name, the first that lives is heard, and
//       the others wait until it is gone and its lease has ended, which a lost
//       connection doesn't end: holders are counted by name, and what another
//       process of the name holds says nothing of the first.

const SEPARATOR = "/";

/** Who holds a lease: this link of a process of this name. N1 */
export function holderOf(name: string, link: string): string {
  return `${name}${SEPARATOR}${link}`;
}

/** The name that a holder has for people. */
export function nameOf(holder: string): string {
  return holder.slice(0, holder.indexOf(SEPARATOR));
}

/** What is looked at of a connection. */
interface Linked {
  /** Of the process at the other end; the same over all its connections. */
  readonly link: string;
}

interface Speaker<C> {
  readonly link: string;
  /** Null once it is over. */
  readonly connection: C | null;
  readonly leftAtMs: number;
}

/** For each name the process that is heard, and the connection over which. N2 */
export class Speakers<C extends Linked> {
  readonly #leaseMs: number;
  readonly #heard = new Map<string, Speaker<C>>();

  /** `leaseMs`: how long a lease may run on after its holder's connection is gone, clocks' margin included. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Whether `connection` is heard as `name`, at `nowMs`. */
  speaks(name: string, connection: C, nowMs: number): boolean {
    const heard = this.#heard.get(name);
    if (heard?.connection === connection) return true;
    if (heard?.connection) return false;
    const { link } = connection;
    if (heard && heard.link !== link && nowMs < heard.leftAtMs + this.#leaseMs) return false;
    this.#heard.set(name, { link, connection, leftAtMs: 0 });
    return true;
  }

  /** That connection is over. */
  left(name: string, connection: C, nowMs: number): void {
    const heard = this.#heard.get(name);
    if (heard?.connection !== connection) return;
    this.#heard.set(name, { link: heard.link, connection: null, leftAtMs: nowMs });
  }
}
