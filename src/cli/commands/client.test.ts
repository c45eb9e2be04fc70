// `client` against a made-up front end on a real port.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UserError } from "../user-error.ts";
import { clientCommand } from "./client.ts";
import { Bench } from "./testing.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let bench: Bench;
let server: Server;
let url: string;
let isHonest: boolean;

beforeEach(async () => {
  bench = new Bench();
  isHonest = true;
  const orders: unknown[] = [];
  server = createServer((request, response) => {
    const data = (value: unknown) => response.end(JSON.stringify({ data: value }));
    const stock = { name: "FishCo", price: 1, quantity: 9 };
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      const path = request.url ?? "";
      if (path === "/stocks") data([stock]);
      else if (path.startsWith("/stocks/")) data(stock);
      else if (request.method === "POST") {
        const number = orders.push(JSON.parse(body));
        data({ transaction_number: number });
      } else {
        const number = Number(path.slice("/orders/".length));
        const kept = orders[number - 1] as object;
        data({ number, ...kept, ...(isHonest ? {} : { quantity: 77 }) });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await bench.close();
});

const small = () => ["--clients=2", "--iterations=5", "--probability=1", `--url=${url}`];

test("when every order is found as it was made, the exit status is 0", async () => {
  const { stdout, status } = await bench.run(clientCommand(), ...small());
  expect(status).toBe(0);
  expect(stdout).toMatch(/^requests +30 in \d+\.\d s, \d+\/s$/m);
  expect(stdout).toMatch(/^matched +10\/10$/m);
  expect(stdout).toMatch(/^trade +10 +\d/m);
});

test("when an order is found changed, the exit status is 1 and the order is named", async () => {
  isHonest = false;
  const { stdout, status } = await bench.run(clientCommand(), ...small());
  expect(status).toBe(1);
  expect(stdout).toContain("0/10");
  expect(stdout).toMatch(/^order \d+: made .*, found .* 77 FishCo$/m);
});

test("--json prints every number of the summary", async () => {
  const { stdout } = await bench.run(clientCommand(), "--json", ...small());
  expect(JSON.parse(stdout)).toMatchObject({
    requests: 30,
    trades: 10,
    refusals: 0,
    failures: 0,
    matched: 10,
    total: 10,
    latencyMs: { lookup: { count: 10 }, trade: { count: 10 }, order: { count: 10 } },
    problems: [],
  });
});

test.each([
  ["--clients=0", "--clients must be a whole number from 1 to 10000"],
  ["--probability=2", "--probability must be a number from 0 to 1"],
  ["--url=nonsense", "--url must be like http://127.0.0.1:8000"],
])("%s is refused in one line", async (wrong, line) => {
  const run = bench.run(clientCommand(), wrong);
  await expect(run).rejects.toThrow(UserError);
  await expect(run).rejects.toThrow(line);
});
