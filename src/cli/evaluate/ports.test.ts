// Real sockets on loopback.

import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePorts } from "./ports.ts";

test("a port that somebody listens on is not given to a replica", async () => {
  const [taken = 0] = await freePorts(1, Math.random);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
  try {
    const draws = [(taken - 12_000) / (19_999 - 12_000 - 2) + 1e-9, 0.9999];
    const ports = await freePorts(2, () => draws.shift() ?? Math.random());
    expect(draws.length).toBeLessThan(2);
    expect(ports).not.toContain(taken);
    expect(ports[1]).toBe((ports[0] ?? 0) + 1);
  } finally {
    server.close();
  }
});

test("a machine without free ports is told of, not asked for ever", async () => {
  const [taken = 0] = await freePorts(1, Math.random);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
  try {
    const always = (taken - 12_000) / (19_999 - 12_000 - 1) + 1e-9;
    await expect(freePorts(1, () => always)).rejects.toThrow("no 1 free ports");
  } finally {
    server.close();
  }
});
