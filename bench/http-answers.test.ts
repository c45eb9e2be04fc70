import { expect, test } from "vitest";
import { AnswerReader } from "./http-answers.ts";

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"\r\n}';
const BUSY =
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nConnection: keep-alive\r\n\r\n";

test("answers cut anywhere are neither lost nor counted twice", () => {
  const text = OK + BUSY + OK;
  for (let cut = 0; cut <= text.length; cut++) {
    const reader = new AnswerReader();
    const answers = [
      ...reader.read(Buffer.from(text.slice(0, cut))),
      ...reader.read(Buffer.from(text.slice(cut))),
    ];
    expect(answers).toEqual([
      { status: 200, hasRetryAfter: false },
      { status: 503, hasRetryAfter: true },
      { status: 200, hasRetryAfter: false },
    ]);
  }
});

test("an answer whose end can't be known stops the run", () => {
  const reader = new AnswerReader();
  expect(() => reader.read(Buffer.from("HTTP/1.1 200 OK\r\n\r\n"))).toThrow("without a length");
});
