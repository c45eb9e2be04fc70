// Numbers and strings as bytes, for the codec of commands.
//
// Layout: version (1 byte) · length of the text in bytes (4, little-endian) ·
// text (UTF-8) · records. All strings of a batch are one text, which is decoded
// in one call and cut up by the lengths in the records; decoding each string by
// itself takes several times as long.

/** Version of the layout, the first byte. */
const VERSION = 1;
const HEADER_BYTES = 5;
/** Bytes that any one primitive takes at most: a form byte and a float64, or a varint of 53 bits. */
const PRIMITIVE_BYTES_MAX = 9;
/** Bytes of a usual order beside its text, and some to spare: what is reserved for a command at first. */
const COMMAND_BYTES_USUAL = 24;

/** How a number is written: the byte before its value. */
const FORM_WHOLE = 0;
const FORM_NEGATIVE = 1;
const FORM_HUNDREDTHS = 2;
const FORM_FLOAT = 3;

// Used for whole texts only, so neither keeps anything between two calls.
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes are not what an encoder wrote: another version, or damage that no checksum caught. */
export class BadCommandBytes extends Error {
  override readonly name = "BadCommandBytes";
}

export class RecordWriter {
  #records: Uint8Array;
  #end = 0;
  #text = "";

  /** For about so many commands; more only cost a larger buffer. */
  constructor(commands: number) {
    this.#records = new Uint8Array(PRIMITIVE_BYTES_MAX + commands * COMMAND_BYTES_USUAL);
  }

  byte(value: number): void {
    this.#reserve();
    this.#records[this.#end++] = value;
  }

  /** A safe integer, not negative: 7 bits a byte, low ones first. */
  varint(value: number): void {
    this.#reserve();
    const records = this.#records;
    let rest = value;
    let end = this.#end;
    while (rest > 0x7fff_ffff) {
      records[end++] = 0x80 | (rest % 0x80);
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      records[end++] = 0x80 | (rest & 0x7f);
      rest >>>= 7;
    }
    records[end++] = rest;
    this.#end = end;
  }

  /** Any number, in the shortest form that gives exactly it back; a price of 17.99 takes three bytes. */
  number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.byte(value < 0 ? FORM_NEGATIVE : FORM_WHOLE);
      this.varint(Math.abs(value));
      return;
    }
    const hundredths = Math.round(value * 100);
    if (hundredths > 0 && Number.isSafeInteger(hundredths) && hundredths / 100 === value) {
      this.byte(FORM_HUNDREDTHS);
      this.varint(hundredths);
      return;
    }
    this.byte(FORM_FLOAT);
    this.#reserve();
    view(this.#records).setFloat64(this.#end, value, true);
    this.#end += 8;
  }

  /** A well-formed string; a lone surrogate would come back as U+FFFD. */
  string(value: string): void {
    this.varint(value.length);
    this.#text += value;
  }

  finish(): Uint8Array {
    // Nearly all text is ASCII, a byte a character: then it is encoded where it belongs.
    const bytes = this.#layOut(this.#text.length);
    const { read } = encoder.encodeInto(this.#text, textOf(bytes, this.#text.length));
    if (read === this.#text.length) return bytes;
    // encodeInto() isn't asked again with the length that this text takes: Node.js 26.10
    // stops a character early where that leaves no byte to spare.
    const text = encoder.encode(this.#text);
    const longer = this.#layOut(text.length);
    textOf(longer, text.length).set(text);
    return longer;
  }

  /** The whole but for its text, which takes so many bytes. */
  #layOut(textBytes: number): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES + textBytes + this.#end);
    bytes[0] = VERSION;
    setUint32(bytes, 1, textBytes);
    bytes.set(this.#records.subarray(0, this.#end), HEADER_BYTES + textBytes);
    return bytes;
  }

  #reserve(): void {
    if (this.#end + PRIMITIVE_BYTES_MAX <= this.#records.length) return;
    const larger = new Uint8Array(this.#records.length * 2);
    larger.set(this.#records);
    this.#records = larger;
  }
}

/** Reads what a RecordWriter wrote. Every method throws BadCommandBytes where that can't be. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #text: string;
  #textAt = 0;
  #at: number;

  constructor(bytes: Uint8Array) {
    if (bytes.length < HEADER_BYTES) fail(`${bytes.length} bytes are too few`);
    if (bytes[0] !== VERSION) fail(`version ${bytes[0]}, not ${VERSION}`);
    this.#bytes = bytes;
    const textBytes = uint32At(bytes, 1);
    this.#at = HEADER_BYTES + textBytes;
    if (this.#at > bytes.length) fail(`the text of ${textBytes} bytes is cut off`);
    this.#text = decodeText(bytes.subarray(HEADER_BYTES, this.#at));
  }

  /** Whether everything was read, text included. */
  get done(): boolean {
    if (this.#at < this.#bytes.length) return false;
    if (this.#textAt < this.#text.length) fail("text is left over");
    return true;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) fail("a record is cut off");
    this.#at++;
    return value;
  }

  varint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let scale = 0x80; scale <= Number.MAX_SAFE_INTEGER; scale *= 0x80) {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0) fail("an integer is longer than it needs to be");
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    fail("an integer is too large");
  }

  number(): number {
    const form = this.byte();
    switch (form) {
      case FORM_WHOLE:
        return this.varint();
      case FORM_NEGATIVE:
        return -this.varint();
      case FORM_HUNDREDTHS:
        return this.varint() / 100;
      case FORM_FLOAT: {
        if (this.#at + 8 > this.#bytes.length) fail("a number is cut off");
        const value = view(this.#bytes).getFloat64(this.#at, true);
        this.#at += 8;
        return value;
      }
      default:
        fail(`unknown form of number ${form}`);
    }
  }

  string(): string {
    const end = this.#textAt + this.varint();
    if (end > this.#text.length) fail("a string is cut off");
    const value = this.#text.slice(this.#textAt, end);
    this.#textAt = end;
    return value;
  }
}

/** Refuses the bytes. */
export function fail(reason: string): never {
  throw new BadCommandBytes(`not the bytes of market commands: ${reason}`);
}

function textOf(bytes: Uint8Array, textBytes: number): Uint8Array {
  return bytes.subarray(HEADER_BYTES, HEADER_BYTES + textBytes);
}

// A DataView for each entry would cost more than all that it reads.

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  for (let byte = 0; byte < 4; byte += 1) bytes[at + byte] = value >>> (8 * byte);
}

function uint32At(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let byte = 3; byte >= 0; byte -= 1) value = value * 256 + (bytes[at + byte] ?? 0);
  return value;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    fail("the text is not UTF-8");
  }
}
