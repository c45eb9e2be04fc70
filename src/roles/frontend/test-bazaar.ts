// For tests: an order replica that always leads, and a catalog, over real
// connections, with one market behind both. A trade is answered once the
// catalog's front ends have dropped the stock, as in the real one.

import pino from "pino";
import { LEASE_MS } from "../../core/coherence/limits.ts";
import { listen } from "../../io/rpc/listen.ts";
import { SECRET, TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Calls, Listener, Peer } from "../../io/rpc/types.ts";
import { type Answer, catalogContract, frontendContract, orderContract } from "../contract.ts";
import type { TestMarket } from "./test-market.ts";

const BEAT_MS = 20;
/** The id of the only replica, whatever its port is. */
export const [REPLICA = 0] = TEST_CLUSTER.members;
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
  lease: catalogContract.lease,
  holding: catalogContract.holding,
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
  /** Whether the leader lets it answer. */
  leased = true;
  /** The names of each lookup call, in order. */
  readonly lookups: (readonly string[])[] = [];
  readonly #frontends = new Map<Peer, Calls<typeof frontendContract>>();
  /** Everything up to here was sent to be held. */
  #sent = 0;
  /** Settle once each front end that is connected holds what it was sent. */
  readonly #holding = new Map<Peer, (through: number) => void>();

  constructor(market: TestMarket, name = "catalog") {
    super(market);
    this.name = name;
  }

  async open(): Promise<void> {
    this.listener = await listen({
      host: "127.0.0.1",
      port: this.port,
      credentials: { secret: SECRET, certificates: null },
      identity: { role: "catalog", name: this.name, cluster: TEST_CLUSTER },
      contract: servedByCatalog,
      handlers: {
        lookup: ({ names }) => {
          this.lookups.push(names);
          return this.unlessHanging(this.#ifLeased(this.market.lookupNow(names)));
        },
        stocks: (question) => this.unlessHanging(this.#ifLeased(this.market.stocksNow(question))),
        lease: ({ ask }) => {
          const { position } = this.market;
          const grant = { epoch: 1, ask, ms: LEASE_MS, exposed: position, sent: this.#sent };
          return this.unlessHanging({ grant: this.leased ? grant : null });
        },
        holding: ({ through }, peer) => this.#holding.get(peer)?.(through),
        status: () => this.unlessHanging({ role: this.name, pid: 1, up: true as const }),
      },
      log,
      onOpen: (peer) => this.#frontends.set(peer, peer.calls(frontendContract)),
      onClose: (peer) => this.#frontends.delete(peer),
    });
    this.port = this.listener.port;
  }

  #ifLeased<T>(answer: T): T | { kind: "unleased" } {
    return this.leased ? answer : { kind: "unleased" };
  }

  /** Settles once all its front ends hold this. */
  async hold(names: string[], through: number): Promise<void> {
    const after = this.#sent;
    this.#sent = through;
    const held = [...this.#frontends].map(([peer, frontend]) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#holding.set(peer, (upTo) => upTo >= through && resolve());
      frontend.hold({ after, through, names });
      return promise;
    });
    await Promise.all(held);
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
      credentials: { secret: SECRET, certificates: null },
      identity: { role: "order", name: "order-9094", cluster: TEST_CLUSTER },
      contract: servedByReplica,
      handlers: {
        ask: async ({ questions }) => {
          const answers: Answer[] = [];
          for (const question of questions) {
            answers.push(this.market.answer(question));
            if (question.kind !== "request") continue;
            await this.#catalog.hold([question.content.name], this.market.position);
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
    const { position } = this.market;
    return {
      replica: REPLICA,
      leads: true,
      leader: REPLICA,
      epoch: 1,
      lastPosition: position,
      commitPosition: position,
    };
  }
}
