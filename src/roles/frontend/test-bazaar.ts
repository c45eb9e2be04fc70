// For tests: an order replica that always leads, and a catalog, over real
// connections, with one market behind both. A trade is answered once the
// catalog's front ends have dropped the stock, as in the real one.

import pino from "pino";
import { listen } from "../../io/rpc/listen.ts";
import { SECRET } from "../../io/rpc/testing.ts";
import type { Calls, Listener, Peer } from "../../io/rpc/types.ts";
import { type Answer, catalogContract, frontendContract, orderContract } from "../contract.ts";
import type { TestMarket } from "./test-market.ts";

const BEAT_MS = 20;
const log = pino({ level: "silent" });

const servedByReplica = {
  ask: orderContract.ask,
  health: orderContract.health,
  nominate: orderContract.nominate,
  notifyLeader: orderContract.notifyLeader,
};
const servedByCatalog = {
  lookup: catalogContract.lookup,
  stocks: catalogContract.stocks,
  status: catalogContract.status,
};

/** A listener that can be closed and opened again on its port, and hang. */
abstract class TestRole {
  readonly market: TestMarket;
  port = 0;
  /** Answers nothing, though its connections stay open: a stopped process. What waits is answered when it goes on. */
  get hangs(): boolean {
    return this.#hangs !== null;
  }
  set hangs(hangs: boolean) {
    this.#hangs?.resolve();
    this.#hangs = hangs ? Promise.withResolvers<void>() : null;
  }
  #hangs: PromiseWithResolvers<void> | null = null;
  protected listener: Listener | null = null;

  constructor(market: TestMarket) {
    this.market = market;
  }

  abstract open(): Promise<void>;

  async close(): Promise<void> {
    await this.listener?.close();
    this.listener = null;
  }

  protected unlessHanging<T>(answer: T): T | Promise<T> {
    return this.#hangs ? this.#hangs.promise.then(() => answer) : answer;
  }
}

export class TestCatalog extends TestRole {
  readonly name: string;
  /** The names of each lookup call, in order. */
  readonly lookups: (readonly string[])[] = [];
  readonly #frontends = new Map<Peer, Calls<typeof frontendContract>>();

  constructor(market: TestMarket, name = "catalog") {
    super(market);
    this.name = name;
  }

  async open(): Promise<void> {
    this.listener = await listen({
      host: "127.0.0.1",
      port: this.port,
      secret: SECRET,
      identity: { role: "catalog", name: this.name },
      contract: servedByCatalog,
      handlers: {
        lookup: ({ names }) => {
          this.lookups.push(names);
          return this.unlessHanging(this.market.lookupNow(names));
        },
        stocks: () => this.unlessHanging(this.market.stocksNow()),
        status: () => this.unlessHanging({ role: this.name, pid: 1, up: true as const }),
      },
      log,
      onOpen: (peer) => this.#frontends.set(peer, peer.calls(frontendContract)),
      onClose: (peer) => this.#frontends.delete(peer),
    });
    this.port = this.listener.port;
  }

  /** Settles once all its front ends have dropped these stocks. */
  async invalidate(names: string[], position: number): Promise<void> {
    const calls = [...this.#frontends.values()];
    await Promise.all(calls.map((frontend) => frontend.invalidate({ names, position })));
  }
}

export class TestReplica extends TestRole {
  readonly #catalog: TestCatalog;
  #beats: NodeJS.Timeout | undefined;

  constructor(market: TestMarket, catalog: TestCatalog) {
    super(market);
    this.#catalog = catalog;
  }

  async open(): Promise<void> {
    this.listener = await listen({
      host: "127.0.0.1",
      port: this.port,
      secret: SECRET,
      identity: { role: "order", name: "order-test" },
      contract: servedByReplica,
      handlers: {
        ask: async ({ questions }) => {
          const answers: Answer[] = [];
          for (const question of questions) {
            answers.push(this.market.answer(question));
            if (question.kind !== "request") continue;
            await this.#catalog.invalidate([question.content.name], this.market.position);
          }
          return this.unlessHanging({ kind: "answers" as const, answers });
        },
        health: () => this.#health(),
        nominate: () => ({ kind: "leading" as const, epoch: 1 }),
        notifyLeader: () => ({}),
      },
      log,
    });
    this.port = this.listener.port;
    this.#beats = setInterval(() => this.#beat(), BEAT_MS);
  }

  override async close(): Promise<void> {
    clearInterval(this.#beats);
    await super.close();
  }

  #beat(): void {
    for (const peer of this.listener?.peers ?? []) {
      peer.calls(frontendContract).beat(this.#health());
    }
  }

  #health() {
    const { port, market } = this;
    const position = market.position;
    return {
      replica: port,
      leads: true,
      leader: port,
      epoch: 1,
      lastPosition: position,
      commitPosition: position,
    };
  }
}
