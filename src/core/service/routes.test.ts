import { describe, expect, test } from "vitest";
import { AVOID_LOST_MS, AVOID_SILENT_MS, LEADER_HEARD_MS } from "./limits.ts";
import { type Candidate, RouteRecord, routeTo } from "./routes.ts";

describe("routeTo", () => {
  /** A link in the best of states, but for what is given. */
  function link(
    replica: number,
    but: { open?: boolean; good?: boolean; heard?: boolean; follows?: number | null } = {},
  ): Candidate {
    const { open = true, good = open, heard = open, follows = 9094 } = but;
    return {
      replica,
      isOpen: open,
      isGood: () => good,
      isHeard: () => heard,
      health: open ? { leader: follows } : null,
    };
  }
  const chosen = (...links: Candidate[]) => routeTo(9094, links, 0)?.replica ?? null;

  test("a leader that can be reached is asked directly", () => {
    expect(chosen(link(9090), link(9092), link(9094))).toBe(9094);
  });

  test("a leader that can't be reached is asked through a replica that follows it, or else through any", () => {
    const ignorant = link(9090, { follows: null });
    expect(chosen(ignorant, link(9092), link(9094, { open: false }))).toBe(9092);
    expect(chosen(ignorant, link(9094, { open: false }))).toBe(9090);
  });

  test("a leader whose connection is open but silent is asked through another that can relay", () => {
    expect(chosen(link(9092), link(9094, { heard: false }))).toBe(9092);
    expect(chosen(link(9092), link(9094, { good: false }))).toBe(9092);
  });

  test("when no other route is good, a silent leader is tried, or else the other replica", () => {
    expect(chosen(link(9092, { good: false }), link(9094, { heard: false }))).toBe(9094);
    expect(chosen(link(9092, { good: false }), link(9094, { open: false }))).toBe(9092);
  });

  test("nobody is asked when nobody can be reached", () => {
    expect(chosen(link(9092, { open: false }), link(9094, { open: false }))).toBeNull();
    expect(chosen()).toBeNull();
  });
});

describe("a replica", () => {
  test("that was of no use is avoided for a while, unless it connects again", () => {
    const record = new RouteRecord();
    record.opened(1_000);
    expect(record.isGood(1_000)).toBe(true);
    record.silent(1_000);
    record.lost(1_000);
    expect(AVOID_LOST_MS).toBeLessThan(AVOID_SILENT_MS);
    expect(record.isGood(1_000 + AVOID_SILENT_MS - 1)).toBe(false);
    expect(record.isGood(1_000 + AVOID_SILENT_MS)).toBe(true);
    record.lost(5_000);
    record.opened(5_001);
    expect(record.isGood(5_001)).toBe(true);
  });

  test("that fell silent doesn't count as heard", () => {
    const record = new RouteRecord();
    expect(record.isHeard(0)).toBe(false);
    record.opened(1_000);
    record.heard(1_200);
    expect(record.isHeard(1_200 + LEADER_HEARD_MS - 1)).toBe(true);
    expect(record.isHeard(1_200 + LEADER_HEARD_MS)).toBe(false);
  });
});
