import { expect, test } from "vitest";
import { metric, parsePerf } from "./costs.ts";
import { costsTables } from "./table.ts";

test("a metric is read by its whole name, and 0 where a role has none", () => {
  const text = [
    "# HELP bazaar_frames_sent_total Frames that they left in.",
    'bazaar_frames_sent_total_of_another{role="catalog"} 1',
    'bazaar_frames_sent_total{role="catalog"} 84',
  ].join("\n");
  expect(metric(text, "bazaar_frames_sent_total")).toBe(84);
  expect(metric(text, "bazaar_entry_commands_count")).toBe(0);
});

test("system calls and both kinds of fsync are read from what perf prints", () => {
  const printed = [
    "3942;;raw_syscalls:sys_enter;4000123456;100.00;;",
    "70;;syscalls:sys_enter_fsync;4000123456;100.00;;",
    "30;;syscalls:sys_enter_fdatasync;4000123456;100.00;;",
  ].join("\n");
  expect(parsePerf(printed)).toEqual({ calls: 3_942, fsyncs: 100 });
});

test("where perf may count nothing there are no numbers instead of zeros", () => {
  expect(parsePerf("<not supported>;;raw_syscalls:sys_enter;0;100.00;;")).toBeNull();
  expect(parsePerf("Error: access is limited")).toBeNull();
});

test("each process has a row, and what wasn't counted is a dash", () => {
  const samples = {
    "costs.trades.64": {
      tradesPerBatch: 38,
      "leader.cpuUsPerTrade": 32,
      "leader.fsyncsPerBatch": 1,
    },
  };
  const [table = [], ...more] = costsTables([{ samples, failures: [], loadAverages: [] }]);
  expect(more).toEqual([]);
  expect(table[2]).toEqual(["costs.trades.64", "38", "leader", "32", "–", "–", "1", "–", "–", "–"]);
  expect(table).toHaveLength(6);
  expect(costsTables([])).toEqual([]);
});
