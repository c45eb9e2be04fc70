import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { BazaarClient } from "./client.ts";
import type { BazaarEvent } from "./events.ts";

let server: Server;
let client: BazaarClient;
let asked: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers["last-event-id"]?.toString());
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  client = new BazaarClient({ url: `http://127.0.0.1:${port}`, random: () => 0 });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

function tell(response: ServerResponse, ...events: readonly string[]): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  response.write(`: hello\n\n${events.join("")}`);
}
const event = (id: string, kind: string, at: number) =>
  `id: ${id}\nevent: ${kind}\ndata: {"at":${at}}\n\n`;

async function take(count: number, events: AsyncIterable<BazaarEvent>): Promise<BazaarEvent[]> {
  const taken: BazaarEvent[] = [];
  for await (const each of events) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}

test("events come in order and as they were sent, and leaving the loop closes the connection", async () => {
  let closed = false;
  answer = (request, response) => {
    request.socket.on("close", () => {
      closed = true;
    });
    tell(response, event("a-1", "state", 1), event("a-2", "other", 2), event("a-3", "change", 3));
  };
  expect(await take(2, client.events())).toEqual([
    { kind: "state", id: "a-1", data: { at: 1 } },
    { kind: "change", id: "a-3", data: { at: 3 } },
  ]);
  await expect.poll(() => closed).toBe(true);
});

test("after a lost connection events go on behind the last one that came", async () => {
  answer = (_request, response) => {
    if (asked.length === 1) {
      tell(response, event("a-1", "state", 1));
      setImmediate(() => response.destroy());
    } else if (asked.length === 2) response.writeHead(503, { "retry-after": "0" }).end();
    else tell(response, event("a-2", "change", 2));
  };
  const events = await take(2, client.events({ after: "a-0" }));
  expect(events.map(({ id }) => id)).toEqual(["a-1", "a-2"]);
  expect(asked).toEqual(["a-0", "a-1", "a-1"]);
});

test("an answer that isn't the bazaar's ends the events", async () => {
  answer = (_request, response) => response.writeHead(404).end("{}");
  await expect(take(1, client.events())).rejects.toMatchObject({ kind: "misunderstood" });
  answer = (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end();
  await expect(take(1, client.events())).rejects.toMatchObject({ kind: "misunderstood" });
  expect(asked).toHaveLength(2);
});

test.each([
  [401, "unauthorized"],
  [403, "forbidden"],
])(
  "a key that isn't let in ends the events, in the bazaar's own words: %d",
  async (status, kind) => {
    const message = `no, because of ${status}`;
    answer = (_request, response) =>
      response.writeHead(status).end(JSON.stringify({ error: { code: status, message } }));
    await expect(take(1, client.events())).rejects.toMatchObject({ kind, message, status });
    expect(asked).toHaveLength(1);
  },
);

test("whoever wants to is told of each connection that is lost, and of each that isn't had", async () => {
  const seen: string[] = [];
  answer = (_request, response) => {
    seen.push("asked");
    if (asked.length === 2) response.writeHead(503, { "retry-after": "0" }).end();
    else {
      tell(response, event(`a-${asked.length}`, "state", 1));
      setImmediate(() => response.destroy());
    }
  };
  for await (const { id } of client.events({ onInterrupted: () => seen.push("lost") })) {
    seen.push(id);
    if (id === "a-3") break;
  }
  expect(seen).toEqual(["asked", "a-1", "lost", "asked", "lost", "asked", "a-3"]);
});

test("a signal ends the wait for the next event", async () => {
  answer = (_request, response) => tell(response, event("a-1", "state", 1));
  const controller = new AbortController();
  const events = client.events({ signal: controller.signal });
  expect((await events.next()).value).toMatchObject({ id: "a-1" });
  const next = events.next();
  controller.abort();
  await expect(next).rejects.toMatchObject({ kind: "aborted" });
  await expect(client.events({ signal: controller.signal }).next()).rejects.toMatchObject({
    kind: "aborted",
  });
});

test.each<[what: string, answer: (response: ServerResponse) => void]>([
  ["a front end that says nothing", (response) => tell(response)],
  ["a front end that never answers", () => {}],
  ["a front end that is overloaded", (response) => response.writeHead(503).end()],
])("%s ends the wait at its time-out", async (_what, answering) => {
  answer = (_request, response) => answering(response);
  const first = client.events({ timeoutMs: 100 }).next();
  await expect(first).rejects.toMatchObject({ kind: "unavailable" });
});

test("the time-out counts anew for each event", async () => {
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  onTestFinished(() => void vi.restoreAllMocks());
  const headers = { "content-type": "text/event-stream" };
  const fetchOne = async () => new Response(event("a-1", "state", 1), { headers });
  const own = new BazaarClient({ url: "http://127.0.0.1", fetch: fetchOne, random: () => 0 });
  const events = own.events({ timeoutMs: 1_000 });
  for (; nowMs < 3_000; nowMs += 900) {
    expect((await events.next()).value).toMatchObject({ kind: "state" });
  }
});
