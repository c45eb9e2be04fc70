import Fastify from "fastify";
import { expect, test } from "vitest";
import { serviceRoutes } from "./service-routes.ts";

function serving(leader: number | null, ready: boolean, isStopping = false) {
  const app = Fastify();
  serviceRoutes(app, { leader: () => leader, health: () => ({ leader, ready }) }, { isStopping });
  return app;
}

test("who leads is answered in the seed's words", async () => {
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
