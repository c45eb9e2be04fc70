// One link between two roles, as a TCP proxy that can be cut.
//
// A cut direction forwards nothing: no bytes, no end, no reset. Connections stay
// open and what was sent waits, as it does when a network loses packets and TCP
// sends them again later; so a cut that heals is a stall. Or it heals by a
// reset, and what waited is lost.
//
// Own code, since the proxies that exist for this are services to install and
// steer from outside, and this needs to know of sockets only.

import { createServer, type Server, Socket } from "node:net";

export type Direction = "there" | "back";

/** Where to listen, or to connect to. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

export class Link {
  readonly #server: Server;
  readonly #to: Place;
  readonly #connections = new Set<Forwarded>();
  /** Cuts of each direction that haven't healed yet. */
  readonly #cuts: Record<Direction, number> = { there: 0, back: 0 };

  private constructor(to: Place) {
    this.#to = to;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** Listens at `from` and connects each connection on to `to`. */
  static async open(from: Place, to: Place): Promise<Link> {
    const link = new Link(to);
    await new Promise<void>((resolve, reject) => {
      link.#server.once("error", reject);
      link.#server.listen({ ...from }, resolve);
    });
    return link;
  }

  /** Where it listens, which the system chose if it was asked for port 0. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  /** Cuts these directions; returns what heals this cut. Of cuts that overlap, the last one to heal counts. */
  cut(directions: readonly Direction[]): () => void {
    for (const direction of directions) this.#count(direction, 1);
    let isHealed = false;
    return () => {
      if (isHealed) return;
      isHealed = true;
      for (const direction of directions) this.#count(direction, -1);
    };
  }

  /** Ends all connections as if the network had lost them; new ones are taken. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  close(): void {
    this.#server.close();
    this.reset();
  }

  #count(direction: Direction, by: number): void {
    this.#cuts[direction] += by;
    for (const connection of this.#connections) this.#apply(connection, direction);
  }

  #apply(connection: Forwarded, direction: Direction): void {
    connection[direction].isCut(this.#cuts[direction] > 0);
  }

  #accept(near: Socket): void {
    const far = new Socket({ allowHalfOpen: true });
    const connection = new Forwarded(near, far, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    this.#apply(connection, "there");
    this.#apply(connection, "back");
    far.connect({ ...this.#to });
  }
}

/** One connection on its way through. */
class Forwarded {
  readonly there: Pump;
  readonly back: Pump;
  readonly #sockets: readonly [Socket, Socket];

  constructor(near: Socket, far: Socket, over: () => void) {
    this.#sockets = [near, far];
    this.there = new Pump(near, far);
    this.back = new Pump(far, near);
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on("close", () => {
        if (near.destroyed && far.destroyed) over();
      });
    }
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

/** One direction of a connection. */
class Pump {
  readonly #source: Socket;
  readonly #sink: Socket;
  #cut = false;
  /** Read before the cut took effect. */
  #held: Buffer[] = [];
  #ended = false;
  #failed = false;

  constructor(source: Socket, sink: Socket) {
    this.#source = source;
    this.#sink = sink;
    source.on("data", (chunk: Buffer) => {
      this.#held.push(chunk);
      this.#flow();
    });
    source.on("end", () => {
      this.#ended = true;
      this.#flow();
    });
    source.on("error", () => {
      this.#failed = true;
    });
    source.on("close", () => {
      this.#ended = true;
      this.#flow();
    });
    sink.on("drain", () => this.#flow());
  }

  isCut(cut: boolean): void {
    this.#cut = cut;
    this.#flow();
  }

  #flow(): void {
    if (this.#cut) {
      this.#source.pause();
      return;
    }
    if (this.#failed) {
      this.#sink.resetAndDestroy();
      return;
    }
    const held = this.#held;
    this.#held = [];
    let takesMore = true;
    for (const chunk of held) takesMore = this.#sink.writable ? this.#sink.write(chunk) : true;
    if (this.#ended) this.#sink.end();
    else if (takesMore) this.#source.resume();
    else this.#source.pause();
  }
}
