import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { REQUESTS_IN_HAND_MAX } from "../limits.ts";
import { type ConnectionLimits, limitConnections } from "./connections.ts";

vi.setConfig({ testTimeout: 30_000 });
const WAIT = { timeout: 20_000, interval: 5 };
const REQUEST = "GET /NUMBER HTTP/1.1\r\nhost: here\r\n\r\n";

let server: Server;
const sockets: Socket[] = [];
/** Requests begun, in order. */
let begun: { readonly url: string; readonly response: ServerResponse }[];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

async function listening(
  answer: (response: ServerResponse) => void,
  limits: ConnectionLimits = {},
): Promise<void> {
  begun = [];
  server = createServer((request, response) => {
    begun.push({ url: request.url ?? "", response });
    answer(response);
  });
  limitConnections(server, limits);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}

/** A client that has sent so many requests and reads nothing. */
async function pipelining(requests: number): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const numbers = Array.from({ length: requests }, (_, index) => index);
  socket.write(numbers.map((number) => REQUEST.replace("NUMBER", String(number))).join(""));
  return socket;
}

/** All that comes, until the answers to so many requests are there. */
async function readAnswers(socket: Socket, count: number): Promise<void> {
  let answers = 0;
  let rest = "";
  socket.on("data", (chunk: Buffer) => {
    rest += chunk.toString("latin1");
    const parts = rest.split("HTTP/1.1 200 OK");
    answers += parts.length - 1;
    rest = parts.at(-1)?.slice(-20) ?? "";
  });
  socket.resume();
  await vi.waitFor(() => expect(answers).toBe(count), WAIT);
}

const urls = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`);

test("so many requests of a connection are begun, the rest as these are answered, in order", async () => {
  await listening(() => {});
  const socket = await pipelining(500);
  await vi.waitFor(() => expect(begun).toHaveLength(REQUESTS_IN_HAND_MAX), WAIT);
  begun[1]?.response.end(); // its turn is after the first: nothing is handed over yet
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toHaveLength(REQUESTS_IN_HAND_MAX);
  begun[0]?.response.end();
  await vi.waitFor(() => expect(begun).toHaveLength(REQUESTS_IN_HAND_MAX + 2), WAIT);
  const answered = readAnswers(socket, 500);
  for (let next = 2; next < 500; next += 1) {
    await vi.waitFor(() => expect(begun.length).toBeGreaterThan(next), WAIT);
    begun[next]?.response.end();
  }
  await answered;
  expect(begun.map(({ url }) => url)).toEqual(urls(500));
});

test("a client that reads nothing has few requests begun, and all of them once it reads", async () => {
  const body = Buffer.alloc(200_000, "x");
  await listening((response) => response.end(body));
  const socket = await pipelining(400);
  socket.pause();
  // Megabytes lie in the system's buffers before the first answer is unread.
  let before = -1;
  await vi.waitFor(async () => {
    before = begun.length;
    expect(before).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(begun.length).toBe(before);
  }, WAIT);
  expect(before).toBeLessThan(REQUESTS_IN_HAND_MAX + 20);
  await readAnswers(socket, 400);
  expect(begun.map(({ url }) => url)).toEqual(urls(400));
});

test("while requests of a connection wait, nothing more is read from it", async () => {
  await listening(() => {});
  const socket = await pipelining(REQUESTS_IN_HAND_MAX + 1);
  await vi.waitFor(() => expect(begun).toHaveLength(REQUESTS_IN_HAND_MAX), WAIT);
  const more = "x".repeat(1_000_000);
  let isTaken = true;
  for (let sent = 0; sent < 100 && isTaken; sent += 1) {
    socket.write(REQUEST.replace("NUMBER", more.slice(0, 8_000)).repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 20));
    isTaken = socket.writableLength === 0;
  }
  expect(isTaken).toBe(false);
  expect(begun).toHaveLength(REQUESTS_IN_HAND_MAX);
});

test("a client that takes nothing of an answer is cut off after the limit, one that reads isn't", async () => {
  const body = Buffer.alloc(30_000_000, "x");
  await listening((response) => response.end(body), { unreadLimitMs: 300, checkIntervalMs: 20 });
  const deaf = await pipelining(1);
  deaf.pause();
  const slow = await pipelining(1);
  let read = 0;
  slow.pause();
  const sips = setInterval(() => {
    read += (slow.read(100_000) as Buffer | null)?.length ?? 0; // paused in between
  }, 10);
  await vi.waitFor(() => expect(begun[0]?.response.destroyed).toBe(true), WAIT);
  await vi.waitFor(() => expect(read).toBeGreaterThan(10_000_000), WAIT);
  clearInterval(sips);
  expect(begun[1]?.response.destroyed).toBe(false);
  const ended = new Promise((resolve) => slow.once("close", resolve));
  slow.resume().end();
  await ended;
});

test("a connection that waits for its next request is cut off by no time-out of answers", async () => {
  await listening((response) => response.end("x"), { unreadLimitMs: 60, checkIntervalMs: 5 });
  const socket = await pipelining(1);
  await readAnswers(socket, 1);
  let isOver = false;
  socket.once("close", () => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(isOver).toBe(false);
});

test("a turn of the event loop begins few of the requests that came together", async () => {
  const busyFor = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };
  let turn = 0;
  const turns: number[] = [];
  let isOver = false;
  const nextTurn = () => {
    turn += 1;
    if (!isOver) setImmediate(nextTurn);
  };
  await listening(
    (response) => {
      turns.push(turn);
      busyFor(4);
      response.end("x");
    },
    { turnMs: 10 },
  );
  const clients = await Promise.all(Array.from({ length: 60 }, () => asking()));
  for (const [index, client] of clients.entries()) client.ask(String(index));
  busyFor(100); // all have come
  setImmediate(nextTurn);
  await vi.waitFor(() => expect(turns).toHaveLength(60), WAIT);
  isOver = true;
  for (const each of new Set(turns)) {
    // Three in 10 ms, and as many of those that waited.
    expect(turns.filter((other) => other === each).length).toBeLessThanOrEqual(6);
  }
  for (const { statuses } of clients)
    await vi.waitFor(() => expect(statuses()).toEqual(["200"]), WAIT);
});

/** A client that sends its requests one by one, and the answers that it got. */
async function asking() {
  const socket = await pipelining(0);
  let answers = "";
  socket.on("data", (chunk: Buffer) => {
    answers += chunk.toString("latin1");
  });
  const statuses = () => [...answers.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status);
  return { socket, statuses, ask: (url: string) => socket.write(REQUEST.replace("NUMBER", url)) };
}

const answering = (status: number) => (response: ServerResponse) =>
  response.writeHead(status, { "content-length": 0 }).end();

test.each([503, 429])(
  "a connection that asks again as soon as it was told %s has to wait, and others don't",
  async (status) => {
    await listening(answering(status), { heldMs: 600_000 });
    const turnedAway = await asking();
    turnedAway.ask("first");
    await vi.waitFor(() => expect(turnedAway.statuses()).toEqual([String(status)]), WAIT);
    turnedAway.ask("second");
    for (const url of ["third", "fourth"]) {
      const other = await asking();
      other.ask(url);
      await vi.waitFor(() => expect(other.statuses()).toEqual([String(status)]), WAIT);
    }
    expect(begun.map(({ url }) => url)).toEqual(["/first", "/third", "/fourth"]);
  },
);

test("a connection that waits as it was told is answered at once when it asks again", async () => {
  const heldMs = 600_000;
  await listening(answering(503), { heldMs });
  const patient = await asking();
  const now = vi.spyOn(performance, "now");
  try {
    for (const asked of [1, 2, 3]) {
      now.mockReturnValue(asked * heldMs);
      patient.ask(String(asked));
      await vi.waitFor(() => expect(patient.statuses()).toHaveLength(asked), WAIT);
    }
  } finally {
    now.mockRestore();
  }
});

test("what came too soon is answered after a while, and what came after it, in order", async () => {
  await listening(answering(503), { heldMs: 10 });
  const turnedAway = await asking();
  for (let asked = 1; asked <= 10; asked += 1) {
    turnedAway.ask(String(asked));
    if (asked % 3 === 0) {
      await vi.waitFor(() => expect(turnedAway.statuses()).toHaveLength(asked), WAIT);
    }
  }
  await vi.waitFor(() => expect(turnedAway.statuses()).toHaveLength(10), WAIT);
  expect(begun.map(({ url }) => url)).toEqual(urls(11).slice(1));
});

test("what was sent in one go with a request that was turned away is answered, too", async () => {
  await listening(answering(503), { heldMs: 10 });
  const socket = await pipelining(100);
  let answers = "";
  socket.on("data", (chunk: Buffer) => {
    answers += chunk.toString("latin1");
  });
  await vi.waitFor(() => expect(answers.split("HTTP/1.1 503")).toHaveLength(101), WAIT);
});
