import { expect, test } from "vitest";
import type { OrderAudit } from "../contract.ts";
import { Audits } from "./audit.ts";
import { AUDIT_WAIT_MS, AUDITS_MAX } from "./limits.ts";

function audits() {
  const state = { nowMs: 0, delivered: 5, flushes: 0 };
  const reads: { position: number; flushes: number; settle: () => void }[] = [];
  const subject = new Audits({
    deliveredPosition: () => state.delivered,
    tables: { flush: () => state.flushes++ },
    read: (position) =>
      new Promise((resolve) => {
        const settle = (): void => resolve({ position } as OrderAudit);
        reads.push({ position, flushes: state.flushes, settle });
      }),
    nowMs: () => state.nowMs,
  });
  return { state, reads, subject };
}

test("an audit waits for its position, and the tables are written before the file is read", async () => {
  const { state, reads, subject } = audits();
  const result = subject.at(7, []);
  expect(reads).toEqual([]);
  state.delivered = 7;
  await expect.poll(() => reads.length, { timeout: 2_000 }).toBe(1);
  expect(reads[0]).toMatchObject({ position: 7, flushes: 1 });
  reads[0]?.settle();
  expect(await result).toEqual({ position: 7 });
});

test("an audit of a replica that stays behind ends, and says where it stands", async () => {
  const { state, subject } = audits();
  const result = subject.at(7, []);
  state.nowMs = AUDIT_WAIT_MS;
  await expect(result).rejects.toThrow("still at position 5, not yet at 7");
});

test("audits can't pile up, each reading the whole file", async () => {
  const { reads, subject } = audits();
  const under = Array.from({ length: AUDITS_MAX }, () => subject.at(5, []));
  await expect(subject.at(5, [])).rejects.toThrow("too many audits");
  await expect.poll(() => reads.length).toBe(AUDITS_MAX);
  for (const read of reads) read.settle();
  await Promise.all(under);
  const next = subject.at(5, []);
  await expect.poll(() => reads.length).toBe(AUDITS_MAX + 1);
  reads.at(-1)?.settle();
  await next;
});
