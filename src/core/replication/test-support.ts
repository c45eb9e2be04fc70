// Several replica cores in one test: messages wait on the wire and writes beside
// the disk until the test moves them, and the clock stands still until it is
// set. What names no message or write that is there throws, so that no test
// passes by moving nothing.

import { FIRST_INCARNATION } from "./admissions.ts";
import type { ReplicaEffect, ReplicaEvent } from "./events.ts";
import type { Judge } from "./judge.ts";
import { HEARTBEAT_MS, MESSAGE_BYTES_MAX } from "./limits.ts";
import { Replica, type ReplicaStatus } from "./replica.ts";
import { bytesOf, LENIENT, TestDisk, textOf } from "./test-disk.ts";
import type { Entry, EpochPromise, Incarnation, Message, ReplicaId } from "./types.ts";

/** Deliveries in one settling; more means that it never ends. */
const DELIVERIES_MAX = 10_000;

/** A message on its way. */
export interface OnWire<M extends Message = Message> {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly incarnation: Incarnation;
  readonly message: M;
}

type Kind = Message["kind"];
type OfKind<K extends Kind> = OnWire<Extract<Message, { kind: K }>>;

/** Which messages on the wire are meant. */
export interface Which<K extends Kind = Kind> {
  readonly kind?: K;
  readonly from?: ReplicaId;
  readonly to?: ReplicaId;
}

/** One step that a replica took, for transcripts. */
export interface TakenStep {
  readonly nowMs: number;
  readonly id: ReplicaId;
  /** Text for what isn't an event of the core: a crash, a start. */
  readonly event: ReplicaEvent | string;
  readonly effects: readonly ReplicaEffect[];
}

interface Member {
  readonly id: ReplicaId;
  incarnation: Incarnation;
  disk: TestDisk;
  /** Null while it is down. */
  core: Replica | null;
  effects: ReplicaEffect[];
}

export interface ClusterOptions {
  readonly replicas?: readonly ReplicaId[];
  /** What each has on disk at first; nothing if not given. */
  readonly journals?: Readonly<Record<ReplicaId, readonly Entry[]>>;
  /** What each has promised; the newest epoch of all journals if not given. */
  readonly promises?: Readonly<Record<ReplicaId, EpochPromise>>;
  /** Default: the core's own. */
  readonly messageBytesMax?: number;
  /** What judges a replica's entries, made at each of its starts; has nothing against any if not given. */
  readonly judgeOf?: (id: ReplicaId) => Judge;
}

export class Cluster {
  readonly ids: readonly ReplicaId[];
  readonly steps: TakenStep[] = [];
  nowMs = 1_000;
  wire: OnWire[] = [];
  readonly #members: ReadonlyMap<ReplicaId, Member>;
  readonly #messageBytesMax: number;
  readonly #judgeOf: (id: ReplicaId) => Judge;

  /** All start at once, connected. */
  constructor(options: ClusterOptions = {}) {
    const { replicas = [9090, 9092, 9094], journals = {}, promises = {} } = options;
    this.ids = replicas;
    this.#judgeOf = options.judgeOf ?? (() => LENIENT);
    this.#messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
    const newest = Math.max(0, ...Object.values(journals).map((held) => held.at(-1)?.epoch ?? 0));
    this.#members = new Map(
      replicas.map((id): [ReplicaId, Member] => {
        const promise = promises[id] ?? { epoch: newest, nominee: 0 };
        const disk = new TestDisk(journals[id], { promise });
        return [id, { id, incarnation: FIRST_INCARNATION, disk, core: null, effects: [] }];
      }),
    );
    for (const id of replicas) this.start(id);
    this.steps.length = 0;
  }

  #member(id: ReplicaId): Member {
    const member = this.#members.get(id);
    if (!member) throw new Error(`no replica ${id}`);
    return member;
  }

  #core(id: ReplicaId): Replica {
    const { core } = this.#member(id);
    if (!core) throw new Error(`${id} is down`);
    return core;
  }

  // ---- what there is

  disk(id: ReplicaId): TestDisk {
    return this.#member(id).disk;
  }

  status(id: ReplicaId): ReplicaStatus {
    return this.#core(id).status();
  }

  isUp(id: ReplicaId): boolean {
    return this.#member(id).core !== null;
  }

  /** The ids of those that lead, with their reigns committed. */
  get leaders(): ReplicaId[] {
    return this.ids.filter((id) => this.#member(id).core?.status().leads);
  }

  entries(id: ReplicaId): readonly Entry[] {
    const core = this.#core(id);
    const entries: Entry[] = [];
    for (;;) {
      const more = core.entriesAfter(entries.length, Number.MAX_SAFE_INTEGER);
      if (more.length === 0) return entries;
      entries.push(...more);
    }
  }

  texts(id: ReplicaId): string[] {
    return this.entries(id).map(textOf);
  }

  /** Takes the effects of a kind that came out of a replica since they were taken last. */
  take<K extends ReplicaEffect["kind"]>(
    id: ReplicaId,
    kind: K,
  ): Extract<ReplicaEffect, { kind: K }>[] {
    const member = this.#member(id);
    const isMeant = (effect: ReplicaEffect): effect is Extract<ReplicaEffect, { kind: K }> =>
      effect.kind === kind;
    const taken = member.effects.filter(isMeant);
    member.effects = member.effects.filter((effect) => !isMeant(effect));
    return taken;
  }

  // ---- steps

  step(id: ReplicaId, event: ReplicaEvent): readonly ReplicaEffect[] {
    const member = this.#member(id);
    const effects = this.#core(id).step({ now: this.nowMs, wallMs: 0 }, event);
    this.steps.push({ nowMs: this.nowMs, id, event, effects });
    for (const effect of effects) {
      if (effect.kind === "send") {
        const { incarnation } = member;
        this.wire.push({ from: id, to: effect.to, incarnation, message: effect.message });
      } else if (effect.kind === "persist") {
        member.disk.underWay.push(effect);
      } else member.effects.push(effect);
    }
    return effects;
  }

  /** A message that the test made up. */
  receive(
    to: ReplicaId,
    from: ReplicaId,
    message: Message,
    incarnation: Incarnation = FIRST_INCARNATION,
  ): readonly ReplicaEffect[] {
    return this.step(to, { kind: "receive", envelope: { from, incarnation, message } });
  }

  /** Commands, one entry each, sent at once. */
  append(id: ReplicaId, ...texts: string[]): void {
    this.step(id, { kind: "append", commands: texts.map(bytesOf) });
    this.step(id, { kind: "round", confirm: null });
  }

  tick(...ids: ReplicaId[]): void {
    for (const id of ids.length > 0 ? ids : this.ids) {
      if (this.isUp(id)) this.step(id, { kind: "tick" });
    }
  }

  // ---- the wire

  sent<K extends Kind = Kind>({ kind, from, to }: Which<K>): OfKind<K>[] {
    const isMeant = (item: OnWire): item is OfKind<K> =>
      (kind === undefined || item.message.kind === kind) &&
      (from === undefined || item.from === from) &&
      (to === undefined || item.to === to);
    return this.wire.filter(isMeant);
  }

  /** Takes messages off the wire. */
  drop<K extends Kind = Kind>(which: Which<K>): OfKind<K>[] {
    const taken = this.sent(which);
    if (taken.length === 0) throw new Error(`nothing on the wire is ${JSON.stringify(which)}`);
    const gone = new Set<OnWire>(taken);
    this.wire = this.wire.filter((item) => !gone.has(item));
    return taken;
  }

  /** Delivers what is meant and on the wire now; the answers to it stay there. */
  deliver<K extends Kind = Kind>(which: Which<K>): void {
    for (const item of this.drop(which)) this.arrive(item);
  }

  /** A message arrives, perhaps again. */
  arrive({ from, to, incarnation, message }: OnWire): void {
    if (this.isUp(to)) this.receive(to, from, message, incarnation);
  }

  // ---- the disks

  /** All writes under way on these disks land and are reported. */
  persist(...ids: ReplicaId[]): void {
    for (const id of ids) {
      const landed = this.disk(id).land();
      if (landed === null) throw new Error(`nothing is being written at ${id}`);
      this.step(id, { kind: "persisted", id: landed });
    }
  }

  // ---- all at once

  /** Messages among `ids` arrive and their writes land until nothing moves; the rest stays on the wire. */
  settle(ids: readonly ReplicaId[] = this.ids): void {
    for (let deliveries = 0; ; deliveries += 1) {
      if (deliveries > DELIVERIES_MAX) throw new Error("this never settles");
      const index = this.wire.findIndex(({ from, to }) => ids.includes(from) && ids.includes(to));
      const item = this.wire[index];
      if (item) {
        this.wire.splice(index, 1);
        this.arrive(item);
        continue;
      }
      const writing = ids.filter((id) => this.isUp(id) && this.disk(id).underWay.length > 0);
      if (writing.length === 0) return;
      this.persist(...writing);
    }
  }

  /** Time passes for `ids`: they tick, and what they send each other arrives. */
  run(ms: number, ids: readonly ReplicaId[] = this.ids): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      const tickMs = ids.map((id) => this.#member(id).core?.tickMs ?? HEARTBEAT_MS);
      this.nowMs = Math.min(endMs, this.nowMs + Math.min(...tickMs));
      this.tick(...ids);
      this.settle(ids);
    }
  }

  /** Makes `id` the leader, by the votes of `ids`. */
  elect(id: ReplicaId, ids: readonly ReplicaId[] = this.ids): void {
    this.step(id, { kind: "lead" });
    this.settle(ids);
    if (!this.status(id).leads) throw new Error(`${id} wasn't elected`);
  }

  // ---- crashes

  /** It is gone, with the writes that didn't land, but for the oldest `landed`. Nobody is told. */
  crash(id: ReplicaId, landed = 0): void {
    const member = this.#member(id);
    member.disk.land(landed);
    member.disk.crash();
    member.core = null;
    member.effects = [];
    this.steps.push({ nowMs: this.nowMs, id, event: "crash", effects: [] });
  }

  /** Each of the others notices that its connection to `id` closed. */
  disconnect(id: ReplicaId): void {
    for (const other of this.ids) {
      if (other !== id && this.isUp(other)) this.step(other, { kind: "disconnected", peer: id });
    }
  }

  /** It starts from its disk; its connections open. */
  start(id: ReplicaId): void {
    const member = this.#member(id);
    const { disk, incarnation } = member;
    member.core = new Replica({
      id,
      incarnation,
      members: this.ids,
      replicas: this.ids,
      hardState: disk.hardState,
      stored: disk,
      judge: this.#judgeOf(id),
      applied: disk.applied,
      messageBytesMax: this.#messageBytesMax,
    });
    this.steps.push({ nowMs: this.nowMs, id, event: "start", effects: [] });
    for (const other of this.ids) {
      if (other === id || !this.isUp(other)) continue;
      this.step(id, { kind: "connected", peer: other });
      this.step(other, { kind: "connected", peer: id });
    }
  }

  /** Its disk is lost: it will start as another incarnation, with an empty disk unless given. */
  replace(
    id: ReplicaId,
    incarnation: Incarnation,
    disk: TestDisk = new TestDisk([], { voter: false }),
  ): void {
    this.crash(id);
    const member = this.#member(id);
    member.incarnation = incarnation;
    member.disk = disk;
  }
}
