// Free ports for a cluster.
//
// Not port 0: a replica's id is its port, known before it starts, and a killed
// replica must find its port free when it returns. So they are taken below the
// range from which the system serves outgoing connections.

import { createServer } from "node:net";
import { UserError } from "../src/cli/user-error.ts";

export const LOWEST = 20_000;
export const HIGHEST = 32_000;
const ATTEMPTS_MAX = 100;

/** `count` neighbouring free ports on 127.0.0.1, ascending; further front ends and catalogs count up. `random` is in [0, 1). */
export async function freePorts(count: number, random = Math.random): Promise<readonly number[]> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const first = LOWEST + Math.floor(random() * (HIGHEST - LOWEST - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return ports;
  }
  throw new UserError(`no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
