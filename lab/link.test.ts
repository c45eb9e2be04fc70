import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Link } from "./link.ts";
import { freePorts } from "./ports.ts";
import { until } from "./wait.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

interface End {
  readonly socket: Socket;
  text: string;
  over: boolean;
}

function end(socket: Socket): End {
  const made: End = { socket, text: "", over: false };
  socket.on("data", (chunk) => {
    made.text += chunk;
  });
  socket.on("close", () => {
    made.over = true;
  });
  socket.on("error", () => {});
  open.push(() => socket.destroy());
  return made;
}

/** A connection through a link: both its ends. */
async function connected() {
  const [from = 0, to = 0] = await freePorts(2);
  const accepted: End[] = [];
  const server: Server = createServer((socket) => accepted.push(end(socket)));
  server.listen(to, "127.0.0.1");
  await once(server, "listening");
  const link = await Link.open({ host: "127.0.0.1", port: from }, { host: "127.0.0.1", port: to });
  open.push(() => {
    server.close();
    link.close();
  });
  const near = end(new Socket().connect(from, "127.0.0.1"));
  const far = await until("a connection", () => accepted[0]);
  return { link, near, far };
}

/** Says something that is known to have been read, in the direction that is open. */
async function passes(from: End, to: End, text: string): Promise<void> {
  from.socket.write(text);
  await until(`${text} to arrive`, () => to.text.endsWith(text));
}

test("bytes and ends pass both ways", async () => {
  const { near, far } = await connected();
  await passes(near, far, "ping");
  await passes(far, near, "pong");
  near.socket.end();
  await until("both ends closed", () => near.over && far.over);
});

test("a direction that is cut lets nothing through, the other everything; healed, what waited comes", async () => {
  const { link, near, far } = await connected();
  await passes(near, far, "first");
  const heal = link.cut(["there"]);
  near.socket.write("second");
  await passes(far, near, "answer");
  await passes(far, near, "more");
  expect(far.text).toBe("first");
  heal();
  await until("the rest", () => far.text === "firstsecond");
});

test("a cut hides the end of a connection until it heals", async () => {
  const { link, near, far } = await connected();
  await passes(near, far, "first");
  const heal = link.cut(["there", "back"]);
  far.socket.destroy();
  await until("its end", () => far.over);
  near.socket.write("to nobody");
  expect(near.over).toBe(false);
  heal();
  await until("told", () => near.over);
});

test("of two cuts that overlap, the first to heal doesn't heal the other", async () => {
  const { link, near, far } = await connected();
  const heal = link.cut(["there", "back"]);
  const healOther = link.cut(["there"]);
  heal();
  heal();
  near.socket.write("late");
  await passes(far, near, "answer");
  await passes(far, near, "more");
  expect(far.text).toBe("");
  healOther();
  await until("late", () => far.text === "late");
});

test("a reset ends both ends, and what waited is lost", async () => {
  const { link, near, far } = await connected();
  const heal = link.cut(["there"]);
  near.socket.write("lost");
  link.reset();
  await until("both ends closed", () => near.over && far.over);
  heal();
  expect(far.text).toBe("");
});
