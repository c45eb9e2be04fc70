import { expect, test } from "vitest";
import { LinesDigest, stocksDigest } from "./digests.ts";

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR = { name: "BoarCo", price: 28.59, quantity: 1102 };

test("equal stocks that come in another order must not seem different", () => {
  expect(stocksDigest([FISH, BOAR])).toBe(stocksDigest([BOAR, FISH]));
  expect(stocksDigest([])).toMatch(/^[0-9a-f]{64}$/);
});

test("different stocks must not seem equal", () => {
  const digests = [
    [FISH, BOAR],
    [FISH],
    [{ ...FISH, quantity: 601 }, BOAR],
    [{ ...FISH, price: 18 }, BOAR],
    [{ ...FISH, name: "FishCe" }, BOAR],
  ].map(stocksDigest);
  expect(new Set(digests).size).toBe(digests.length);
});

test("a digest looked at half-way goes on as if it hadn't been", () => {
  const one = new LinesDigest();
  const other = new LinesDigest();
  expect(one.hex()).toBe(stocksDigest([]));
  one.add("a\n");
  const half = one.hex();
  one.add("b\n");
  other.add("a\nb\n");
  expect(one.hex()).toBe(other.hex());
  expect(one.hex()).not.toBe(half);
});
