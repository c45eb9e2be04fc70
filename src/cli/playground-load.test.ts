import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BazaarError } from "../client/index.ts";
import { LOAD_UNDER_WAY_MAX, type LoadBazaar, PlaygroundLoad } from "./playground-load.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
const onSecond = vi.fn();
afterEach(() => {
  onSecond.mockClear();
  vi.useRealTimers();
});

function market(answer: () => Promise<unknown> = async () => null) {
  const asked = { lookups: 0, trades: 0, bought: 0, sold: 0 };
  const bazaar: LoadBazaar = {
    stocks: async () => [{ name: "FishCo" }, { name: "BoarCo" }],
    lookup: () => {
      asked.lookups += 1;
      return answer();
    },
    trade: ({ type }) => {
      asked.trades += 1;
      asked[type === "buy" ? "bought" : "sold"] += 1;
      return answer();
    },
  };
  return { asked, bazaar };
}

/** Numbers in [0, 1), the same each time. */
function numbers(): () => number {
  let last = 0.1;
  return () => {
    last = (last * 997 + 0.337) % 1;
    return last;
  };
}

test("the load is as large as the slider says, and ends when it is back at 0", async () => {
  const { asked, bazaar } = market();
  const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
  load.set(300);
  await vi.advanceTimersByTimeAsync(4_000);
  const made = asked.lookups + asked.trades;
  expect(Math.abs(made - 1_200)).toBeLessThan(30);
  expect(asked.bought).toBeGreaterThan(100);
  expect(asked.sold).toBeGreaterThan(100);
  load.set(0);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(asked.lookups + asked.trades).toBe(made);
});

test("requests under way at a bazaar that doesn't answer are limited in number", async () => {
  const { asked, bazaar } = market(() => new Promise(() => {}));
  const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
  load.set(2_000);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked.lookups + asked.trades).toBe(LOAD_UNDER_WAY_MAX);
  load.close();
});

test("the load goes on after failed calls", async () => {
  const { asked, bazaar } = market(async () => {
    throw new BazaarError("unavailable", "no answer");
  });
  const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
  load.set(100);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked.lookups + asked.trades).toBeGreaterThan(150);
  load.close();
});

test("each second tells how many calls were sent, answered and skipped", async () => {
  const { bazaar } = market();
  const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
  load.set(200);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(onSecond).toHaveBeenCalledTimes(3);
  expect(load.seen).toEqual({ sent: 200, answered: 200, skipped: 0, refused: null });
  load.close();
  expect(load.seen).toBeNull();

  const deaf = market(() => new Promise(() => {}));
  const stuck = new PlaygroundLoad({ bazaars: [deaf.bazaar], random: numbers(), onSecond });
  stuck.set(1_000);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stuck.seen).toEqual({ sent: 0, answered: 0, skipped: 1_000, refused: null });
  stuck.close();
});

test("a refusal counts as an answer, and an unavailable bazaar doesn't", async () => {
  for (const [kind, answered] of [
    ["refused", 50],
    ["unavailable", 0],
  ] as const) {
    const { bazaar } = market(async () => {
      throw new BazaarError(kind, "no");
    });
    const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
    load.set(50);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(load.seen).toMatchObject({ sent: 50, answered });
    load.close();
  }
});

test("the load asks under the key of who set it, forgets it at the end, and tells why that isn't let in", async () => {
  const { bazaar } = market(async () => {
    throw new BazaarError("unauthorized", "This key isn't known here");
  });
  const load = new PlaygroundLoad({ bazaars: [bazaar], random: numbers(), onSecond });
  load.set(50, "player.secret");
  expect(load.key).toBe("player.secret");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(load.seen).toMatchObject({ answered: 0, refused: "This key isn't known here" });
  load.set(0, "player.secret");
  expect(load.key).toBeNull();
});
