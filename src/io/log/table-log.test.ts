// The log over a real PostgreSQL whose waits are cancelled, which is killed, hangs,
// fails over, and whose content is changed behind the log's back.

import pino from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { LabPostgres } from "../../../lab/postgres.ts";
import { expectUsable, formatTables, hostsOf } from "./postgres.ts";
import { bytes, lead, type Member, SERVERS_MS, three, WAIT } from "./testing.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: SERVERS_MS });
const log = pino({ level: "silent" });
/** A leader that hears nothing of its statement gives it up after two seconds. */
const LONG = { timeout: 20_000, interval: 20 };

/** Appends until something is committed: the leader may be deposed, and lead again, meanwhile. */
async function commits(members: readonly Member[], text: string): Promise<void> {
  await expect
    .poll(async () => {
      const leader = members.find(({ replicated }) => replicated.status().leads);
      if (leader === undefined) {
        await members[0]?.lead();
        return [];
      }
      leader.replicated.append([bytes(text)]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      return leader.commands;
    }, LONG)
    .toContain(text);
}

/** All have the same entries, and those of `texts` among them, once each. */
async function agree(members: readonly Member[], texts: readonly string[]): Promise<void> {
  const [first] = members;
  await expect
    .poll(() => new Set(members.map(({ commands }) => commands.join("\n"))).size, LONG)
    .toBe(1);
  for (const text of texts) expect(first?.commands.filter((each) => each === text)).toHaveLength(1);
}

describe("with a primary and two standbys", () => {
  let postgres: LabPostgres;
  beforeEach(async () => {
    postgres = await LabPostgres.start();
  });
  afterEach(() => postgres.stop());

  test("an entry whose wait for the standbys was cancelled isn't committed, and its leader is deposed", async () => {
    const members = await three([], postgres);
    const [first, second, third] = members;
    await lead(third);
    third.replicated.append([bytes("kept")]);
    await expect.poll(() => second.commands, WAIT).toEqual(["kept"]);
    for (const standby of [1, 2]) postgres.server(standby).pause();
    third.replicated.append([bytes("lost?")]);
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    const primary = postgres.server(0);
    await expect.poll(() => primary.ask(waiting), WAIT).toHaveLength(1);
    await primary.ask(`SELECT pg_cancel_backend(pid) FROM (${waiting}) waiting`);
    await expect.poll(() => third.deposed, WAIT).toBe(1);
    expect(await primary.ask("SELECT * FROM bazaar.entries WHERE position = 3")).toHaveLength(1);
    for (const member of members) expect(member.commands).toEqual(["kept"]);
    for (const standby of [1, 2]) postgres.server(standby).resume();
    await lead(first);
    await commits(members, "more");
    await agree(members, ["kept", "lost?"]); // it was there when the next one read
  });

  test("what waits while the primary is told to wait for no standby any more isn't committed, nor is anything after it", async () => {
    const members = await three([], postgres);
    const [, , third] = members;
    await lead(third);
    third.replicated.append([bytes("kept")]);
    await expect.poll(() => third.commands, WAIT).toEqual(["kept"]);
    for (const standby of [1, 2]) postgres.server(standby).pause();
    third.replicated.append([bytes("alone")]);
    const primary = postgres.server(0);
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    await expect.poll(() => primary.ask(waiting), WAIT).toHaveLength(1);
    await primary.ask("ALTER SYSTEM SET synchronous_standby_names = ''");
    await primary.ask("SELECT pg_reload_conf()");
    await expect.poll(() => third.deposed, WAIT).toBe(1);
    await third.lead();
    for (const member of members) expect(member.commands).toEqual(["kept"]);
    for (const standby of [1, 2]) postgres.server(standby).resume();
  });

  test("a leader's commits wait for a standby whatever the server's synchronous_commit is changed to", async () => {
    const members = await three([], postgres);
    const [, , third] = members;
    await lead(third);
    const primary = postgres.server(0);
    await primary.ask("ALTER SYSTEM SET synchronous_commit = off");
    await primary.ask("SELECT pg_reload_conf()");
    for (const standby of [1, 2]) postgres.server(standby).pause();
    third.replicated.append([bytes("alone")]);
    await expect.poll(() => third.deposed, LONG).toBe(1);
    expect(third.commands).toEqual([]);
    for (const standby of [1, 2]) postgres.server(standby).resume();
  });

  test("a leader leads no longer once its primary is told to wait for no standby", async () => {
    const members = await three([], postgres);
    const [, , third] = members;
    await lead(third);
    const primary = postgres.server(0);
    await primary.ask("ALTER SYSTEM SET synchronous_standby_names = ''");
    await primary.ask("SELECT pg_reload_conf()");
    await expect.poll(() => third.deposed, LONG).toBe(1);
  });

  test("when the primary is killed and the better standby promoted, nothing that was committed is lost", async () => {
    const members = await three([], postgres);
    const [, , third] = members;
    await lead(third);
    for (let count = 0; count < 50; count += 1) third.replicated.append([bytes(`${count}`)]);
    await expect.poll(() => third.commands.length, WAIT).toBe(50);
    await postgres.server(0).kill();
    await postgres.failOver();
    await commits(members, "after");
    await agree(members, [...Array.from({ length: 50 }, (_, count) => `${count}`)]);
  });

  test("an old primary that wakes acknowledges nothing, and is left for the new one", async () => {
    const members = await three([], postgres);
    const [, , third] = members;
    await lead(third);
    third.replicated.append([bytes("before")]);
    await expect.poll(() => third.commands, WAIT).toEqual(["before"]);
    const old = postgres.server(0);
    old.pause();
    await postgres.failOver();
    third.replicated.append([bytes("to the old one")]);
    old.resume();
    await commits(members, "after");
    await agree(members, ["before"]);
  });
});

describe("with a primary alone", () => {
  let postgres: LabPostgres;
  beforeAll(async () => {
    postgres = await LabPostgres.start({ standbys: 0 });
  });
  afterAll(() => postgres.stop());

  test("a start is refused that would lose trades with the primary, unless that is accepted", async () => {
    const { url } = postgres;
    await formatTables({ url, acceptLoss: true }, { cluster: "some", entries: [] });
    const start = { url, cluster: "some", position: 0, log };
    await expect(expectUsable({ ...start, acceptLoss: false })).rejects.toThrow(
      /waits for no standby, its synchronous_standby_names is empty: .* --accept-loss$/,
    );
    await expect(expectUsable({ ...start, acceptLoss: true })).resolves.toBeUndefined();
  });

  test("a start is refused on a backup that ends before what the replica knows to be committed, and on another database", async () => {
    const { url } = postgres;
    const acceptLoss = true;
    await formatTables({ url, acceptLoss }, { cluster: "brought back", entries: [] });
    const start = { url, acceptLoss, cluster: "brought back", log };
    await expect(expectUsable({ ...start, position: 7 })).rejects.toThrow(
      /^the database ends with entry 0, and this replica knows entry 7 to be committed: a backup was brought back/,
    );
    await expect(expectUsable({ ...start, cluster: "other", position: 0 })).rejects.toThrow(
      /^the database has no log of this cluster: give the --engine/,
    );
  });

  test("a replica stops when the database has another entry than it knows to be committed", async () => {
    const [first, , third] = await three([], postgres, true);
    await lead(third);
    third.replicated.append([bytes("a")]);
    await expect.poll(() => first.commands, WAIT).toEqual(["a"]);
    third.replicated.close();
    await postgres.server(0).ask("UPDATE bazaar.entries SET digest = 'other'");
    await expect
      .poll(() => first.failures.map(({ message }) => message), WAIT)
      .toEqual([expect.stringMatching(/^the database has another entry 2: give the --engine/)]);
  });
});

test("an address of several hosts is one of each, and what isn't one is refused", () => {
  expect(hostsOf("postgres://me@one:1,two:2/trades?sslmode=require")).toEqual([
    "postgres://me@one:1/trades?sslmode=require",
    "postgres://me@two:2/trades?sslmode=require",
  ]);
  expect(() => hostsOf("mysql://one")).toThrow(/give it as postgres:/);
});
