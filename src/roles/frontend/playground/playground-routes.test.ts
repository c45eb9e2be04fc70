import { createHash } from "node:crypto";
import Fastify from "fastify";
import { expect, test } from "vitest";
import { type Playground, TOKEN_HEADER } from "./playground.ts";
import { playgroundRoutes } from "./playground-routes.ts";

const HOST = "127.0.0.1:8000";
const PAGE = {
  host: HOST,
  origin: `http://${HOST}`,
  [TOKEN_HEADER]: "secret",
  "content-type": "application/json",
};

function served(result: Awaited<ReturnType<Playground["ask"]>> = { done: true }) {
  const asked: unknown[] = [];
  const app = Fastify();
  app.register(
    playgroundRoutes({
      tokenDigest: createHash("sha256").update("secret").digest("hex"),
      state: () => null,
      ask: async (command) => {
        asked.push(command);
        return result;
      },
    }),
  );
  const post = (payload: string, headers: Record<string, string> = PAGE) =>
    app.inject({ method: "POST", url: "/playground", headers, payload });
  return { app, asked, post };
}

test("a command of the page doesn't arrive", async () => {
  const { asked, post } = served();
  const command = { kind: "process", action: "kill", role: "order-9094" };
  expect((await post(JSON.stringify(command))).statusCode).toBe(200);
  expect(asked).toEqual([command]);
});

test("what is no command arrives", async () => {
  const { asked, post } = served();
  for (const payload of [
    "",
    "{",
    "[]",
    '{"kind":"process","action":"wipe","role":"order-9094"}',
    '{"kind":"load","perSecond":1e9}',
    '{"kind":"load","perSecond":1,"also":1}',
  ]) {
    expect((await post(payload)).statusCode).toBe(400);
  }
  expect((await post(`{"kind":"${"x".repeat(5_000)}"}`)).statusCode).toBe(413);
  expect(asked).toEqual([]);
});

test("a command of another origin, or without the token, doesn't arrive; nor is the token told", async () => {
  const { app, asked, post } = served();
  const command = '{"kind":"load","perSecond":1}';
  expect((await post(command, { ...PAGE, origin: "https://evil.example" })).statusCode).toBe(403);
  expect((await post(command, { ...PAGE, [TOKEN_HEADER]: "guess" })).statusCode).toBe(403);
  // What a form of another site could send.
  const form = { ...PAGE, "content-type": "text/plain" };
  expect((await post(command, form)).statusCode).toBe(415);
  expect(asked).toEqual([]);
  const read = (headers: Record<string, string>) => app.inject({ url: "/playground", headers });
  expect((await read(PAGE)).json()).toEqual({ data: "may play" });
  const onlooker = await read({ host: HOST });
  expect(onlooker.statusCode).toBe(403);
  expect(onlooker.body).not.toContain("secret");
  expect(onlooker.json().error.message).toContain("the address that bazaar up printed");
});

test("a command that can't be carried out looks done", async () => {
  const { post } = served({ done: false, why: "nothing to kill" });
  const answer = await post('{"kind":"load","perSecond":1}');
  expect(answer.statusCode).toBe(409);
  expect(answer.json()).toMatchObject({ error: { message: "nothing to kill" } });
});
