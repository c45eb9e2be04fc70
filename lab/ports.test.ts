// Real sockets on loopback.

import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePorts, HIGHEST, LOWEST } from "./ports.ts";

/** Listens on a port; gives it, and what draws it as the first of `count`. */
async function taken(count: number) {
  const [port = 0] = await freePorts(1);
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const drawn = (port - LOWEST) / (HIGHEST - LOWEST - count) + 1e-9;
  return { port, drawn, [Symbol.dispose]: () => void server.close() };
}

test("a port that somebody listens on is not given to a replica", async () => {
  using listener = await taken(2);
  const draws = [listener.drawn, 0.9999];
  const ports = await freePorts(2, () => draws.shift() ?? Math.random());
  expect(draws.length).toBeLessThan(2);
  expect(ports).not.toContain(listener.port);
  expect(ports[1]).toBe((ports[0] ?? 0) + 1);
});

test("a machine without free ports is told of, not asked for ever", async () => {
  using listener = await taken(1);
  await expect(freePorts(1, () => listener.drawn)).rejects.toThrow("no 1 free ports");
});
