// The feed behind GET /events: looks at what changed four times a second, and
// says it once to all who watch.
//
//   - Nothing is looked at or asked while nobody watches, nor for more than a
//     minute after; only counting goes on.
//   - A trade's cost doesn't depend on who watches: it is counted, and the
//     messages are made by the clock.
//
// What is seen of each part is in the files named events-….ts.

import type { Logger } from "pino";
import type {
  CachePart,
  ChangeMessage,
  ClusterPart,
  KeyPart,
  Moment,
  OrderRow,
  RatePoint,
  StateMessage,
} from "../../../client/event-messages.ts";
import { RIGHTS } from "../../../core/market/keys.ts";
import type { Grant } from "../http/access.ts";
import type { WatchedEnd } from "../orders/trades.ts";
import type { WatchedCache } from "./events-cache.ts";
import type { WatchedCluster } from "./events-cluster.ts";
import {
  MOMENTS_MAX,
  RATES_KEPT_S,
  RING_BYTES_MAX,
  RING_MESSAGES_MAX,
  RING_MS,
  SILENCE_MAX_MS,
  TICK_MS,
} from "./events-limits.ts";
import type { Probes } from "./events-probes.ts";
import { Rates } from "./events-rates.ts";
import { type ReaderSocket, Readers } from "./events-readers.ts";
import { EventRing, messageOf } from "./events-ring.ts";
import type { WatchedStocks } from "./events-stocks.ts";
import type { Tape } from "./events-tape.ts";

export interface FeedOptions {
  readonly tape: Tape;
  readonly stocks: WatchedStocks;
  readonly cluster: WatchedCluster;
  readonly cache: WatchedCache;
  readonly probes: Pick<Probes, "ask">;
  readonly log: Logger;
  /** Tells this process from all others; letters and digits. */
  readonly name: string;
  /** Milliseconds of a clock that never goes back, and milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  /** Default: as in events-limits.ts. */
  readonly unreadBytesMax?: number;
}

const PROBE_TICKS = 1_000 / TICK_MS;

export class Feed {
  readonly #options: FeedOptions;
  readonly #ring: EventRing;
  readonly #readers: Readers;
  readonly #rates = new Rates();
  readonly #second: NodeJS.Timeout;
  #ticks: NodeJS.Timeout | null = null;
  /** Settles when what a first picture needs was asked for, or waited for long enough. */
  #waking: Promise<void> | null = null;
  #tickCount = 0;
  #watchedMs = 0;
  #saidMs = 0;
  #hadOrders = false;
  #told = { lastOrder: 0, failed: 0 };
  #newRates: RatePoint[] = [];
  #moments: readonly Moment[] = [];
  #cluster: ClusterPart;
  #toldCluster = "";
  #toldCache = "";

  constructor(options: FeedOptions) {
    this.#options = options;
    const { name, unreadBytesMax } = options;
    this.#ring = new EventRing({
      name,
      messagesMax: RING_MESSAGES_MAX,
      bytesMax: RING_BYTES_MAX,
    });
    const { nowMs } = options;
    this.#readers = new Readers({ nowMs, ...(unreadBytesMax !== undefined && { unreadBytesMax }) });
    this.#cluster = options.cluster.look(options.nowMs(), options.wallMs());
    options.cluster.rest();
    this.#second = setInterval(() => this.#endSecond(), 1_000);
    this.#second.unref();
  }

  /** A trade was answered, or not in time; `order` when it was accepted. */
  traded(end: WatchedEnd, ms: number, order: OrderRow | null): void {
    this.#rates.traded(end, ms);
    if (end === "failed") this.#told.failed += 1;
    if (order !== null) this.#told.lastOrder = Math.max(this.#told.lastOrder, order.number);
    if (order !== null && this.#ticks !== null) this.#options.tape.traded(order);
  }

  /** Another leader was found, or the known one lost. */
  led(leader: number | null): void {
    this.#options.cluster.led(leader, this.#options.nowMs(), this.#options.wallMs());
  }

  /** The greatest number that a trade was answered with here, and how many trades got no answer. */
  get told(): { readonly lastOrder: number; readonly failed: number } {
    return this.#told;
  }

  /** False when there are too many readers already, and none has been there for long. */
  get isOpen(): boolean {
    return this.#readers.isOpen;
  }

  get readers(): Pick<Readers, "count" | "dropped"> {
    return this.#readers;
  }

  /**
   * One more reader; `lastId` is the id of the last message it had, if it had one. It reads for as
   * long as what it was let in by holds: for ever, where there is nothing to let it in.
   */
  async watch(
    reader: ReaderSocket,
    lastId: string | undefined,
    grant: Pick<Grant, "owner" | "may" | "holds"> | null = null,
  ): Promise<void> {
    this.#readers.join(reader, grant?.holds); // before anything is waited for: others come meanwhile
    if (this.#ticks === null) this.#waking = this.#wake();
    await this.#waking;
    if (reader.destroyed) return;
    const missed = lastId === undefined ? null : this.#ring.after(lastId);
    // What is in the picture mustn't come again as a change.
    if (!missed) this.#say(this.#options.nowMs());
    const first = missed
      ? missed.map(({ text }) => text).join("")
      : messageOf("state", this.#state(keyOf(grant)), this.#ring.lastId).text;
    this.#readers.begin(reader, first);
  }

  close(): void {
    clearInterval(this.#second);
    this.#sleep();
    this.#readers.close();
  }

  /** Begins to look. Settles once there is something to show, or soon after. */
  async #wake(): Promise<void> {
    const { stocks, nowMs } = this.#options;
    this.#watchedMs = nowMs();
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
    const listed = this.#quietly(stocks.ask(nowMs(), true));
    const probed = this.#quietly(this.#options.probes.ask());
    const read = this.#quietly(this.#options.tape.read());
    await Promise.race([
      Promise.all([listed, probed, read]),
      new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS)),
    ]);
  }

  #sleep(): void {
    if (this.#ticks !== null) clearInterval(this.#ticks);
    this.#ticks = null;
    this.#ring.forget();
    this.#options.tape.rest();
    this.#options.cluster.rest();
  }

  #tick(): void {
    const { tape, stocks, probes, nowMs } = this.#options;
    const now = nowMs();
    if (this.#readers.count > 0) this.#watchedMs = now;
    if (now - this.#watchedMs > RING_MS) {
      this.#sleep();
      return;
    }
    this.#tickCount += 1;
    this.#readers.endUnwanted();
    this.#say(now);
    void this.#quietly(tape.read());
    void this.#quietly(stocks.ask(now, this.#hadOrders));
    if (this.#tickCount % PROBE_TICKS === 0) void this.#quietly(probes.ask());
  }

  /** One message with what changed, if anything did. */
  #say(nowMs: number): void {
    const { tape, stocks, cluster, cache, wallMs } = this.#options;
    const at = wallMs();
    stocks.step(nowMs);
    this.#cluster = cluster.look(nowMs, at);
    const moments = cluster.take();
    this.#moments = [...this.#moments, ...moments].slice(-MOMENTS_MAX);
    const orders = tape.take();
    this.#hadOrders = orders !== null;
    const rows = stocks.take();
    const rates = this.#newRates;
    this.#newRates = [];
    const look = cache.look();
    const change: ChangeMessage = {
      at,
      ...(rows && { stocks: rows }),
      ...(orders && { orders }),
      ...(rates.length > 0 && { rates }),
      ...(moments.length > 0 && { moments }),
      ...this.#changedCluster(),
      ...this.#changedCache(look),
    };
    if (Object.keys(change).length === 1 && nowMs - this.#saidMs < SILENCE_MAX_MS) return;
    this.#saidMs = nowMs;
    this.#readers.send(this.#ring.add("change", change));
  }

  #changedCluster(): { cluster?: ClusterPart } {
    const text = JSON.stringify(this.#cluster);
    if (text === this.#toldCluster) return {};
    this.#toldCluster = text;
    return { cluster: this.#cluster };
  }

  #changedCache(cache: CachePart): { cache?: CachePart } {
    const text = JSON.stringify(cache);
    if (text === this.#toldCache) return {};
    this.#toldCache = text;
    return { cache };
  }

  #state(key: KeyPart | null): StateMessage {
    const { tape, stocks, cache, wallMs } = this.#options;
    return {
      at: wallMs(),
      stocks: stocks.all,
      trails: stocks.trails,
      orders: tape.newest,
      rates: this.#rates.points.slice(-RATES_KEPT_S),
      cluster: this.#cluster,
      moments: this.#moments,
      cache: cache.look(),
      key,
    };
  }

  #endSecond(): void {
    const { cache, wallMs } = this.#options;
    const point = this.#rates.second(wallMs() - 1_000, cache.lookups);
    if (this.#ticks !== null) this.#newRates.push(point);
  }

  /** What watching does wrong is logged, and nobody's trade fails for it. */
  async #quietly(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#options.log.warn({ err: error }, "The feed of events couldn't be filled");
    }
  }
}

/** What the page tells of the key that its visitor gave. */
function keyOf(grant: Pick<Grant, "owner" | "may"> | null): KeyPart | null {
  if (grant === null || grant.owner === null) return null;
  return { name: grant.owner, may: RIGHTS.filter((right) => grant.may(right)) };
}
