import { expect, test } from "vitest";
import { OrderMetrics } from "./metrics.ts";

test("a replica's position, reigns, writes or turns are told wrong", async () => {
  let now = 0;
  const metrics = new OrderMetrics("order-9094", {
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
    nowMs: () => now,
  });
  metrics.leaderFound();
  metrics.written(2, 3);
  metrics.asked(7);
  metrics.committed(5);
  const times = metrics.reignTimes();
  times.appended(12);
  now = 20;
  times.committed(12);
  now = 50;
  times.exposed(12, true);
  const { text, contentType } = await metrics.scrape();
  expect(contentType).toContain("text/plain");
  const told = Object.fromEntries(
    text
      .split("\n")
      .filter((line) => /^bazaar_\w+(?<!_bucket)\{/.test(line))
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
