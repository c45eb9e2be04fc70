// Two processes of one name, which an operator's second command makes, or one
// configuration used on two hosts: who is who.
//
// A name tells people who it is, not rules. A process is known by its link, which it
// made when it started: two of one name are two, and when one leaves it takes
// nothing away from the other. Where rules need one process a name, of catalogs,
// coherence/hearing.ts says which.

const SEPARATOR = "/";

/** Who holds a lease: this link of a process of this name. */
export function holderOf(name: string, link: string): string {
  return `${name}${SEPARATOR}${link}`;
}

/** The name that a holder has for people. */
export function nameOf(holder: string): string {
  return holder.slice(0, holder.indexOf(SEPARATOR));
}
