import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import { BODY_BYTES_MAX, BODY_DISCARDED_BYTES_MAX } from "../limits.ts";
import { BodyCutOffError, BodyTooLargeError, readBody, tradeReader } from "./trade-body.ts";

const readTrade = tradeReader();

function read(text: string) {
  return readTrade(Buffer.from(text));
}

function wrong(body: unknown): string | null {
  const reading = readTrade(body);
  return "wrong" in reading ? reading.wrong : null;
}

describe("a body that isn't a trade", () => {
  const malformed: readonly (readonly [body: string, what: string])[] = [
    ["", "the body is empty"],
    ["{", "the body is no JSON"],
    ["name=FishCo&quantity=1&type=buy", "the body is no JSON"],
    ['{"name":"FishCo","quantity":01,"type":"buy"}', "the body is no JSON"],
    ['{"name":"FishCo","quantity":NaN,"type":"buy"}', "the body is no JSON"],
    ["null", "it must be an object with name, quantity and type"],
    ["3", "it must be an object with name, quantity and type"],
    ['"FishCo"', "it must be an object with name, quantity and type"],
    ["[]", "it must be an object, not an array"],
    ['[{"name":"FishCo","quantity":1,"type":"buy"}]', "it must be an object, not an array"],
    [`${"[".repeat(30_000)}${"]".repeat(30_000)}`, "it must be an object, not an array"],
    ["{}", "name is missing, quantity is missing, type is missing"],
    ['{"quantity":1,"type":"buy"}', "name is missing"],
    ['{"name":"FishCo","type":"buy"}', "quantity is missing"],
    ['{"name":"FishCo","quantity":1}', "type is missing"],
    ['{"name":7,"quantity":1,"type":"buy"}', "name must be a string"],
    ['{"name":null,"quantity":1,"type":"buy"}', "name must be a string"],
    ['{"name":["FishCo"],"quantity":1,"type":"buy"}', "name must be a string"],
    ['{"name":"FishCo","quantity":1,"type":{}}', "type must be a string"],
    ['{"name":"FishCo","quantity":1.9,"type":"buy"}', "quantity must be a whole number"],
    ['{"name":"FishCo","quantity":-1.5,"type":"buy"}', "quantity must be a whole number"],
    ['{"name":"FishCo","quantity":"10","type":"buy"}', "quantity must be a whole number"],
    ['{"name":"FishCo","quantity":true,"type":"buy"}', "quantity must be a whole number"],
    ['{"name":"FishCo","quantity":null,"type":"buy"}', "quantity must be a whole number"],
    [
      '{"__proto__":{"name":"FishCo","quantity":1,"type":"buy"}}',
      "name is missing, quantity is missing, type is missing",
    ],
  ];
  test.each(malformed)("%j is told what is wrong", (body, what) => {
    expect(wrong(Buffer.from(body))).toBe(what);
  });

  test("is told to be empty when it is", () => {
    expect(wrong(undefined)).toBe("the body is empty");
    expect(wrong(null)).toBe("the body is empty");
  });

  test("is refused when it is no UTF-8, not read as another name", () => {
    const body = Buffer.from('{"name":"Fish\xffCo","quantity":1,"type":"buy"}', "latin1");
    expect(wrong(body)).toBe("the body is no UTF-8");
  });
});

describe("a body that is a trade", () => {
  const value = { name: "FishCo", quantity: 1, type: "buy" };

  test.each([
    ["a byte order mark", '\ufeff{"name":"FishCo","quantity":1,"type":"buy"}'],
    ["blanks", ' \n{"name":"FishCo",\t"quantity":1,"type":"buy"}\r\n'],
    ["fields besides", '{"name":"FishCo","quantity":1.0,"type":"buy","note":{"a":[1,2]}}'],
    [
      "a key twice, of which the last counts",
      '{"name":"Hey","quantity":1e0,"type":"buy","name":"FishCo"}',
    ],
    [
      "a key that means something to JavaScript",
      '{"name":"FishCo","quantity":1,"type":"buy","__proto__":{"type":"sell"},"constructor":1}',
    ],
  ])("is read with %s", (_what, body) => {
    expect(read(body)).toEqual({ value });
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });

  test.each([-10, 0, 1e16, 1e20])("is left to the leader with a quantity %d", (quantity) => {
    const body = JSON.stringify({ ...value, quantity });
    expect(read(body)).toEqual({ value: { ...value, quantity } });
  });

  test("is left to the leader whatever its name and type", () => {
    expect(read('{"name":"","quantity":1,"type":"steal"}')).toEqual({
      value: { name: "", quantity: 1, type: "steal" },
    });
  });
});

test("a quantity beyond all numbers is the largest, and judged like one", () => {
  const quantity = (text: string) => read(`{"name":"FishCo","quantity":${text},"type":"buy"}`);
  const trade = { name: "FishCo", type: "buy" };
  expect(quantity("1e400")).toEqual({ value: { ...trade, quantity: Number.MAX_VALUE } });
  expect(quantity("-1e400")).toEqual({ value: { ...trade, quantity: -Number.MAX_VALUE } });
});

let message: IncomingMessage;
let arrived: Promise<Uint8Array | Error | undefined>;
let calls: number;

beforeEach(() => {
  message = new IncomingMessage(new Socket());
  calls = 0;
  arrived = new Promise((resolve) => {
    readBody(message, (error, body) => {
      calls++;
      resolve(error ?? body);
    });
  });
});

function send(...pieces: readonly (string | Buffer)[]): void {
  for (const piece of pieces) message.push(piece);
}

test("a body in pieces comes as one, letters cut in two included", async () => {
  const bytes = Buffer.from("Fischgeschäft");
  send(bytes.subarray(0, 10), bytes.subarray(10));
  message.push(null);
  expect(Buffer.from((await arrived) as Uint8Array).toString()).toBe("Fischgeschäft");
});

test("no body is an empty one", async () => {
  message.push(null);
  expect(await arrived).toHaveLength(0);
});

test("a body of the largest size is taken, and a byte more isn't", async () => {
  send(Buffer.alloc(BODY_BYTES_MAX));
  message.push(null);
  expect(await arrived).toHaveLength(BODY_BYTES_MAX);
});

test("a body that is too large is refused once it has been read", async () => {
  send(Buffer.alloc(BODY_BYTES_MAX), "x");
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(0);
  message.push(null);
  expect(await arrived).toEqual(new BodyTooLargeError(true));
});

test("a body without end is cut off, not read for ever", async () => {
  send(Buffer.alloc(BODY_DISCARDED_BYTES_MAX), "x");
  expect(await arrived).toEqual(new BodyTooLargeError(false));
});

test("a connection that breaks in the middle is told once", async () => {
  send("{");
  message.destroy(new Error("aborted"));
  expect(await arrived).toBeInstanceOf(BodyCutOffError);
  message.emit("error", new Error("again"));
  expect(calls).toBe(1);
});
