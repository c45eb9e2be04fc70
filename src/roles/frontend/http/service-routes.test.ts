import Fastify from "fastify";
import { expect, test } from "vitest";
import type { Verdict } from "../../verification.ts";
import { VERDICT_KEPT_MS } from "../limits.ts";
import { foreignTo } from "./origins.ts";
import { serviceRoutes, verifyRoute } from "./service-routes.ts";

function serving(leader: number | null, ready: boolean, isStopping = false) {
  const app = Fastify();
  serviceRoutes(app, { leader: () => leader, health: () => ({ leader, ready }) }, { isStopping });
  return app;
}

test("who leads is answered in the reference program's words", async () => {
  const response = await serving(9092, true).inject("/get_order_leader");
  expect(response.statusCode).toBe(200);
  expect(response.body).toBe('{"data":{"order_leader":9092}}');
});

test("while nobody leads, that is answered at once, with when to ask again", async () => {
  const response = await serving(null, false).inject("/get_order_leader");
  expect(response.statusCode).toBe(503);
  expect(response.headers["retry-after"]).toBe("1");
  expect(response.json().error.code).toBe(503);
});

test("a leader that is known but silent doesn't make the front end ready", async () => {
  const app = serving(9094, false);
  expect((await app.inject("/readyz")).statusCode).toBe(503);
  expect((await app.inject("/healthz")).statusCode).toBe(200);
  expect((await serving(9094, true).inject("/readyz")).statusCode).toBe(200);
});

test("a front end that stops is up, but no longer ready", async () => {
  const app = serving(9094, true, true);
  const response = await app.inject("/readyz");
  expect(response.statusCode).toBe(503);
  expect(response.json().error.message).toBe("This front end is stopping. Ask another");
  expect((await app.inject("/healthz")).statusCode).toBe(200);
});

const AGREE: Verdict = { ok: true, position: 9, orders: 7, differences: [] };

function served(lastOrder = 7) {
  const asked: PromiseWithResolvers<Verdict>[] = [];
  const clock = { nowMs: 0 };
  const app = Fastify();
  verifyRoute(
    app,
    {
      verify: () => {
        const one = Promise.withResolvers<Verdict>();
        asked.push(one);
        return one.promise;
      },
      told: () => ({ lastOrder, failed: 2 }),
      nowMs: () => clock.nowMs,
      wallMs: () => 1_000,
    },
    foreignTo([]),
  );
  const post = (headers: Record<string, string> = {}) =>
    app.inject({ method: "POST", url: "/verify", headers });
  const from = (remoteAddress: string) =>
    app.inject({ method: "POST", url: "/verify", remoteAddress });
  return { asked, clock, post, from };
}

async function asks(asked: readonly unknown[], count: number): Promise<void> {
  await expect.poll(() => asked.length).toBe(count);
}

test("all who ask meanwhile share one verification, and later ones are told what it found", async () => {
  const { asked, clock, post } = served();
  const both = [post(), post()];
  await asks(asked, 1);
  both.push(post());
  asked[0]?.resolve(AGREE);
  const data = { ...AGREE, at: 1_000, lost: 0, failed: 2 };
  for (const answer of await Promise.all(both)) expect(answer.json()).toEqual({ data });
  clock.nowMs += VERDICT_KEPT_MS - 1;
  expect((await post()).json()).toEqual({ data });
  expect(asked).toHaveLength(1);
  clock.nowMs += 1;
  void post();
  await asks(asked, 2);
});

test("what took long is told for longer, and only this machine may ask for it", async () => {
  const { asked, clock, post, from } = served();
  const first = post();
  await asks(asked, 1);
  clock.nowMs = VERDICT_KEPT_MS;
  asked[0]?.resolve(AGREE);
  await first;
  clock.nowMs += 4 * VERDICT_KEPT_MS - 1;
  await post();
  expect(asked).toHaveLength(1);
  expect((await from("10.0.0.7")).statusCode).toBe(403);
  clock.nowMs += 1;
  expect((await from("10.0.0.7")).statusCode).toBe(403);
  expect(asked).toHaveLength(1);
});

test("an order that was answered and isn't there is counted as lost", async () => {
  const { asked, post } = served(9);
  const answer = post();
  await asks(asked, 1);
  asked[0]?.resolve(AGREE);
  expect((await answer).json().data.lost).toBe(2);
});

test("without a leader nothing is compared, and nothing is called lost", async () => {
  const { asked, post } = served();
  const answer = post();
  await asks(asked, 1);
  const difference = "no replica leads";
  asked[0]?.resolve({ ok: false, position: 0, orders: 0, differences: [difference] });
  expect((await answer).json().data).toMatchObject({ ok: false, lost: null });
});

test("pages of other sites can't make the replicas read their journals", async () => {
  const { asked, post } = served();
  expect((await post({ origin: "https://elsewhere.example" })).statusCode).toBe(403);
  expect(asked).toEqual([]);
});
