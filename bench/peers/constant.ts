// node:http and fastify answering a constant: what is left when nothing is done.

import { join } from "node:path";
import { isOk } from "../../lab/http.ts";
import { freePorts } from "../../lab/ports.ts";
import { Running } from "../../lab/process.ts";
import { CONNECTIONS, CONNECTIONS_SWEPT, START_LIMIT_MS, STOCKS } from "../limits.ts";
import { lookups, mix, trades } from "../requests.ts";
import { type Round, type Subject, secondsFor } from "../round.ts";
import { warmUp, wrk, wrkCommand, wrkMissing } from "../wrk.ts";

const SERVERS = join(import.meta.dirname, "constant-servers.ts");

/** The server called `name`, `node-http` or `fastify`. */
export function constantSubject(name: "node-http" | "fastify"): Subject {
  const loads = [
    ...CONNECTIONS_SWEPT.map((connections) => ({
      slot: `${name}.get.${connections}`,
      connections,
      requests: () => lookups(STOCKS),
    })),
    {
      slot: `${name}.post.${CONNECTIONS}`,
      connections: CONNECTIONS,
      requests: () => trades(STOCKS),
    },
    { slot: `${name}.mix.${CONNECTIONS}`, connections: CONNECTIONS, requests: () => mix(STOCKS) },
  ];
  return {
    name,
    slots: loads.map(({ slot }) => slot),
    missing: wrkMissing,
    async run(round: Round) {
      const [port = 0] = await freePorts(1);
      const server = new Running(process.execPath, [SERVERS, name, String(port)]);
      try {
        await server.ready(
          name,
          () => isOk(`http://127.0.0.1:${port}/stocks/StockAAA`),
          START_LIMIT_MS,
        );
        await warmUp(port, lookups(STOCKS), 2 * round.timing.warmUpS);
        for (const { slot, connections, requests } of loads) {
          const seconds = secondsFor(round.timing, connections);
          const load = { port, connections, requests: requests(), seconds };
          await round.measure(slot, wrkCommand(load), async () => {
            if (!slot.includes(".get.")) await warmUp(port, load.requests, round.timing.warmUpS);
            return wrk(load);
          });
        }
      } finally {
        await server.stop();
      }
    },
  };
}
