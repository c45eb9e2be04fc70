// Clients that ask for many lists: leaders go on leading, and everybody else is
// answered.

import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { useClusters } from "./harness/lifetime.ts";
import { times, tradeInTurn } from "./harness/load.ts";
import { until } from "./harness/wait.ts";

const clusters = useClusters("test");

const BUY = { name: "AAAAAA", type: "buy", quantity: 1 } as const;
/** Much longer than a client may leave answers unread. */
const UNREAD_MS = 60_000;

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
