import { describe, expect, it } from "vitest";
import { BadCommandBytes, RecordReader, RecordWriter } from "./codec-bytes.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;

function written(write: (writer: RecordWriter) => void): Uint8Array {
  const writer = new RecordWriter(1);
  write(writer);
  return writer.finish();
}

/** A reader of records without text. */
function reader(...records: number[]): RecordReader {
  return new RecordReader(Uint8Array.of(1, 0, 0, 0, 0, ...records));
}

const ff = (count: number): number[] => Array.from({ length: count }, () => 0xff);

describe("RecordWriter and RecordReader", () => {
  it("every integer comes back as it was, in the fewest bytes", () => {
    for (let bits = 0; bits <= 53; bits++) {
      for (const value of [2 ** bits - 2, 2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
        if (value < 0 || value > LARGEST) continue;
        const bytes = written((writer) => writer.varint(value));
        const read = new RecordReader(bytes);
        expect(read.varint()).toBe(value);
        expect(read.done).toBe(true);
        expect(bytes.length - 5, `${value}`).toBe(Math.ceil(value.toString(2).length / 7));
      }
    }
  });

  it("every number comes back exactly, in two, three or nine bytes", () => {
    const numbers = [
      [0, 2],
      [-0, 9],
      [127, 2],
      [-1, 2],
      [LARGEST, 9],
      [-LARGEST, 9],
      [LARGEST + 1, 9],
      [17.99, 3],
      [0.29, 2],
      [0.1 + 0.2, 9],
      [-17.99, 9],
      [1e-9, 9],
      [Number.MIN_VALUE, 9],
      [Number.MAX_VALUE, 9],
      [Number.NaN, 9],
      [Number.NEGATIVE_INFINITY, 9],
    ] as const;
    for (const [value, bytes] of numbers) {
      const record = written((writer) => writer.number(value));
      expect(record.length - 5, `${value}`).toBe(bytes);
      expect(new RecordReader(record).number()).toBe(value);
    }
  });

  it("strings of every width come back whole, each its own", () => {
    const strings = [
      "",
      "FishCo",
      "é",
      "€",
      "🏺",
      "\0",
      "\ufeff",
      "x".repeat(70_000),
      `${"𐀀".repeat(129)}Ѐ`,
    ];
    const read = new RecordReader(
      written((writer) => {
        for (const string of strings) writer.string(string);
      }),
    );
    expect(strings.map(() => read.string())).toEqual(strings);
    expect(read.done).toBe(true);
  });

  it("an integer beyond the safe ones, or padded, is refused instead of rounded", () => {
    expect(reader(...ff(7), 0x0f).varint()).toBe(LARGEST);
    expect(() => reader(...ff(7), 0x10).varint()).toThrow("too large");
    expect(() => reader(...ff(8), 0x01).varint()).toThrow("too large");
    expect(() => reader(0x81, 0x00).varint()).toThrow("longer than it needs");
    expect(reader(0x00).varint()).toBe(0);
  });

  it("reading beyond the end is refused", () => {
    expect(() => reader().byte()).toThrow(BadCommandBytes);
    expect(() => reader(0x80).varint()).toThrow(BadCommandBytes);
    expect(() => reader(3, 0, 0, 0, 0, 0, 0, 0).number()).toThrow("a number is cut off");
    expect(() => reader(1).string()).toThrow("a string is cut off");
    expect(() => reader(9).number()).toThrow("unknown form of number 9");
  });

  it("a header that can't be is refused before anything is read", () => {
    expect(() => new RecordReader(Uint8Array.of())).toThrow("0 bytes are too few");
    expect(() => new RecordReader(Uint8Array.of(2, 0, 0, 0, 0))).toThrow("version 2, not 1");
    expect(() => new RecordReader(Uint8Array.of(1, 9, 0, 0, 0))).toThrow("9 bytes is cut off");
    expect(() => new RecordReader(Uint8Array.of(1, 1, 0, 0, 0, 0xff))).toThrow("not UTF-8");
    expect(() => new RecordReader(Uint8Array.of(1, 1, 0, 0, 0, 0x41)).done).toThrow("left over");
  });
});
