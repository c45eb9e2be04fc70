// Three logs of either kind, for tests: what each told stands in its Member.

import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, onTestFinished } from "vitest";
import { freePorts } from "../../../lab/ports.ts";
import type { LabPostgres } from "../../../lab/postgres.ts";
import type { LeadResult } from "../../core/replication/events.ts";
import type { Misfit } from "../../core/replication/judge.ts";
import type { CommittedEntry, Entry } from "../../core/replication/types.ts";
import { createJournalFile, openJournal } from "../journal/journal.ts";
import { listen } from "../rpc/listen.ts";
import { SECRET, TEST_CLUSTER } from "../rpc/testing.ts";
import { replicationContract } from "./envelope-schema.ts";
import type { ReplicaLog } from "./links.ts";
import { formatTables, PostgresTables } from "./postgres.ts";
import { QuorumLog } from "./quorum-log.ts";
import { TableLog } from "./table-log.ts";

/** Making three servers, on a busy machine. */
export const SERVERS_MS = 60_000;
export const WAIT = { timeout: 10_000, interval: 5 };
const log = pino({ level: "silent" });

/** Turns of the event loop so far, while a test counts them. */
export const turns = { count: 0 };

/** A replica's log, of one kind or the other, and what it told. */
export class Member {
  readonly id: number;
  readonly committed: CommittedEntry[] = [];
  readonly epochs: number[] = [];
  readonly #attempts: ((result: LeadResult) => void)[] = [];
  readonly failures: Error[] = [];
  deposed = 0;
  /** Entries committed when it was told that it leads, and pieces in which they came, each with the turn it came in. */
  committedBefore = 0;
  readonly pieces: { readonly entries: number; readonly turn: number }[] = [];
  flushes = 0;
  /** How long its tables take to be written. */
  flushMs = 0;
  /** Has something against commands with this text. */
  against: string | null = null;
  verify = () => Promise.resolve();
  readonly journal;
  readonly replicated: ReplicaLog;

  constructor(
    directory: string,
    id: number,
    ids: readonly number[],
    entries: readonly Entry[] = [],
    tables: {
      readonly url: string;
      readonly cluster: string;
      readonly acceptLoss: boolean;
    } | null = null,
  ) {
    this.id = id;
    const folder = join(directory, String(id));
    mkdirSync(folder, { mode: 0o700 });
    const path = join(folder, "order.db");
    const cluster = tables?.cluster ?? "test";
    createJournalFile(
      path,
      { cluster, members: ids, replica: id, incarnation: 1 },
      { promise: { epoch: 0, nominee: id }, voter: true },
      entries,
    );
    this.journal = openJournal(path, { replica: id });
    const options = {
      journal: this.journal,
      applied: 0,
      tables: { pendingCommands: 0, flush: () => this.#flush() },
      judge: {
        rewind: () => 0,
        take: (taken: readonly Entry[]) => this.#judge(taken),
        summary: () => "",
        damage: ({ reason }: Misfit) => new Error(reason),
      },
      replicas: ids.map((each) => ({
        id: each,
        name: `order-${each}`,
        host: "127.0.0.1",
        port: each,
      })),
      identity: { role: "order", name: `order-${id}`, cluster: TEST_CLUSTER } as const,
      credentials: { secret: SECRET, certificates: null },
      log,
      failed: (reason: Error) => this.failures.push(reason),
    };
    this.replicated = tables
      ? new TableLog({
          ...options,
          database: new PostgresTables({ ...tables, log }),
        })
      : new QuorumLog({ ...options, verify: () => this.verify() });
  }

  start(): void {
    this.replicated.start({
      committed: (entries) => {
        this.committed.push(...entries);
        this.pieces.push({ entries: entries.length, turn: turns.count });
      },
      leading: (epoch) => {
        this.committedBefore = this.committed.length;
        this.epochs.push(epoch);
      },
      deposed: () => this.deposed++,
      leadEnded: (result) => {
        for (const settle of this.#attempts.splice(0)) settle(result);
      },
      changed: () => {},
    });
  }

  lead(): Promise<LeadResult> {
    return new Promise((settle) => {
      this.#attempts.push(settle);
      this.replicated.lead();
    });
  }

  confirm(): Promise<boolean> {
    return new Promise((settle) => this.replicated.confirm(settle));
  }

  #flush(): void {
    this.flushes += 1;
    const end = performance.now() + this.flushMs;
    while (performance.now() < end); // at work
  }

  #judge(entries: readonly Entry[]) {
    const wrong = entries.find(
      ({ body }) =>
        body.kind === "command" && new TextDecoder().decode(body.bytes) === this.against,
    );
    return wrong ? { position: wrong.position, reason: "it can't be" } : null;
  }

  get commands(): string[] {
    return this.committed.flatMap(({ command }) =>
      command === null ? [] : new TextDecoder().decode(command),
    );
  }
}

/** Three replicas over real sockets, files and, given one, a database; closed at the test's end. */
export async function three(
  entries: readonly Entry[] = [],
  postgres: LabPostgres | null = null,
  acceptLoss = false,
): Promise<[Member, Member, Member]> {
  const directory = mkdtempSync(join(tmpdir(), "quorum-log-"));
  const ids = await freePorts(3);
  const tables = postgres && { url: postgres.url, cluster: randomUUID(), acceptLoss };
  if (tables) await formatTables(tables, { ...tables, entries });
  const members = ids.map((id) => new Member(directory, id, ids, entries, tables));
  for (const member of members) {
    const listener = await listen({
      host: "127.0.0.1",
      port: member.id,
      credentials: { secret: SECRET, certificates: null },
      identity: { role: "order", name: `order-${member.id}`, cluster: TEST_CLUSTER },
      contract: replicationContract,
      handlers: member.replicated.handlers,
      log,
    });
    onTestFinished(() => listener.close());
    member.start();
  }
  onTestFinished(() => {
    for (const member of members) {
      member.replicated.close();
      member.journal.close();
    }
    rmSync(directory, { recursive: true });
  });
  return members as [Member, Member, Member];
}

/** Asks until it leads: the others may not be connected at first, or rest after a promise. */
export async function lead(member: Member): Promise<void> {
  let outcome: LeadResult | null = null;
  await expect
    .poll(async () => {
      outcome = await member.lead();
      return outcome.kind;
    }, WAIT)
    .toBe("leading");
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
