// The document's "Catalog Service": its suite, over the catalog's internal port,
// on the stocks that are shipped. And what the document only implies: that only
// who knows the secret may call, and that a repeated update counts once.

import { statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { jsonAsOurs, labLines } from "./harness/lab-document.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf } from "./harness/load.ts";

const clusters = useClusters("file");
let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusters.up();
});

/** `Lookup - NAME` as the document prints its outcome. */
async function lookup(name: string): Promise<string> {
  const calls = await cluster.catalog();
  const found = await calls.find({ name });
  const told = "data" in found ? JSON.stringify({ data: found.data }) : found.message;
  return `Lookup - ${name} - ${found.status} - ${told}`;
}

async function update(name: string, by: unknown, requestId?: string): Promise<string> {
  const calls = await cluster.catalog();
  const { status, message } = await calls.update({ name, by, ...(requestId ? { requestId } : {}) });
  return `Update - ${name}, ${by} - ${status} - ${message}`;
}

describe("the catalog's suite", () => {
  const shown = labLines("suite-catalog").map(jsonAsOurs);

  test("lookup requests are answered as shown", async () => {
    const expected = shown.filter((line) => line.startsWith("Lookup - "));
    expect(expected).toHaveLength(2);
    expect([await lookup("FishCo"), await lookup("Ash")]).toEqual(expected);
  });

  test("update requests are answered as shown", async () => {
    const expected = shown.filter((line) => line.startsWith("Update - "));
    expect(expected).toHaveLength(3);
    const [good, wrong = "", unknown] = expected;
    expect(await update("FishCo", 10)).toBe(good);
    // Of the second, the document's message is its numeric library's: ours says what was wrong.
    expect(wrong).toMatch(/^Update - FishCo, LOL - 500 - ufunc/);
    expect(await update("FishCo", "LOL")).toMatch(/^Update - FishCo, LOL - 500 - .*\bLOL\b/);
    expect(await update("Meh", 10)).toBe(unknown);
    expect(await lookup("FishCo")).toContain('"quantity":610');
  });
});

test("an update that would leave less than nothing is refused", async () => {
  const before = await lookup("FishCo");
  expect(await update("FishCo", -1_000_000)).toBe(
    "Update - FishCo, -1000000 - 500 - Insufficient volume for FishCo stock",
  );
  expect(await lookup("FishCo")).toBe(before);
});

test("a name longer than any stock's is unknown to lookups and updates, and the answer doesn't repeat it", async () => {
  const longest = "Meh".repeat(21);
  expect(await lookup(longest)).toBe(
    `Lookup - ${longest} - 400 - Bad request. ${longest} stock not found in db`,
  );
  const name = "Meh".repeat(20_000);
  expect(await lookup(name)).toBe(
    `Lookup - ${name} - 400 - Bad request. The name of a stock has at most 64 letters`,
  );
  expect(await update(name, 10)).toBe(`Update - ${name}, 10 - 400 - Stock name not found`);
  expect(await update(name, "LOL")).toBe(`Update - ${name}, LOL - 400 - Stock name not found`);
});

test("an update repeated under its request id counts once", async () => {
  const client = cluster.client();
  const before = await quantityOf(client, "FishCo");
  for (let attempt = 0; attempt < 3; attempt++) {
    expect(await update("FishCo", -7, "one update")).toBe("Update - FishCo, -7 - 200 - success");
  }
  expect(await quantityOf(client, "FishCo")).toBe(before - 7);
});

test("a client that doesn't know the secret gets no connection", async () => {
  expect(statSync(join(cluster.data, "secret")).mode & 0o777).toBe(0o600);
  for (const port of [...cluster.catalogPorts, ...cluster.replicas]) {
    for (const headers of [{}, { "bazaar-proof": "0".repeat(64) }]) {
      const answer = await upgrade(port, { "bazaar-role": "cli", "bazaar-name": "x", ...headers });
      expect(answer).not.toContain(" 101 ");
    }
  }
});

/** The first line of the answer to a WebSocket upgrade; empty when the connection is just closed. */
async function upgrade(port: number, headers: Readonly<Record<string, string>>): Promise<string> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => {
      const lines = Object.entries({
        Host: `127.0.0.1:${port}`,
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        ...headers,
      }).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`GET / HTTP/1.1\r\n${lines.join("")}\r\n`);
    });
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
      if (answer.includes("\r\n")) socket.destroy();
    });
    socket.once("error", () => {});
    socket.once("close", () => resolve(answer.split("\r\n")[0] ?? ""));
  });
}
