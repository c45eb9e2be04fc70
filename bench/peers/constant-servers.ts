// The two constant answers that everything over HTTP is compared with, each a
// process of its own: `constant-servers.ts node-http PORT`, or `fastify`.
//
// They answer what the bazaar would, of the same length, and do nothing for it
// but what any server must: read the request, a body to its end, and answer.
// fastify parses the body as JSON, as it does for us.

import { createServer } from "node:http";
import { fastify } from "fastify";

const STOCK = { data: { name: "StockAAA", price: 17.99, quantity: 999_999_000 } };
const TRADE = { data: { transaction_number: 1_000_000 } };

function listenNodeHttp(port: number): void {
  const stock = Buffer.from(JSON.stringify(STOCK));
  const trade = Buffer.from(JSON.stringify(TRADE));
  const type = "application/json; charset=utf-8";
  const stockHead = { "Content-Type": type, "Content-Length": stock.length };
  const tradeHead = { "Content-Type": type, "Content-Length": trade.length };
  createServer((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, stockHead).end(stock);
      return;
    }
    request.on("end", () => response.writeHead(200, tradeHead).end(trade)).resume();
  }).listen(port, "127.0.0.1");
}

async function listenFastify(port: number): Promise<void> {
  const app = fastify();
  app.get("/stocks/:name", () => STOCK);
  app.post("/orders", () => TRADE);
  await app.listen({ port, host: "127.0.0.1" });
}

if (import.meta.main) {
  const [kind, port] = process.argv.slice(2);
  if (kind === "node-http") listenNodeHttp(Number(port));
  else if (kind === "fastify") await listenFastify(Number(port));
  else throw new Error("constant-servers.ts node-http|fastify PORT");
}
