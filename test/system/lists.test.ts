// Lists that are large, and clients that ask for many of them: whatever is
// asked, leaders go on leading, and everybody else is answered.

import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Cluster, StockRow } from "../../lab/cluster.ts";
import { dataOf, jsonOf } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { Load, times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");

const STOCKS = 100_000;
const LISTS_AT_ONCE = 40;
const BUY = { name: "AAAAAA", type: "buy", quantity: 1 } as const;
/** The first start makes and delivers a journal of 100,000 entries, on a machine that is busy besides. */
const LARGE_START_MS = 240_000;
/** How long a client may leave answers unread, and much more. */
const UNREAD_MS = 60_000;

/** Names by number, in the order of the alphabet: AAAAAA, AAAAAB … */
function nameOf(number: number): string {
  const digits = number.toString(26).padStart(6, "0");
  return digits.replace(/./g, (digit) => String.fromCharCode(65 + Number.parseInt(digit, 26)));
}

/** How often a replica began to lead, and was deposed. */
function reigns(cluster: Cluster): { readonly led: number; readonly deposed: number } {
  const lines = cluster.replicas.flatMap((id) => cluster.log(`order-${id}`));
  const count = (line: string) => lines.filter((each) => each === line).length;
  return { led: count("Leading"), deposed: count("No longer leading") };
}

test("with 100,000 stocks the first leader goes on leading, also while lists are asked for by the dozen", {
  timeout: 2 * LARGE_START_MS,
}, async () => {
  const rows = Array.from(
    { length: STOCKS },
    (_, number): StockRow => [nameOf(number), 1.5, 1_000],
  );
  const cluster = await clusters.prepare({ stocks: rows.toReversed(), logLevel: "info" });
  const up = cluster.start("up");
  const client = cluster.client(2);
  await until(
    "open",
    async () => {
      if (up.finished) throw new Error(up.stderr);
      return (await client.get("/readyz")).status === 200;
    },
    LARGE_START_MS,
  );
  expect(await tradeInTurn(client, [BUY])).toEqual([1]);
  const { epoch } = await cluster.status();
  const load = new Load([cluster.client(), cluster.client()], () => BUY);

  const readers = cluster.client(LISTS_AT_ONCE);
  for (let round = 0; round < 2; round += 1) {
    const lists = await Promise.all(
      Array.from({ length: LISTS_AT_ONCE }, () => readers.get("/stocks")),
    );
    for (const list of lists) {
      expect(list.status, list.error ?? list.text.slice(0, 200)).toBe(200);
      const stocks = dataOf(list) as { name: string; quantity: number }[];
      expect(stocks).toHaveLength(STOCKS);
      expect(stocks.at(-1)).toEqual({ name: nameOf(STOCKS - 1), price: 1.5, quantity: 1_000 });
    }
  }
  const names: string[] = [];
  for (let after: string | null = nameOf(STOCKS - 2_500); after !== null; ) {
    const page = await readers.get(`/stocks?after=${after}&limit=1000`);
    const { data, next } = jsonOf(page) as { data: { name: string }[]; next: string | null };
    names.push(...data.map(({ name }) => name));
    after = next;
  }
  expect(names).toEqual(rows.slice(-2_499).map(([name]) => name));

  const { traded } = await load.stop();
  expect(traded.filter(({ call }) => call.status !== 200)).toEqual([]);
  expect(traded.length).toBeGreaterThan(0);
  expect((await cluster.status()).epoch).toBe(epoch);
  expect(reigns(cluster)).toEqual({ led: 1, deposed: 0 });
});

test("a connection that asks for 1,000 lists of orders and never reads keeps nobody waiting, and is cut off", async () => {
  const cluster = await clusters.prepare();
  await cluster.up();
  const client = cluster.client();
  await tradeInTurn(client, times(1_000, { ...BUY, name: "FishCo", type: "sell" }));
  const { epoch } = await cluster.status();
  const request = "GET /orders?after=0&limit=1000 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
  let closed = 0;
  const deaf = Array.from({ length: 4 }, () => {
    const socket = connect(cluster.frontendPorts[0] ?? 0, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.pause();
    socket.on("error", () => {});
    socket.on("close", () => {
      closed += 1;
    });
    socket.write(request.repeat(1_000));
    return socket;
  });
  for (let nth = 0; nth < 100; nth += 1) {
    const lookup = await client.get("/stocks/FishCo");
    const trade = await client.trade({ ...BUY, name: "FishCo" });
    expect([lookup.status, trade.status]).toEqual([200, 200]);
  }
  expect((await cluster.status()).epoch).toBe(epoch);
  // What is written to a connection that is over is answered with a reset.
  await until(
    "the deaf cut off",
    () => {
      for (const socket of deaf) if (socket.writable) socket.write(request);
      return closed === deaf.length;
    },
    UNREAD_MS,
  );
  expect((await client.get("/stocks/FishCo")).status).toBe(200);
});
