// The last messages of /events, so that a reader that was away finds what it missed.
//
//   - Ids are consecutive within one ring, and carry the ring's own name, so
//     that an id of another process (or of this one before it was restarted)
//     is never taken for one of ours.
//   - What is kept is bounded, in messages and in bytes; who was away for
//     longer gets a whole picture instead of a hole.

/** A message as it goes over the wire. */
export interface Sent {
  readonly text: string;
  readonly bytes: number;
}

export class EventRing {
  readonly #name: string;
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #kept: Sent[] = [];
  #bytes = 0;
  #last = 0;

  /** `name`: what tells this ring from all others; letters and digits. */
  constructor(options: {
    readonly name: string;
    readonly messagesMax: number;
    readonly bytesMax: number;
  }) {
    this.#name = options.name;
    this.#messagesMax = options.messagesMax;
    this.#bytesMax = options.bytesMax;
  }

  /** The id of the newest message: of a whole picture made now, too. */
  get lastId(): string {
    return `${this.#name}-${this.#last}`;
  }

  /** Keeps a change under the next id. Returns it as it is sent. */
  add(event: string, data: unknown): Sent {
    this.#last += 1;
    const sent = messageOf(event, data, this.lastId);
    this.#kept.push(sent);
    this.#bytes += sent.bytes;
    while (this.#kept.length > this.#messagesMax || this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#kept.shift()?.bytes ?? 0;
    }
    return sent;
  }

  /** From now on something is missing: who was here before needs a whole picture. */
  forget(): void {
    this.#last += 1;
    this.#kept = [];
    this.#bytes = 0;
  }

  /** What came after this id, in order; null when that isn't known (any more). */
  after(id: string): readonly Sent[] | null {
    const match = /^([a-z0-9]+)-(\d{1,15})$/.exec(id);
    if (!match || match[1] !== this.#name) return null;
    const missed = this.#last - Number(match[2]);
    if (missed < 0 || missed > this.#kept.length) return null;
    return missed === 0 ? [] : this.#kept.slice(-missed);
  }
}

/** One server-sent event. */
export function messageOf(event: string, data: unknown, id: string): Sent {
  const text = `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  return { text, bytes: Buffer.byteLength(text) };
}
