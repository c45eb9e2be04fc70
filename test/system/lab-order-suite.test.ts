// The document's "Order Service", whose output can't be read in it: the suite
// that belongs there. Trade, query, replication, dedupe and sync, over the
// replicas' internal ports.

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import type { Answer, Question } from "../../src/roles/contract.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf } from "./harness/load.ts";

const clusters = useClusters("file");
let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusters.up();
});

function trade(quantity: number, requestId: string = randomUUID(), name = "FishCo"): Question {
  const content = { kind: "trade", name, type: "buy", quantity } as const;
  return { kind: "request", requestId, content, recordRefusal: true };
}

/** Asks a replica, which passes it to the leader if it isn't that. */
async function ask(replica: number, ...questions: readonly Question[]): Promise<readonly Answer[]> {
  const calls = await cluster.replica(replica);
  const result = await calls.ask({ relayed: false, questions: [...questions] });
  if (result.kind !== "answers") throw new Error(JSON.stringify(result));
  return result.answers;
}

async function tradeNumber(replica: number, question: Question): Promise<number> {
  const [answer] = await ask(replica, question);
  if (answer?.kind !== "outcome" || answer.outcome.kind !== "accepted") {
    throw new Error(JSON.stringify(answer));
  }
  return answer.outcome.number;
}

/** What each replica holds at one position, once all are there; it must be the same. */
async function audits(position: number): Promise<readonly object[]> {
  return Promise.all(
    cluster.replicas.map(async (id) => {
      const calls = await cluster.replica(id);
      await until(`${id} at ${position}`, async () => {
        const { applied = 0 } = await calls.status({});
        return applied >= position;
      });
      return await calls.audit({ position, stocksAt: [position] });
    }),
  );
}

async function lastPosition(): Promise<number> {
  const calls = await cluster.replica(await cluster.leader());
  return (await calls.health({})).commitPosition;
}

describe("trade", () => {
  test("an accepted trade gets the next number and moves the stock", async () => {
    const leader = await cluster.leader();
    const client = cluster.client();
    const before = await quantityOf(client, "FishCo");
    const first = await tradeNumber(leader, trade(4));
    expect(await tradeNumber(leader, trade(5))).toBe(first + 1);
    expect(await quantityOf(client, "FishCo")).toBe(before - 9);
  });

  test("a refused trade uses up no number", async () => {
    const leader = await cluster.leader();
    const first = await tradeNumber(leader, trade(1));
    const refusals = await ask(leader, trade(1_000_000), trade(0), trade(1, randomUUID(), "Hey"));
    expect(refusals.map((answer) => answer.kind === "outcome" && answer.outcome)).toEqual([
      { kind: "refused", refusal: { kind: "insufficient-volume", name: "FishCo" } },
      { kind: "refused", refusal: { kind: "invalid-quantity", quantity: 0 } },
      { kind: "refused", refusal: { kind: "unknown-stock", name: "Hey" } },
    ]);
    expect(await tradeNumber(leader, trade(1))).toBe(first + 1);
  });
});

describe("query", () => {
  test("an order is found as it was made, through any replica", async () => {
    const number = await tradeNumber(await cluster.leader(), trade(3));
    for (const id of cluster.replicas) {
      expect(await ask(id, { kind: "order", number })).toEqual([
        { kind: "order", order: { number, name: "FishCo", type: "buy", quantity: 3 } },
      ]);
    }
  });

  test("an order that isn't there is not found", async () => {
    const [answer] = await ask(await cluster.leader(), { kind: "order", number: 99_999 });
    expect(answer).toEqual({ kind: "order", order: null });
  });
});

describe("replication", () => {
  test("an answered trade is in every replica's journal, and all of them agree", async () => {
    const number = await tradeNumber(await cluster.leader(), trade(2));
    const [first, ...others] = await audits(await lastPosition());
    expect(first).toMatchObject({ orders: number, problems: [] });
    for (const other of others) expect(other).toEqual(first);
  });

  test("a call that was passed on once isn't passed on again", async () => {
    const leader = await cluster.leader();
    const follower = cluster.replicas.find((id) => id !== leader) ?? 0;
    const calls = await cluster.replica(follower);
    const result = await calls.ask({ relayed: true, questions: [trade(1)] });
    expect(result).toEqual({ kind: "not-leader", leader });
  });
});

describe("dedupe", () => {
  test("the same request id, asked again of any replica, is the same order", async () => {
    const client = cluster.client();
    const before = await quantityOf(client, "FishCo");
    const question = trade(6);
    const number = await tradeNumber(await cluster.leader(), question);
    for (const id of cluster.replicas) expect(await tradeNumber(id, question)).toBe(number);
    expect(await quantityOf(client, "FishCo")).toBe(before - 6);
  });

  test("the same request id twice in one call is one order", async () => {
    const question = trade(1);
    const [one, two] = await ask(await cluster.leader(), question, question);
    expect(one).toMatchObject({ kind: "outcome", outcome: { kind: "accepted" } });
    expect(two).toEqual(one);
  });

  test("a request id with other content is refused", async () => {
    const leader = await cluster.leader();
    await tradeNumber(leader, trade(1, "taken"));
    expect(await ask(leader, trade(2, "taken"))).toEqual([
      { kind: "outcome", outcome: { kind: "reused" } },
    ]);
  });
});

test("sync: a replica that was away fetches what it missed, and follows", async () => {
  const leader = await cluster.leader();
  const away = cluster.replicas.find((id) => id !== leader) ?? 0;
  const pid = await cluster.kill(`order-${away}`);
  const missed = await tradeNumber(leader, trade(1));
  await cluster.running(`order-${away}`, pid);
  const after = await tradeNumber(leader, trade(1));
  expect(after).toBe(missed + 1);
  const [first, ...others] = await audits(await lastPosition());
  expect(first).toMatchObject({ orders: after, problems: [] });
  for (const other of others) expect(other).toEqual(first);
});
