import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flipBit, offsetOf, temporaryFolder, thrown } from "./test-files.ts";

test("flipBit changes one bit, and changes it back", () => {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "abc");
  flipBit(path, 1);
  expect(readFileSync(path)).toEqual(Buffer.from([0x61, 0x72, 0x63]));
  flipBit(path, -2);
  expect(readFileSync(path, "utf8")).toBe("abc");
});

test("offsetOf finds a text that is there once, and fails otherwise", () => {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "one two two");
  expect(offsetOf(path, "one")).toBe(0);
  expect(() => offsetOf(path, "two")).toThrow();
  expect(() => offsetOf(path, "three")).toThrow();
});

test("thrown fails when nothing is thrown", () => {
  expect(() => thrown(() => "fine")).toThrow("nothing was thrown");
});
