// Two processes of one name, which an operator's second command makes, or one
// configuration used on two hosts: who is who.
//
//   N1. A name tells people who it is, not rules. A process is known by its link,
//       which it made when it started: two of one name are two, and when one
//       leaves it takes nothing away from the other.
//   N2. Where rules need one process a name, the first that lives is heard, and
//       the others wait until it is gone: a new leader waits for the leases of all
//       configured catalogs, and could not tell two of one name apart.

const SEPARATOR = "/";

/** Who holds a lease: this link of a process of this name. N1 */
export function holderOf(name: string, link: string): string {
  return `${name}${SEPARATOR}${link}`;
}

/** The name that a holder has for people. */
export function nameOf(holder: string): string {
  return holder.slice(0, holder.indexOf(SEPARATOR));
}

/** For each name the connection that is heard. N2 */
export class Speakers<C> {
  readonly #heard = new Map<string, C>();

  /** Whether `connection` is heard as `name`: it is, or nobody else of that name was before. */
  speaks(name: string, connection: C): boolean {
    const heard = this.#heard.get(name);
    if (heard !== undefined) return heard === connection;
    this.#heard.set(name, connection);
    return true;
  }

  /** That connection is over. */
  left(name: string, connection: C): void {
    if (this.#heard.get(name) === connection) this.#heard.delete(name);
  }
}
