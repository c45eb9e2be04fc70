import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { run } from "./run.ts";

const TICKS = 300;

describe("a run", () => {
  test("is the same the second time", () => {
    const [first, second] = [run(3, TICKS), run(3, TICKS)];
    expect(first.timeline).toEqual(second.timeline);
    expect(first.counters.lines()).toEqual(second.counters.lines());
    expect(first).toMatchObject({ violation: second.violation, simulatedMs: second.simulatedMs });
  });

  test("is another for another seed, and has calls, leader changes and orders", () => {
    const [first, second] = [run(1, TICKS), run(2, TICKS)];
    expect(first.counters.lines()).not.toEqual(second.counters.lines());
    for (const { counters, violation, simulatedMs } of [first, second]) {
      expect(violation).toBe(null);
      expect(simulatedMs).toBeGreaterThan(TICKS);
      for (const counted of ["calls", "leader changes", "messages", "orders", "turns"]) {
        expect([counted, counters.get(counted) > 0]).toEqual([counted, true]);
      }
    }
  });
});

describe("npm run simulate", () => {
  function simulate(...flags: string[]) {
    const main = fileURLToPath(new URL("./main.ts", import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...flags], {
      encoding: "utf8",
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  }

  test.each([
    ["an option that isn't there", ["--sed", "1"], "--sed"],
    ["no seeds", ["--seeds", "0"], "whole numbers above 0"],
    ["a seed that is no number", ["--seed", "first"], "whole numbers above 0"],
    ["half a tick", ["--ticks", "0.5"], "whole numbers above 0"],
    ["a bug that nobody planted", ["--bug", "gremlin"], "no bug named gremlin"],
  ])("refuses %s, and says why", (_what, flags, message) => {
    const { status, stderr, stdout } = simulate(...flags);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(status).toBe(1);
  });

  test("succeeds without a violation", { timeout: 60_000 }, () => {
    const { status, stdout } = simulate("--seeds", "2", "--seed", "7", "--ticks", `${TICKS}`);
    expect(stdout).toMatch(/^2 runs from seed 7, no violation: /m);
    expect(stdout).toMatch(/^ +\d[\d,]* {2}calls$/m);
    expect(status).toBe(0);
  });

  test("fails with a violation, which the command that it prints finds again", {
    timeout: 120_000,
  }, () => {
    const found = simulate("--bug", "ack-before-fsync", "--seeds", "20", "--ticks", "1000");
    expect(found.status).toBe(1);
    const violation = /^seed (\d+): (Violation: .*)$/m.exec(found.stdout);
    const replay = /^replay: npm run simulate -- (.*)$/m.exec(found.stdout);
    expect(replay?.[1]).toBe(
      `--seeds 1 --seed ${violation?.[1]} --ticks 1000 --bug ack-before-fsync --timeline`,
    );
    const again = simulate(...(replay?.[1] ?? "").split(" "));
    expect(again.status).toBe(1);
    expect(again.stdout).toContain(`seed ${violation?.[1]}: ${violation?.[2]}`);
    expect(again.stdout).toContain(`replay: npm run simulate -- ${replay?.[1]}`);
  });
});
