// R5, seen from outside: who has no quorum left for what it leads with leads no
// more, and who ended with refusals of what wasn't committed not again, unchecked.

import type { ReplicaStatus } from "../src/core/replication/replica.ts";
import type { Envelope } from "../src/core/replication/types.ts";
import { Violation } from "./violation.ts";

interface Judged {
  status(): Pick<ReplicaStatus, "phase" | "epoch" | "commitPosition">;
}

/** Of one life of a replica. */
export class RefusalCheck {
  readonly #name: string;
  readonly #replicas: number;
  /** Who won't have what it leads with, and from which position on. */
  readonly #refusals = new Map<number, number>();
  /** Its reign ended with refusals of what wasn't committed, and it hasn't checked its file since. */
  #mustCheck = false;

  constructor(name: string, replicas: number) {
    this.#name = name;
    this.#replicas = replicas;
  }

  /** Somebody won't have what this one leads with, or has it after all. */
  hear({ from, message }: Envelope, replica: Judged): void {
    if (message.kind !== "misfit" && (message.kind !== "ack" || this.#refusals.size === 0)) return;
    const { phase, epoch } = replica.status();
    if (phase !== "leading" || message.epoch !== epoch) return;
    if (message.kind === "ack") this.#refusals.delete(from);
    else this.#refusals.set(from, message.position);
  }

  checkedFile(): void {
    this.#mustCheck = false;
  }

  /** After each step. */
  check(replica: Judged): void {
    if (this.#refusals.size === 0 && !this.#mustCheck) return;
    const { phase, commitPosition } = replica.status();
    const isLeading = phase === "leading";
    const refusing = [...this.#refusals.values()].filter((position) => position > commitPosition);
    const isOver = 2 * (this.#replicas - refusing.length) <= this.#replicas;
    if (isLeading && (isOver || this.#mustCheck))
      throw new Violation(`R5: ${this.#name} leads, though others refuse what it leads with`);
    if (!isLeading && this.#refusals.size > 0) {
      if (refusing.length > 0) this.#mustCheck = true;
      this.#refusals.clear();
    }
  }
}
