import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { AnswerReader, parseOfferedLoad } from "./offered-load.ts";
import { SEPARATOR } from "./requests.ts";

const PROGRAM = join(import.meta.dirname, "offered-load.ts");

test("every request is answered once and counted as what it was answered with", async () => {
  let answered = 0;
  const server = createServer((_request, response) => {
    answered++;
    const isBusy = answered % 2 === 0;
    const head = isBusy ? { "Retry-After": "1", "Content-Length": 0 } : { "Content-Length": 0 };
    response.writeHead(isBusy ? 503 : 200, head).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = mkdtempSync(join(tmpdir(), "bazaar-offered-load-"));
  try {
    const file = join(folder, "requests");
    const request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    writeFileSync(file, [request, request].join(SEPARATOR));
    const { port } = server.address() as AddressInfo;
    const args = [PROGRAM, port, 200, 1, 0, 4, file].map(String);
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const sample = parseOfferedLoad(stdout);
    const sent = sample.offeredPerSecond ?? 0;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(200);
    expect(sample).toMatchObject({ withoutRetryAfter: 0, other: 0, lost: 0 });
    expect(sample.unavailable).toBe(Math.floor(sent / 2));
    expect(answered).toBe(sent);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
}, 30_000);

test("a load generator that died is an error, not read as zero answers", () => {
  expect(() => parseOfferedLoad("Error: connect ECONNREFUSED")).toThrow("no report");
});

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
