import Fastify from "fastify";
import { pino } from "pino";
import { expect, test } from "vitest";
import { until } from "../../../../lab/wait.ts";
import { connect } from "../../../io/rpc/connect.ts";
import { listen } from "../../../io/rpc/listen.ts";
import type { Identity, Peer } from "../../../io/rpc/types.ts";
import { orderContract } from "../../contract.ts";
import { StepRecorder } from "../../steps.ts";
import { STEPS_GATHER_MS } from "./events-limits.ts";
import { GatheredStepsFeed, stepsRoute } from "./events-steps.ts";

const SECRET = "a-secret-that-both-ends-know";
const log = pino({ level: "silent" });

/** A front end and a replica on a real connection, each with its recorder. */
async function connected() {
  const made = { frontend: new StepRecorder("frontend"), replica: new StepRecorder("order-9094") };
  const identity = (role: Identity["role"], name: string, recorder: StepRecorder): Identity => ({
    role,
    name,
    cluster: { name: "test", members: [9094] },
    tap: recorder.tap,
  });
  const contract = { steps: orderContract.steps, nominate: orderContract.nominate } as const;
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    credentials: { secret: SECRET, certificates: null },
    identity: identity("order", "order-9094", made.replica),
    contract,
    handlers: {
      steps: ({ after }) => made.replica.ask(after),
      nominate: () => ({ kind: "leading" as const, epoch: 3 }),
    },
    log,
  });
  const link = connect({
    host: "127.0.0.1",
    port: listener.port,
    name: "order-9094",
    credentials: { secret: SECRET, certificates: null },
    identity: identity("frontend", "frontend", made.frontend),
    contract: {},
    handlers: {},
    log,
  });
  const peer = await until("the connection", () => link.peer ?? undefined);
  let nowMs = 0;
  const feed = new GatheredStepsFeed({
    own: made.frontend,
    ownName: "frontend",
    sources: [
      { name: "order-9094", peer: () => link.peer },
      { name: "catalog", peer: () => null },
    ],
    nowMs: () => {
      nowMs += STEPS_GATHER_MS;
      return nowMs;
    },
  });
  const close = async () => {
    for (const recorder of Object.values(made)) recorder.close();
    link.close();
    await listener.close();
  };
  return { feed, peer: peer as Peer, calls: (peer as Peer).calls(contract), made, close };
}

test("each message is seen at both ends, under one id, and each step is told once", async () => {
  const { feed, calls, close } = await connected();
  try {
    await calls.nominate({}); // nobody listens yet
    const before = await feed.ask(0);
    expect(before.steps).toEqual([]);
    await calls.nominate({});
    const told = await feed.ask(before.next);
    expect(told.isTorn).toBe(false);
    expect(told.recording).toEqual(["frontend", "order-9094"]);
    const by = (role: string, kind: string, what: string) =>
      told.steps.find(
        (step) => step.role === role && step.kind === kind && step.said.what === what,
      );
    const asked = by("frontend", "sent", "nominate");
    const answered = by("order-9094", "sent", "nominate-answer");
    expect(asked?.id).toBe(by("order-9094", "received", "nominate")?.id);
    expect(answered?.id).toBe(by("frontend", "received", "nominate-answer")?.id);
    expect(asked?.call).toBe(answered?.call);
    expect((await feed.ask(told.next)).steps).toEqual([]);
  } finally {
    await close();
  }
});

test("GET /steps tells the steps, and a wrong number is said", async () => {
  const { feed, calls, close } = await connected();
  const app = Fastify();
  stepsRoute(app, feed);
  try {
    await app.inject("/steps");
    await calls.nominate({});
    const { data } = (await app.inject("/steps?after=0")).json();
    expect(data.steps.length).toBeGreaterThan(0);
    const wrong = await app.inject("/steps?after=x");
    expect(wrong.statusCode).toBe(400);
    expect(wrong.json().error.message).toBe("Bad request. after must be a whole number");
  } finally {
    await app.close();
    await close();
  }
});
