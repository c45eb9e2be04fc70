import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../../../../lab/wait.ts";
import { TEST_CLUSTER } from "../../../io/rpc/testing.ts";
import { RequestTraces } from "../http/request-traces.ts";
import { OrderService } from "./order-service.ts";
import { accepted, logInto, ScriptedReplica, SECRET, trade } from "./test-order-service.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for

let low: ScriptedReplica;
let middle: ScriptedReplica;
let high: ScriptedReplica;
let service: OrderService;
let lines: string[];

function serviceOver(
  replicas: ConstructorParameters<typeof OrderService>[0]["replicas"],
): OrderService {
  const log = logInto(lines);
  return new OrderService({
    replicas,
    credentials: { secret: SECRET, certificates: null },
    identity: { role: "frontend", name: "frontend", cluster: TEST_CLUSTER },
    traces: new RequestTraces(log),
    log,
    startWaitMs: 200,
  });
}

/** Starts the service with `high` leading epoch 1. */
async function settle(): Promise<void> {
  high.lead(1);
  for (const follower of [low, middle]) follower.follow(high.id, 1);
  await service.start();
  await until("all are connected", () => service.replicas().every(({ health }) => health));
}

/** What the front end's log says from a line on, with the replicas' ids as in the reference program. */
function transcript(from: string): string[] {
  const told = lines.map((line) =>
    line
      .replaceAll(`${high.id}`, "9094")
      .replaceAll(`${middle.id}`, "9092")
      .replaceAll(`${low.id}`, "9090"),
  );
  const ours = /^(?:Connection |Can't connect|Nominati)/;
  return told.slice(told.indexOf(from)).filter((line) => !ours.test(line));
}

beforeEach(async () => {
  const replicas = await Promise.all([1, 2, 3].map(() => ScriptedReplica.open()));
  const [first, second, third] = replicas.toSorted((a, b) => a.id - b.id);
  if (!first || !second || !third) throw new Error("three were opened");
  [low, middle, high] = [first, second, third];
  lines = [];
  service = serviceOver([low, middle, high].map(({ address }) => address));
});

afterEach(async () => {
  service.close();
  await Promise.all([low, middle, high].map((replica) => replica.kill()));
});

describe("at start", () => {
  test("a fresh bazaar is led by the highest replica", async () => {
    await service.start();
    expect(service.leader()).toBe(high.id);
    expect([low, middle, high].map(({ nominations }) => nominations)).toEqual([0, 0, 1]);
    await until("all are told", () =>
      [low, middle, high].every(({ notified }) => notified[0] === high.id),
    );
  });

  test("a leader that is there already is left alone", async () => {
    middle.lead(5);
    await service.start();
    expect(service.leader()).toBe(middle.id);
    expect(high.nominations).toBe(0);
  });

  test("a front end without any replica isn't ready", async () => {
    await Promise.all([low, middle, high].map((replica) => replica.kill()));
    void service.start();
    expect((await service.ask(trade("a"), { deadlineMs: 50 })).kind).toBe("unavailable");
    expect(service.health()).toEqual({ leader: null, ready: false });
    expect(service.replicas().map(({ connected }) => connected)).toEqual([false, false, false]);
  });
});

test("questions of one turn travel in one call", async () => {
  await settle();
  await expect.poll(() => service.health()).toEqual({ leader: high.id, ready: true });
  high.onAsk = (questions) => ({
    kind: "answers",
    answers: questions.map((_, index) => accepted(index + 1)),
  });
  const ids = Array.from({ length: 50 }, (_, index) => `${index}`);
  const asked = await Promise.all(ids.map((id) => service.ask(trade(id))));
  expect(high.asked).toEqual([ids.map((id) => trade(id))]);
  expect(asked).toEqual(ids.map((_, index) => ({ kind: "answer", answer: accepted(index + 1) })));
});

test("a question of unknown fate is asked again under the same id", async () => {
  await settle();
  high.onAsk = (questions) =>
    high.asked.length < 3
      ? { kind: "unknown" }
      : { kind: "answers", answers: questions.map(() => accepted(9)) };
  expect(await service.ask(trade("a"))).toEqual({ kind: "answer", answer: accepted(9) });
  expect(high.asked).toEqual([[trade("a")], [trade("a", true)], [trade("a", true)]]);
});

test("a busy leader has questions repeated until they are turned away", async () => {
  await settle();
  high.onAsk = (questions) => ({
    kind: "answers",
    answers: questions.map(() => ({ kind: "busy" })),
  });
  const startedAtMs = performance.now();
  expect((await service.ask(trade("a"))).kind).toBe("overloaded");
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  expect(high.asked.length).toBeGreaterThan(5);
  expect(new Set(high.asked.flat().map((question) => JSON.stringify(question))).size).toBe(1);
});

describe("when the leader dies", () => {
  test("a trade in flight is answered by the next, and the log tells it in the reference program's words", async () => {
    await settle();
    high.onAsk = () => {
      high.paused = true; // the answer never leaves
      return { kind: "unknown" };
    };
    high.paused = true;
    const asked = service.ask(trade("a"));
    await until("it is in flight", () => high.asked.length === 1);
    await high.kill();
    for (const follower of [middle, low]) follower.follow(null, 1);
    const diedAtMs = performance.now();
    expect(await asked).toEqual({ kind: "answer", answer: accepted(1) });
    expect(performance.now() - diedAtMs).toBeLessThan(250);
    expect(middle.asked).toEqual([[trade("a", true)]]);
    expect(transcript("9094 leader of backend order service down")).toEqual([
      "9094 leader of backend order service down",
      "Trying request again...",
      "Calling ping (health check) service for 9094 order",
      "Health check failed for 9094 order",
      "Calling ping (health check) service for 9092 order",
      "Order service leader found - 9092 order",
      "Notifying 9090 replica of order leader",
      "Notifying 9092 replica of order leader",
      "Notifying 9094 replica of order leader",
      "Cannot reach 9094 replica - service down",
      "Calling trade service",
    ]);
  });

  test("callers are told that there is none, and who is next", async () => {
    await settle();
    const told: (number | null)[] = [];
    service.onLeader((leader) => told.push(leader));
    await high.kill();
    for (const follower of [middle, low]) follower.follow(null, 1);
    await until("another leads", () => service.leader() === middle.id);
    expect(told).toEqual([null, middle.id]);
  });

  test("by a pause, its clients wait for less than a second and a half", async () => {
    await settle();
    high.paused = true;
    const pausedAtMs = performance.now();
    const asked = service.ask(trade("a"));
    await until("it is in flight", () => high.asked.length === 1);
    setTimeout(() => {
      for (const follower of [middle, low]) follower.follow(null, 1);
    }, 400);
    expect((await asked).kind).toBe("answer");
    expect(performance.now() - pausedAtMs).toBeLessThan(1_500);
    expect(middle.asked).toEqual([[trade("a", true)]]);
  });

  test("another front end's choice is taken over", async () => {
    await settle();
    middle.lead(2);
    await until("the other is adopted", () => service.leader() === middle.id);
    await service.ask(trade("a"));
    expect(middle.asked).toHaveLength(1);
    expect(middle.nominations).toBe(0);
  });
});

describe("a leader that this front end can't reach", () => {
  test("is asked through its followers", async () => {
    const unreachable = { id: 65_535, name: "order-65535", host: "127.0.0.1", port: high.id };
    await high.kill();
    const far = serviceOver([unreachable, middle.address, low.address]);
    for (const follower of [middle, low]) {
      follower.follow(unreachable.id, 3);
      follower.onNominate = () => ({ kind: "follows", leader: unreachable.id, epoch: 3 });
    }
    try {
      await far.start();
      expect(far.leader()).toBe(unreachable.id);
      await expect.poll(() => far.health().ready).toBe(true);
      expect((await far.ask(trade("a"))).kind).toBe("answer");
      expect([...middle.asked, ...low.asked]).toEqual([[trade("a")]]);
    } finally {
      far.close();
    }
  });

  test("is asked through another follower than one that has lost it", async () => {
    const unreachable = { id: 65_535, name: "order-65535", host: "127.0.0.1", port: high.id };
    await high.kill();
    const far = serviceOver([unreachable, middle.address, low.address]);
    for (const follower of [middle, low]) {
      follower.follow(unreachable.id, 3);
      follower.onNominate = () => ({ kind: "follows", leader: unreachable.id, epoch: 3 });
    }
    middle.onAsk = () => ({ kind: "not-leader", leader: null });
    try {
      await far.start();
      expect((await far.ask(trade("a"))).kind).toBe("answer");
      expect(low.asked).toHaveLength(1);
    } finally {
      far.close();
    }
  });
});

test("a front end that closes tells its clients, and takes its own doing for no crash", async () => {
  await settle();
  high.paused = true;
  const asked = service.ask(trade("a"));
  await until("it is in flight", () => high.asked.length === 1);
  service.close();
  expect((await asked).kind).toBe("unavailable");
  await until("the connections closed", () => service.replicas().every((each) => !each.health));
  expect(lines.filter((line) => line.endsWith("service down"))).toEqual([]);
});
