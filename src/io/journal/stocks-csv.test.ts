import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadStocksFile, parseStocksCsv, readStocksCsv } from "./stocks-csv.ts";
import { temporaryFolder, thrown } from "./test-files.ts";

const SHIPPED = join(import.meta.dirname, "../../../stocks.csv");

test("the stocks that come with the program are those of the lab, and enough", () => {
  const stocks = readStocksCsv(SHIPPED);
  expect(stocks.length).toBeGreaterThanOrEqual(10);
  expect(stocks.slice(0, 2)).toEqual([
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 28.59, quantity: 1102 },
  ]);
  expect(stocks.slice(2, 4).map(({ name }) => name)).toEqual(["MenhirCo", "GameStart"]);
});

test("a file as another system saves it is read all the same", () => {
  const text = "\u{feff}name,price,quantity\r\nFishCo, 17.99 ,600\r\n\r\nBoarCo,28,0\r\n";
  expect(parseStocksCsv(text, "it")).toEqual([
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 28, quantity: 0 },
  ]);
});

describe("a mistake is told with its line, and nothing is guessed:", () => {
  test.each([
    ["", "it, line 1: it must be name,price,quantity"],
    ["FishCo,17.99,600", "it, line 1: it must be name,price,quantity"],
    ["name,price,quantity\n", "it: there is no stock in it; add one"],
    [
      "name,price,quantity\nFish Co,1,1",
      'line 2: a name must be letters A to Z only, 64 at most, not "Fish Co"',
    ],
    [
      "name,price,quantity\nA,1,1\n\nB,1",
      'line 4: the quantity must be a whole number like 600, not ""',
    ],
    ["name,price,quantity\nA,1,1,1", "line 2: it must have three fields"],
    [
      "name,price,quantity\nA,0,1",
      'line 2: the price must be a positive number like 17.99, up to 1000000000, not "0"',
    ],
    ["name,price,quantity\nA,-1,1", "line 2: the price must be"],
    ["name,price,quantity\nA,1e3,1", "line 2: the price must be"],
    ["name,price,quantity\nA,1000000001,1", "line 2: the price must be"],
    [
      `name,price,quantity\n${"A".repeat(65)},1,1`,
      "line 2: a name must be letters A to Z only, 64",
    ],
    [`name,price,quantity\nA,${"9".repeat(400)},1`, "line 2: the price must be"],
    ["name,price,quantity\nA,1,1.5", "line 2: the quantity must be"],
    ["name,price,quantity\nA,1,-5", "line 2: the quantity must be"],
    ["name,price,quantity\nA,1,9007199254740992", "line 2: the quantity must be"],
    ["name,price,quantity\nA,1,1\nA,2,2", "line 3: A is there already; name each stock once"],
  ])("%j", (text, message) => {
    const error = thrown(() => parseStocksCsv(text, "it"));
    expect(error).toBeInstanceOf(BadStocksFile);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain("\n");
  });
});

test("a file that isn't there is told by its path", () => {
  const path = join(temporaryFolder(), "stocks.csv");
  expect((thrown(() => readStocksCsv(path)) as Error).message).toContain(path);
  writeFileSync(path, "name,price,quantity\nA,1,1\n");
  expect(readStocksCsv(path)).toHaveLength(1);
});
