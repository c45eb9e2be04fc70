import { expect, test } from "vitest";
import { STOCKS_MANY } from "./limits.ts";
import {
  lookups,
  mix,
  puts,
  SEPARATOR,
  stockName,
  stockRows,
  tradeBody,
  trades,
} from "./requests.ts";

const bodyOf = (request: string) => request.split("\r\n\r\n")[1] ?? "";

test("no two stocks share a name", () => {
  expect(new Set(stockRows(STOCKS_MANY).map(([name]) => name)).size).toBe(STOCKS_MANY);
  expect(stockName(0)).toBe("StockAAA");
  expect(stockName(27)).toBe("StockABB");
});

test("each body is as long as its header says", () => {
  const isWrong = (request: string) =>
    !request.includes(`\r\nContent-Length: ${Buffer.byteLength(bodyOf(request))}\r\n`) ||
    request.includes(SEPARATOR) ||
    typeof JSON.parse(bodyOf(request)) !== "object";
  expect([...trades(10), ...puts()].filter(isWrong)).toEqual([]);
});

test("etcd's values are as long as a trade's body", () => {
  const lengths = new Set(
    puts().map((request) => Buffer.from(JSON.parse(bodyOf(request)).value, "base64").length),
  );
  expect([...lengths]).toEqual([tradeBody(stockName(0)).length]);
});

test("the mix is a trade after one lookup in five, of the same stock", () => {
  const requests = mix(10);
  const posts = requests.flatMap((request, index) => (request.startsWith("POST") ? [index] : []));
  expect(posts.length / (requests.length - posts.length)).toBeCloseTo(0.2, 1);
  for (const index of posts) {
    const { name } = JSON.parse(bodyOf(requests[index] ?? ""));
    expect(requests[index - 1]).toMatch(new RegExp(`^GET /stocks/${name} `));
  }
});

test("requests picked at random cover all stocks, and are the same in every run", () => {
  expect(new Set(lookups(10)).size).toBe(10);
  expect(lookups(10)).toEqual(lookups(10));
  expect(new Set(trades(STOCKS_MANY)).size).toBeGreaterThan(3_000);
});
