// The report of processes that lead, follow, lag or are down.

import { expect, test } from "vitest";
import type { ConfiguredProcess } from "./processes.ts";
import { statusReport, statusText, type Told } from "./status-report.ts";

const processes: readonly ConfiguredProcess[] = [
  { kind: "frontend", name: "frontend", host: "127.0.0.1", port: 8000, argument: 8000 },
  { kind: "catalog", name: "catalog", host: "127.0.0.1", port: 9096, argument: 9096 },
  { kind: "order", name: "order-9092", host: "127.0.0.1", port: 9092, argument: 9092 },
  { kind: "order", name: "order-9094", host: "127.0.0.1", port: 9094, argument: 9094 },
];

const replica = (pid: number, leads: boolean, epoch: number): Told => ({
  role: "order",
  pid,
  up: true,
  leads,
  leader: leads ? 9094 : null,
  epoch,
  last: 12,
  commit: 11,
  applied: 10,
});

test("a process that is down is shown as such", () => {
  const report = statusReport(processes, [{ pid: 7 }, null, replica(8, false, 3), null]);
  expect(report).toEqual({
    leader: null,
    epoch: 3,
    processes: [
      { role: "frontend", pid: 7, up: true },
      { role: "catalog", pid: null, up: false },
      {
        role: "order-9092",
        pid: 8,
        up: true,
        leads: false,
        leader: null,
        epoch: 3,
        last: 12,
        commit: 11,
        applied: 10,
      },
      { role: "order-9094", pid: null, up: false },
    ],
    notConfigured: [],
  });
});

test("of two replicas that say they lead, the one of the later epoch is named", () => {
  const report = statusReport(processes, [null, null, replica(8, true, 3), replica(9, true, 4)]);
  expect(report).toMatchObject({ leader: 9094, epoch: 4 });
  const other = statusReport(processes, [null, null, replica(8, true, 5), replica(9, true, 4)]);
  expect(other).toMatchObject({ leader: 9092, epoch: 5 });
});

test("with nothing running the report has no leader and epoch 0", () => {
  expect(statusReport(processes, [null, null, null, null])).toMatchObject({
    leader: null,
    epoch: 0,
  });
});

test("a replacement that waits for its admission is told from a replica that votes", () => {
  const waiting = { ...replica(8, false, 3), leader: 9094, vote: false };
  const report = statusReport(processes, [
    null,
    null,
    waiting,
    { ...replica(9, true, 3), vote: true },
  ]);
  expect(report.processes.map(({ vote }) => vote)).toEqual([undefined, undefined, false, true]);
  const [, , , line] = statusText(report, processes).split("\n");
  expect(line).toContain("follows 9094, no vote yet  last 12");
});

test("the table has a line for each process, and the leader below", () => {
  const report = statusReport(processes, [
    { pid: 7 },
    null,
    replica(8, false, 3),
    replica(9, true, 3),
  ]);
  expect(statusText(report, processes)).toBe(
    [
      "role        address         pid  state            journal",
      "frontend    127.0.0.1:8000  7    up",
      "catalog     127.0.0.1:9096  -    down",
      "order-9092  127.0.0.1:9092  8    hears no leader  last 12, commit 11, applied 10",
      "order-9094  127.0.0.1:9094  9    leads            last 12, commit 11, applied 10",
      "order replica 9094 leads, epoch 3",
      "",
    ].join("\n"),
  );
});
