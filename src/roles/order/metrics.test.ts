import { describe, expect, test } from "vitest";
import { EntryTimes, OrderMetrics } from "./metrics.ts";

test("a replica's position, reigns, writes and turns are told as they are", async () => {
  let now = 0;
  const metrics = new OrderMetrics("order-9094", () => now);
  metrics.watch({
    health: () => ({
      replica: 9094,
      leads: true,
      leader: 9094,
      epoch: 3,
      lastPosition: 12,
      commitPosition: 11,
    }),
    exposedPosition: () => 10,
    appliedPosition: () => 9,
    lastNumber: () => 40,
  });
  metrics.leaderFound();
  metrics.written(2, 3);
  metrics.asked(7);
  metrics.committed(5);
  metrics.appended(12);
  now = 20;
  metrics.quorumHolds(12);
  now = 50;
  metrics.exposed(12, true);
  metrics.appended(13);
  metrics.reignEnded();
  metrics.quorumHolds(13);
  const { text, contentType } = await metrics.scrape();
  expect(contentType).toContain("text/plain");
  const told = Object.fromEntries(
    text
      .split("\n")
      .filter((line) => /^bazaar_(?!event_loop)\w+(?<!_bucket)\{/.test(line))
      .map((line) => [line.replace(/\{.*/, ""), Number(line.replace(/.* /, ""))]),
  );
  expect(told).toEqual({
    bazaar_leads: 1,
    bazaar_epoch: 3,
    bazaar_last_position: 12,
    bazaar_commit_position: 11,
    bazaar_exposed_position: 10,
    bazaar_applied_position: 9,
    bazaar_orders_total: 40,
    bazaar_leader_changes_total: 1,
    bazaar_journal_write_duration_seconds_sum: 0.003,
    bazaar_journal_write_duration_seconds_count: 1,
    bazaar_journal_write_entries_sum: 2,
    bazaar_journal_write_entries_count: 1,
    bazaar_commit_duration_seconds_sum: 0.02,
    bazaar_commit_duration_seconds_count: 1,
    bazaar_expose_duration_seconds_sum: 0.03,
    bazaar_expose_duration_seconds_count: 1,
    bazaar_lease_wait_duration_seconds_sum: 0.03,
    bazaar_lease_wait_duration_seconds_count: 1,
    bazaar_call_questions_sum: 7,
    bazaar_call_questions_count: 1,
    bazaar_entry_commands_sum: 5,
    bazaar_entry_commands_count: 1,
  });
});

function entryTimes() {
  const clock = { now: 0 };
  const commits: number[] = [];
  const exposures: number[] = [];
  const leaseWaits: number[] = [];
  const times = new EntryTimes({
    commit: { observe: (seconds) => commits.push(seconds) },
    expose: { observe: (seconds) => exposures.push(seconds) },
    leaseWait: { observe: (seconds) => leaseWaits.push(seconds) },
    nowMs: () => clock.now,
  });
  return { clock, commits, exposures, leaseWaits, times };
}

describe("the times of a leader's entries", () => {
  test("are counted once for each entry, from its own beginning", () => {
    const { clock, commits, exposures, times } = entryTimes();
    times.appended(5);
    clock.now = 10;
    times.appended(6);
    clock.now = 30;
    times.quorumHolds(5);
    times.quorumHolds(5);
    clock.now = 40;
    times.quorumHolds(6);
    times.exposed(5, false);
    clock.now = 100;
    times.exposed(6, false);
    times.exposed(6, false);
    expect(commits).toEqual([0.03, 0.03]);
    expect(exposures).toEqual([0.01, 0.06]);
  });

  test("count no exposure from before its entry was known to be committed", () => {
    const { exposures, times } = entryTimes();
    times.appended(5);
    times.exposed(5, false);
    expect(exposures).toEqual([]);
    times.quorumHolds(5);
    times.exposed(5, false);
    expect(exposures).toHaveLength(1);
  });

  test("are taken of so many entries at once and no more", () => {
    const { commits, times } = entryTimes();
    for (let position = 1; position <= 5_000; position += 1) times.appended(position);
    times.quorumHolds(5_000);
    expect(commits).toHaveLength(1_024);
  });

  test("tell of a wait for a dead view's lease once, and only where somebody waited", () => {
    const { clock, exposures, leaseWaits, times } = entryTimes();
    times.exposed(4, true);
    times.appended(5);
    times.appended(6);
    clock.now = 10;
    times.quorumHolds(6);
    clock.now = 560;
    times.exposed(6, true);
    times.appended(7);
    times.quorumHolds(7);
    times.exposed(7, false);
    expect(leaseWaits).toEqual([0.55]);
    expect(exposures).toHaveLength(3);
  });
});
