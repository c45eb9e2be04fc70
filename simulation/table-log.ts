// The log of one replica over two tables: core/table-log over the simulated
// database and network, as io/log/table-log.ts is over real ones. What is stored
// here is a view: a power cut takes some of it, which is read again.

import type { StepTime } from "../src/core/replication/events.ts";
import type { LogListener } from "../src/core/replication/log.ts";
import { OtherCluster, otherMembers } from "../src/core/replication/members.ts";
import { type CommittedEntry, type Entry, toCommitted } from "../src/core/replication/types.ts";
import { TableReplica } from "../src/core/table-log/table-replica.ts";
import type { ChainedEntry, TableEffect, TableEvent } from "../src/core/table-log/types.ts";
import type { Session, SimulatedDatabase } from "./database.ts";
import type { SimulatedMessage } from "./messages.ts";
import { type Deed, type LogProcess, ReplicaLog } from "./replica-log.ts";
import { Violation } from "./violation.ts";

const CONNECT_MS = 10;
/** Before the first entry. */
export const FIRST_DIGEST: Uint8Array = new Uint8Array(4);

/** FNV-1a: what stands for a cryptographic digest here costs little, and nobody forges it. */
function chain(previous: Uint8Array, { position, epoch, body }: Entry): Uint8Array {
  let digest = previous.reduce((sum, byte) => (sum << 8) | byte, 0);
  const take = (byte: number): void => {
    digest = Math.imul(digest ^ byte, 0x01000193);
  };
  take(position);
  take(epoch);
  if (body.kind === "command") for (const byte of body.bytes) take(byte);
  else take(body.kind === "reign" ? body.leader : body.kind.length);
  return Uint8Array.of(digest >>> 24, digest >>> 16, digest >>> 8, digest);
}

/** With the digest of each. */
export function chained(entries: readonly Entry[]): readonly ChainedEntry[] {
  let digest = FIRST_DIGEST;
  return entries.map((entry) => {
    digest = chain(digest, entry);
    return { entry, digest };
  });
}

export class TableLog extends ReplicaLog<TableEvent, TableEffect> {
  readonly #database: SimulatedDatabase;
  readonly #replica: TableReplica;
  #session: Session | null = null;

  constructor(process: LogProcess, database: SimulatedDatabase) {
    super(process);
    const { disk, id, configured } = process;
    const refusal = otherMembers(process.name, disk.members, configured);
    if (refusal !== null) throw new OtherCluster(refusal);
    this.#database = database;
    const stored = chained(disk.entriesAfter(0)).at(-1);
    this.#replica = new TableReplica({
      id,
      peers: configured.filter((other) => other !== id),
      end: { position: disk.lastPosition, digest: stored?.digest ?? FIRST_DIGEST },
      chain,
    });
  }

  override start(listener: LogListener): void {
    super.start(listener);
    this.#judgeAnew();
    const { disk } = this.process;
    const stored = disk.entriesAfter(disk.tables.appliedPosition);
    if (stored.length > 0) listener.committed(stored.map(toCommitted));
    this.#connect();
  }

  status() {
    const { phase, ...status } = this.#replica.status();
    return { ...status, leads: phase === "leading", voter: true };
  }

  receive(message: SimulatedMessage): void {
    if (message.kind === "reigning")
      this.step({ kind: "heard", from: message.from, beat: message.beat });
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    return this.process.disk.entries(position, bytesMax).map(toCommitted);
  }

  override close(): void {
    if (this.stopped) return;
    this.#abandon();
    super.close();
  }

  protected stepCore(time: StepTime, event: TableEvent): readonly TableEffect[] {
    return this.#replica.step(time, event);
  }

  protected deedOf(effect: TableEffect): Deed | null {
    if (effect.kind === "committed" || effect.kind === "leading")
      return { kind: effect.kind, to: null };
    if (effect.kind !== "run" || effect.statement.kind === "look") return null;
    return { kind: effect.statement.kind === "claim" ? "reign" : "lead", to: null };
  }

  protected enact(effect: TableEffect): void {
    const { host, id, name, disk } = this.process;
    const { oracle, counters } = host;
    switch (effect.kind) {
      case "run":
        if (this.#session === null) throw new Violation(`T1: ${name} runs what nobody can answer`);
        this.#database.run(this.#session, effect.id, effect.statement);
        break;
      case "reconnect":
        counters.add("connections to the database given up");
        this.#abandon();
        this.#connect();
        break;
      case "send":
        this.process.tell(effect.to, { kind: "reigning", from: id, beat: effect.beat });
        break;
      case "committed":
        this.#store(effect);
        break;
      case "leading":
        counters.add("leader changes");
        counters.add("reigns over tables");
        oracle.leads(id, effect.epoch, (position) => disk.epochAt(position), disk.lastPosition);
        this.listener?.leading(effect.epoch);
        break;
      case "deposed":
        counters.add("leaders deposed");
        host.log(`${name}: ${effect.reason}`);
        this.listener?.deposed();
        this.#judgeAnew();
        break;
      case "lead-outcome":
        if (effect.outcome.kind === "lost") counters.add("candidacies lost");
        this.listener?.leadEnded(effect.outcome);
        break;
      case "confirmed":
        this.confirmed(effect.token, effect.leads);
        break;
      case "following":
        this.listener?.changed();
        break;
      case "foreign":
        throw new Violation(`R4: ${name} finds that ${effect.reason}`);
      case "behind":
        counters.add("databases found behind");
        break;
    }
  }

  #store({ entries, own }: Extract<TableEffect, { kind: "committed" }>): void {
    const { host, id, name, disk } = this.process;
    const misfit = own ? null : this.judge.take(entries);
    if (misfit !== null) throw this.judge.damage(misfit);
    if (entries[0]?.position !== disk.lastPosition + 1)
      throw new Violation(`R4: ${name} stores ${entries[0]?.position} after ${disk.lastPosition}`);
    disk.begin({ entries });
    disk.land(1);
    host.oracle.commits(id, entries, this.#database);
    this.listener?.committed(entries.map(toCommitted));
  }

  /** The judge's state is that at the end of the file again. */
  #judgeAnew(): void {
    const misfit = this.judge.take(this.process.disk.entriesAfter(this.judge.rewind()));
    if (misfit !== null) throw this.judge.damage(misfit);
  }

  // The connection to the database.

  #connect(): void {
    const { process } = this;
    process.after(process.host.random.heavy(CONNECT_MS), () => {
      if (this.#session !== null || this.stopped) return;
      // What comes while the process is paused waits for it.
      const whileOpen = (run: () => void) =>
        process.after(0, () => {
          if (this.#session === session) run();
        });
      const session = this.#database.connect(process.name, {
        answered: (id, answer) => whileOpen(() => this.step({ kind: "answered", id, answer })),
        closed: () =>
          whileOpen(() => {
            this.#abandon();
            this.step({ kind: "closed" });
            this.#connect();
          }),
      });
      this.#session = session;
      if (session === null) this.#connect();
      else this.step({ kind: "opened" });
    });
  }

  #abandon(): void {
    if (this.#session !== null) this.#database.giveUp(this.#session);
    this.#session = null;
  }
}
