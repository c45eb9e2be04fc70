import { describe, expect, it } from "vitest";
import { canonicalRequest } from "./canonical.ts";
import { BadCommandBytes, decodeCommands, encodeCommands } from "./codec.ts";
import { recordedRequest } from "./content.ts";
import type { Command, Content, Refusal } from "./types.ts";

const REQUEST_ID = "0b7e3f0c-58a4-4a0e-9b55-6d1c2f2f8f11";

const order: Command = {
  kind: "order",
  number: 1_234_567,
  requestId: REQUEST_ID,
  name: "MenhirCo",
  type: "buy",
  quantity: 18,
  price: 17.99,
};

function refuse(content: Content, refusal: Refusal): Command {
  return { kind: "refuse", requestId: REQUEST_ID, content, refusal };
}

const KEY = {
  name: "shop",
  digest: "9f".repeat(32),
  may: "read,trade",
  stocks: "",
  expiresAtMs: 0,
};

/** One of each kind, with every way a refusal can relate to its content. */
const everyKind: Command[] = [
  order,
  {
    ...order,
    number: 1_234_568,
    type: "sell",
    quantity: Number.MAX_SAFE_INTEGER,
    price: 0.1 + 0.2,
  },
  { kind: "list", requestId: "seed-1", name: "FishCo", price: 17.99, quantity: 0 },
  { kind: "adjust", requestId: "a", name: "FishCo", by: -10 },
  { kind: "adjust", requestId: "b", name: "FishCo", by: Number.MAX_SAFE_INTEGER },
  refuse(
    { kind: "trade", name: "FishCo", type: "buy", quantity: -10 },
    { kind: "invalid-quantity", quantity: -10 },
  ),
  refuse(
    { kind: "trade", name: "FishCo", type: "negotiate", quantity: 1 },
    { kind: "unknown-type", type: "negotiate" },
  ),
  refuse(
    { kind: "trade", name: "Zaubertränke 🏺", type: "sell", quantity: 1 },
    { kind: "unknown-stock", name: "Zaubertränke 🏺" },
  ),
  refuse(
    { kind: "trade", name: "GameStart", type: "buy", quantity: 1e20 },
    { kind: "insufficient-volume", name: "GameStart" },
  ),
  refuse(
    { kind: "list", name: "GameStart", price: 1.5, quantity: 3 },
    { kind: "stock-exists", name: "GameStart" },
  ),
  refuse(
    { kind: "list", name: "New", price: -1.5, quantity: 3 },
    { kind: "invalid-quantity", quantity: -1.5 },
  ),
  refuse({ kind: "adjust", name: "Meh", by: -0 }, { kind: "unknown-stock", name: "another name" }),
  refuse(
    { kind: "adjust", name: "", by: Number.NEGATIVE_INFINITY },
    { kind: "unknown-type", type: "" },
  ),
  refuse(
    { kind: "trade", name: "A", type: "", quantity: 0.005 },
    { kind: "insufficient-volume", name: "B" },
  ),
  { kind: "key", requestId: "\u001fa", ...KEY },
  { kind: "key", requestId: "\u001fb", ...KEY, stocks: "FishCo,BoarCo", expiresAtMs: 1.8e12 },
  { kind: "revoke", requestId: "\u001fc", name: "shop" },
  refuse({ kind: "key", ...KEY }, { kind: "key-exists", name: "shop" }),
  refuse({ kind: "key", ...KEY }, { kind: "too-many-keys", name: "shop" }),
  refuse({ kind: "key", ...KEY }, { kind: "invalid-key", name: "other" }),
  refuse({ kind: "revoke", name: "shop" }, { kind: "unknown-key", name: "shop" }),
];

describe("command codec", () => {
  it("no field of any kind of command is lost or changed", () => {
    expect(decodeCommands(encodeCommands(everyKind))).toStrictEqual(everyKind);
    for (const command of everyKind) {
      expect(decodeCommands(encodeCommands([command]))).toStrictEqual([command]);
    }
    expect(decodeCommands(encodeCommands([]))).toEqual([]);
  });

  it("a batch far larger than the buffer at first is kept whole", () => {
    const commands = Array.from({ length: 5_000 }, (_, i) =>
      refuse(
        { kind: "list", name: `é${i}`, price: Math.PI * i, quantity: -Math.PI },
        { kind: "invalid-quantity", quantity: Math.E },
      ),
    );
    expect(decodeCommands(encodeCommands(commands))).toStrictEqual(commands);
  });

  it("an order takes 75 bytes at most, in a batch 60", () => {
    expect(encodeCommands([order]).length).toBeLessThanOrEqual(75);
    const batch = Array.from({ length: 64 }, (_, i) => ({ ...order, number: 1e9 + i }));
    expect(encodeCommands(batch).length / batch.length).toBeLessThanOrEqual(60);
  });

  it("a journal written before can still be read: the layout hasn't changed", () => {
    const commands: Command[] = [
      { ...order, requestId: "key", number: 300, name: "Fish" },
      { kind: "adjust", requestId: "é", name: "Fish", by: -2 },
      { kind: "list", requestId: "l", name: "A", price: 0.125, quantity: 128 },
      {
        kind: "refuse",
        requestId: "n",
        content: { kind: "trade", name: "B", type: "sell", quantity: -3 },
        refusal: { kind: "invalid-quantity", quantity: -3 },
      },
    ];
    const text = Buffer.from("keyFishéFishlAnB");
    const parts = [
      "01", // version
      "11000000", // bytes of text
      text.toString("hex"),
      "01 ac02 03 04 12 02870e", // buy 300, two lengths, 18 at 1799 hundredths
      "05 01 04 0102", // adjust, two lengths, minus 2
      "04 01 01 03000000000000c03f 8001", // list, two lengths, a float64, 128
      "03 01 02 01 0103 81", // refuse, a length, a sell, a length, minus 3, quantity as in content
    ];
    const bytes = encodeCommands(commands);
    expect(Buffer.from(bytes).toString("hex")).toBe(parts.join("").replaceAll(" ", ""));
    expect(decodeCommands(bytes)).toStrictEqual(commands);
  });

  it("each kind of command has the bytes and the canonical line that it has always had", async () => {
    const lines = everyKind.map((command) => {
      const canonical = canonicalRequest(command.requestId, recordedRequest(command));
      return `${Buffer.from(encodeCommands([command])).toString("hex")} ${canonical}`;
    });
    await expect(lines.join("")).toMatchFileSnapshot("testdata/commands.txt");
  });

  it("bytes that share a larger buffer are read from their own offset", () => {
    const bytes = encodeCommands(everyKind);
    const larger = new Uint8Array(bytes.length + 13);
    larger.set(bytes, 7);
    expect(decodeCommands(larger.subarray(7, 7 + bytes.length))).toStrictEqual(everyKind);
  });

  it("an entry cut off anywhere is refused whole", () => {
    for (const command of everyKind) {
      const bytes = encodeCommands([command]);
      for (let length = 0; length < bytes.length; length++) {
        const cut = bytes.subarray(0, length);
        const afterText = 5 + new DataView(bytes.buffer).getUint32(1, true);
        if (length === afterText && length > 5) {
          expect(() => decodeCommands(cut)).toThrow("text is left over");
        } else {
          expect(() => decodeCommands(cut), `${command.kind} cut at ${length}`).toThrow(
            BadCommandBytes,
          );
        }
      }
    }
  });

  it("bytes of another version or with unknown tags are refused, and the error names them", () => {
    const decode = (...records: number[]) =>
      decodeCommands(Uint8Array.of(1, 0, 0, 0, 0, ...records));
    expect(() => decodeCommands(Uint8Array.of(2, 0, 0, 0, 0))).toThrow("version 2, not 1");
    expect(() => decode(9)).toThrow("unknown command 9");
    expect(() => decode(3, 0, 9, 0)).toThrow("unknown content 9");
    expect(() => decode(3, 0, 5, 0, 0, 1, 99)).toThrow("unknown refusal 99");
  });
});
