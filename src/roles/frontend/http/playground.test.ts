import { createHash } from "node:crypto";
import Fastify from "fastify";
import { expect, test } from "vitest";
import {
  type Caller,
  type Playground,
  playgroundRoutes,
  refusedToPlay,
  TOKEN_HEADER,
} from "./playground.ts";

const TOKEN = "t".repeat(32);
const DIGEST = createHash("sha256").update(TOKEN).digest("hex");
const HEADERS = {
  host: "127.0.0.1:8000",
  origin: "http://127.0.0.1:8000",
  [TOKEN_HEADER]: TOKEN,
};
const PAGE: Caller = { address: "127.0.0.1", headers: HEADERS };

test("the page with the token may play, under whatever name of this machine", () => {
  expect(refusedToPlay(PAGE, DIGEST)).toBeNull();
  const named = { ...HEADERS, host: "localhost:8000", origin: "http://localhost:8000" };
  expect(refusedToPlay({ address: "::1", headers: named }, DIGEST)).toBeNull();
  expect(refusedToPlay({ ...PAGE, address: "::ffff:127.0.0.1" }, DIGEST)).toBeNull();
  // What a page asks of its own site with GET has no Origin.
  const { origin: _, ...read } = HEADERS;
  const headers = { ...read, "sec-fetch-site": "same-origin" };
  expect(refusedToPlay({ ...PAGE, headers }, DIGEST)).toBeNull();
});

test.each<[string, string | undefined, Caller["headers"]]>([
  ["another machine", "10.0.0.7", HEADERS],
  ["an address that only begins alike", "127.0.0.1.evil", HEADERS],
  ["no address", undefined, HEADERS],
  ["another site", "127.0.0.1", { ...HEADERS, origin: "https://evil.example" }],
  ["another port of this machine", "127.0.0.1", { ...HEADERS, origin: "http://127.0.0.1:9999" }],
  ["a page without origin", "127.0.0.1", { ...HEADERS, origin: "null" }],
])("%s may not play, though it has the token", (_who, address, headers) => {
  expect(refusedToPlay({ address, headers }, DIGEST)).toMatch(/may play|may not play/);
});

test.each<[string, string | undefined]>([
  ["no token", undefined],
  ["an empty token", ""],
  ["another token", "u".repeat(32)],
  ["a part of the token", TOKEN.slice(1)],
  ["the digest of the token", DIGEST],
])("the page with %s looks on, and is told which address to open", (_what, token) => {
  const headers = { ...HEADERS, [TOKEN_HEADER]: token };
  expect(refusedToPlay({ ...PAGE, headers }, DIGEST)).toContain("bazaar up printed");
  expect(refusedToPlay({ ...PAGE, headers }, "")).not.toBeNull();
});

const HOST = "127.0.0.1:8000";
const FROM_PAGE = {
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
      ask: async (command, key) => {
        asked.push(key === null ? command : { command, key });
        return result;
      },
    }),
  );
  const post = (payload: string, headers: Record<string, string> = FROM_PAGE) =>
    app.inject({ method: "POST", url: "/playground", headers, payload });
  return { app, asked, post };
}

test("a command of the page arrives", async () => {
  const { asked, post } = served();
  const command = { kind: "process", action: "kill", role: "order-9094" };
  expect((await post(JSON.stringify(command))).statusCode).toBe(200);
  expect(asked).toEqual([command]);
});

test("the API key of who commands goes with the command", async () => {
  const { asked, post } = served();
  const command = { kind: "load", perSecond: 50 };
  await post(JSON.stringify(command), { ...FROM_PAGE, authorization: "Bearer player.secret" });
  expect(asked).toEqual([{ command, key: "player.secret" }]);
});

test("what is no command is refused", async () => {
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

test("a command of another origin, or without the token, is refused, and the token is told to nobody", async () => {
  const { app, asked, post } = served();
  const command = '{"kind":"load","perSecond":1}';
  expect((await post(command, { ...FROM_PAGE, origin: "https://evil.example" })).statusCode).toBe(
    403,
  );
  expect((await post(command, { ...FROM_PAGE, [TOKEN_HEADER]: "guess" })).statusCode).toBe(403);
  // What a form of another site could send.
  const form = { ...FROM_PAGE, "content-type": "text/plain" };
  expect((await post(command, form)).statusCode).toBe(415);
  expect(asked).toEqual([]);
  const read = (headers: Record<string, string>) => app.inject({ url: "/playground", headers });
  expect((await read(FROM_PAGE)).json()).toEqual({ data: "may play" });
  const onlooker = await read({ host: HOST });
  expect(onlooker.statusCode).toBe(403);
  expect(onlooker.body).not.toContain("secret");
  expect(onlooker.json().error.message).toContain("the address that bazaar up printed");
});

test("a command that can't be carried out is told to have failed", async () => {
  const { post } = served({ done: false, why: "nothing to kill" });
  const answer = await post('{"kind":"load","perSecond":1}');
  expect(answer.statusCode).toBe(409);
  expect(answer.json()).toMatchObject({ error: { message: "nothing to kill" } });
});
