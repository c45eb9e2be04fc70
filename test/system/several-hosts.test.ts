// One configuration file for roles on different hosts, as docs/operating.md has
// it under "Several hosts". The hosts are loopback addresses, each with a data
// directory of its own, which takes a system where all of 127.0.0.0/8 is
// loopback, as on Linux.

import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HttpClient, numberOf } from "../../lab/http.ts";
import { messages, tails } from "../../lab/logs.ts";
import { freePorts } from "../../lab/ports.ts";
import { type Finished, ROOT, Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { allOrders, quantityOf } from "./harness/load.ts";

const MAIN = resolve(ROOT, "bin/bazaar.js");
/** For all roles to start at once on a machine that is busy besides. */
const OPEN_LIMIT_MS = 60_000;
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;
type Host = 1 | 2 | 3;

let folder = "";
const running = new Map<string, Running>();
const clients: HttpClient[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-hosts-"));
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") {
    for (const host of [1, 2, 3] as const)
      console.error(`host ${host}\n${tails(dataOf(host), 40)}`);
  }
  for (const client of clients.splice(0)) client.close();
  for (const each of running.values()) if (!each.finished) each.signal("SIGTERM");
  const ends = await Promise.allSettled([...running.values()].map((each) => each.end()));
  running.clear();
  rmSync(folder, { recursive: true });
  for (const end of ends) if (end.status === "rejected") throw end.reason;
});

const dataOf = (host: Host) => join(folder, `host-${host}`);

/** A command on a host: the file is the same everywhere, where the data is the host says. */
function on(host: Host, ...args: readonly string[]): Running {
  const environment = { BAZAAR_DATA: dataOf(host), BAZAAR_LOG_LEVEL: "info", BAZAAR_DRAIN_MS: "0" };
  return new Running(process.execPath, [MAIN, ...args], { environment });
}

async function done(command: Running): Promise<Finished> {
  const finished = await command.end();
  expect(`${finished.status} ${finished.stderr}`).toBe("0 ");
  return finished;
}

test.runIf(process.platform === "linux")(
  "roles on several hosts find each other by one file, and a trade at one front end is seen at the other",
  async () => {
    const [web = 0, otherWeb = 0, low = 0, middle = 0, high = 0, view = 0, otherView = 0] =
      await freePorts(7);
    const config = join(folder, "bazaar.json");
    const file = {
      data: "/nonexistent",
      logLevel: "debug",
      replicas: [`127.0.0.1:${low}`, `127.0.0.2:${middle}`, `127.0.0.3:${high}`],
      catalogs: [
        { host: "127.0.0.1", port: view },
        { host: "127.0.0.2", port: otherView },
      ],
      frontends: [
        { host: "127.0.0.1", port: web },
        { host: "127.0.0.3", port: otherWeb },
      ],
    };
    writeFileSync(config, JSON.stringify(file));
    const places: readonly (readonly [host: Host, role: string, command: readonly string[]])[] = [
      [1, `order-${low}`, ["order", String(low)]],
      [2, `order-${middle}`, ["order", String(middle)]],
      [3, `order-${high}`, ["order", String(high)]],
      [1, "catalog", ["catalog", String(view)]],
      [2, `catalog-${otherView}`, ["catalog", String(otherView)]],
      [1, "frontend", ["frontend", String(web)]],
      [3, `frontend-${otherWeb}`, ["frontend", String(otherWeb)]],
    ];
    await done(on(1, "format", "--config", config));
    for (const host of [2, 3] as const) {
      mkdirSync(dataOf(host), { mode: 0o700 });
      cpSync(join(dataOf(1), "secret"), join(dataOf(host), "secret"), { preserveTimestamps: true });
    }
    for (const [host, role, [kind]] of places) {
      if (host === 1 || kind === "frontend") continue;
      renameSync(join(dataOf(1), role), join(dataOf(host), role));
    }
    for (const [host, role, command] of places) {
      running.set(role, on(host, ...command, "--config", config));
    }
    const clientOf = (url: string) => {
      const client = new HttpClient(url);
      clients.push(client);
      return client;
    };
    const [one, other] = [
      clientOf(`http://127.0.0.1:${web}`),
      clientOf(`http://127.0.0.3:${otherWeb}`),
    ];
    const open = (client: HttpClient) =>
      until(
        "open",
        async () => {
          const ended = [...running.values()].find(({ finished }) => finished);
          return ended !== undefined || (await client.get("/readyz")).status === 200;
        },
        OPEN_LIMIT_MS,
      );
    await Promise.all([one, other].map(open));
    expect([...running.values()].flatMap(({ finished }) => finished ?? [])).toEqual([]);

    const before = await quantityOf(other, BUY.name);
    expect(numberOf(await one.trade(BUY))).toBe(1);
    expect(await quantityOf(other, BUY.name)).toBe(before - 1);
    // The environment goes before the file, in which the level is debug.
    expect(messages(dataOf(1), "frontend").join("\n")).not.toContain("Received POST request");

    await done(on(1, "client", "--clients=2", "--iterations=20", "--config", config));
    const leader = running.get(`order-${high}`);
    leader?.signal("SIGKILL");
    await leader?.end();
    const last = numberOf(await other.trade(BUY));
    expect((await allOrders(one)).at(-1)).toEqual({ number: last, ...BUY });
    running.set("again", on(3, "order", String(high), "--config", config));
    await until("all level", async () => {
      const { stdout } = await on(2, "verify", "--json", "--config", config).end();
      return JSON.parse(stdout).ok === true;
    });
  },
);
