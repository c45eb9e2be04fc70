// Every row of the public interface, by injected requests and over a socket, on
// the real market core. What needs a real socket is in http-connection.test.ts.
// Longer than 400 lines because it is one interface, held against one market.

import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { stocksOver, TestMarket } from "../test-market.ts";
import { build } from "./app.ts";
import { overSocket, type TestRequest, type TestResponse } from "./test-http.ts";

const log = pino({ level: "silent" });
const INVALID_URL = '{"error":{"code":404,"message":"Invalid request url"}}';

let market: TestMarket;
let app: ReturnType<typeof build>;

beforeEach(() => {
  market = new TestMarket();
  const copies = memoryCopies({ entriesMax: 100 });
  const stocks = stocksOver(market, { copies, log });
  app = build({ orders: market, stocks, log });
});

afterEach(() => app.close());

describe.each(["injected", "over a socket"])("%s", (way) => {
  function ask(asked: string | TestRequest): Promise<TestResponse> {
    const request = typeof asked === "string" ? { url: asked } : asked;
    return way === "injected" ? app.inject(request) : overSocket(app, request);
  }

  function post(body: string | object, headers: Record<string, string> = {}) {
    const payload = typeof body === "string" ? body : JSON.stringify(body);
    return ask({ method: "POST", url: "/orders", payload, headers });
  }

  function trade(quantity: unknown, type: unknown = "buy", name: unknown = "FishCo") {
    return { name, quantity, type };
  }

  describe("lookups", () => {
    test("a stock is answered in the reference program's fields and order, by fetch and by copy alike", async () => {
      for (const _ of ["fetch", "copy"]) {
        const response = await ask("/stocks/FishCo");
        expect(response.statusCode).toBe(200);
        expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
        expect(response.body).toBe('{"data":{"name":"FishCo","price":17.99,"quantity":600}}');
      }
      expect(market.lookups).toEqual([["FishCo"]]);
    });

    test("an unknown stock is unknown every time", async () => {
      for (const name of ["Ash", "Ash", "Z".repeat(64)]) {
        const response = await ask(`/stocks/${name}`);
        expect(response.statusCode).toBe(400);
        expect(response.json()).toEqual({
          error: { code: 400, message: `Bad request. ${name} stock not found in db` },
        });
      }
    });

    test("a name longer than any stock's is refused without a question or a copy", async () => {
      for (const url of ["/stocks/", "/cache_invalid/"]) {
        const response = await ask(url + "Z".repeat(65));
        expect(response.statusCode).toBe(400);
        expect(response.json()).toEqual({
          error: { code: 400, message: "Bad request. The name of a stock has at most 64 letters" },
        });
      }
      expect(market.lookups).toEqual([]);
      expect(market.questions).toEqual([]);
    });

    test("letters that came escaped are letters", async () => {
      expect((await ask("/stocks/Fish%43o")).statusCode).toBe(200);
      expect((await ask("/stocks/FishCo?at=once")).statusCode).toBe(200);
    });

    test("stocks come page by page, and a wrong parameter is said", async () => {
      const boar = '{"name":"BoarCo","price":28.59,"quantity":1102}';
      const fish = '{"name":"FishCo","price":17.99,"quantity":600}';
      const game = '{"name":"GameStart","price":23.5,"quantity":100}';
      expect((await ask("/stocks?limit=2")).body).toBe(
        `{"data":[${boar},${fish}],"next":"FishCo"}`,
      );
      expect((await ask("/stocks?after=FishCo")).body).toBe(`{"data":[${game}],"next":null}`);
      expect((await ask("/stocks?after=Cow&limit=1")).body).toBe(
        `{"data":[${fish}],"next":"FishCo"}`,
      );
      expect((await ask("/stocks?containing=CO")).body).toBe(
        `{"data":[${boar},${fish}],"next":null}`,
      );
      expect((await ask("/stocks?containing=co&after=Cow&limit=1")).body).toBe(
        `{"data":[${fish}],"next":"FishCo"}`,
      );
      expect((await ask("/stocks?containing=Owl")).body).toBe(`{"data":[],"next":null}`);
      const wrong: readonly (readonly [query: string, message: string])[] = [
        ["limit=0", "limit must be a whole number from 1 to 1000"],
        ["limit=1001", "limit must be a whole number from 1 to 1000"],
        ["after=", "after must be a stock's name"],
        ["after=A1", "after must be a stock's name"],
        ["after=A&after=B", "after must be a stock's name"],
        ["containing=", "containing must be 1 to 64 ASCII letters"],
        ["containing=A1", "containing must be 1 to 64 ASCII letters"],
        ["containing=A&containing=B", "containing must be 1 to 64 ASCII letters"],
      ];
      for (const [query, message] of wrong) {
        const response = await ask(`/stocks?${query}`);
        expect(response.statusCode).toBe(400);
        expect(response.json().error.message).toBe(`Bad request. ${message}`);
      }
    });

    test("all stocks come by name", async () => {
      const response = await ask("/stocks");
      expect(response.body).toBe(
        '{"data":[{"name":"BoarCo","price":28.59,"quantity":1102},' +
          '{"name":"FishCo","price":17.99,"quantity":600},' +
          '{"name":"GameStart","price":23.5,"quantity":100}]}',
      );
    });

    test("a copy is gone once a client asked for that, known stock or not", async () => {
      await ask("/stocks/FishCo");
      for (const name of ["FishCo", "FishC"]) {
        const response = await ask(`/cache_invalid/${name}`);
        expect(response.statusCode).toBe(200);
        expect(response.body).toBe('{"data":"cache invalidation successful"}');
      }
      await ask("/stocks/FishCo");
      expect(market.lookups).toHaveLength(2);
    });
  });

  describe("URLs", () => {
    const wrong: readonly (readonly [method: "GET" | "POST" | "PUT" | "DELETE", url: string])[] = [
      ["GET", "/stcks/BoarCo"],
      ["GET", "/stocks/"],
      ["GET", "/stocks/Fish1"],
      ["GET", "/stocks/Fish%20Co"],
      ["GET", "/stocks/Fish%2FCo"],
      ["GET", "/stocks/F%C3%ACsh"],
      ["GET", "/stocks/FishCo/"],
      ["GET", "/stocks/FishCo/price"],
      ["GET", "/Stocks/FishCo"],
      ["GET", "//stocks/FishCo"],
      ["GET", "/stocks/%zz"],
      ["GET", "/%zz"],
      ["GET", "/stocks/%"],
      ["GET", "/orders/1ac"],
      ["GET", "/orders/0"],
      ["GET", "/orders/01"],
      ["GET", "/orders/-1"],
      ["GET", "/orders/1.5"],
      ["GET", "/orders/1/"],
      ["GET", "/orders/"],
      ["GET", "/ordrs/2"],
      ["GET", "/get_order_lader"],
      ["GET", "/get_order_leader/"],
      ["GET", "/cache_invald/FishCo"],
      ["GET", "/cache_invalid/"],
      ["GET", "/cache_invalid/Fish1"],
      ["POST", "/"],
      ["POST", "/ordrs"],
      ["POST", "/orders/"],
      ["POST", "/orders/1"],
      ["POST", "/stocks/FishCo"],
      ["PUT", "/orders"],
      ["DELETE", "/orders/1"],
      ["DELETE", "/stocks/FishCo"],
    ];
    test.each(wrong)("%s %s is no URL of ours", async (method, url) => {
      const response = await ask({ method, url });
      expect(response.statusCode).toBe(404);
      expect(response.body).toBe(INVALID_URL);
      expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
    });

    test("a wrong URL is told before its body is looked at", async () => {
      const bodies = [
        { payload: "{", headers: { "content-type": "application/json" } },
        { payload: "{", headers: { "content-type": "no type at all;;" } },
        { payload: "x".repeat(70_000), headers: {} },
      ];
      for (const { payload, headers } of bodies) {
        const response = await ask({ method: "POST", url: "/ordrs", payload, headers });
        expect(response.body).toBe(INVALID_URL);
      }
    });

    test("HEAD is answered where GET is, without the body", async () => {
      for (const url of ["/stocks", "/orders", "/healthz", "/readyz", "/openapi.json", "/docs/"]) {
        const [head, get] = [await ask({ method: "HEAD", url }), await ask(url)];
        expect(`${url} ${head.statusCode} ${head.body}`).toBe(`${url} ${get.statusCode} `);
      }
      const response = await ask({ method: "HEAD", url: "/stocks/FishCo" });
      expect(response.statusCode).toBe(200);
      expect(response.body).toBe("");
      expect((await ask({ method: "HEAD", url: "/stocks/Ash" })).statusCode).toBe(400);
      expect((await ask({ method: "HEAD", url: "/stcks/Ash" })).statusCode).toBe(404);
    });
  });

  describe("trades", () => {
    test("an accepted trade is answered with its number, and moves the stock", async () => {
      const sell = await post(trade(10, "sell"));
      expect(sell.statusCode).toBe(200);
      expect(sell.body).toBe('{"data":{"transaction_number":1}}');
      const buy = await post(trade(20));
      expect(buy.body).toBe('{"data":{"transaction_number":2}}');
      const lookup = await ask("/stocks/FishCo");
      expect(lookup.body).toBe('{"data":{"name":"FishCo","price":17.99,"quantity":590}}');
    });

    const refused: readonly (readonly [body: object | string, status: number, message: string])[] =
      [
        [trade(1, "buy", "Hey"), 400, "Bad request. Hey stock not found in db"],
        [trade(1, "buy", ""), 400, "Bad request.  stock not found in db"],
        [trade(-10), 400, "Invalid quantity -10"],
        [trade(0), 400, "Invalid quantity 0"],
        [
          trade(1, "buy", "x".repeat(60_000)),
          400,
          "Bad request. The name of a stock has at most 64 letters",
        ],
        [trade(1, "negotiate"), 400, "Unknow trade type - negotiate"],
        [trade(1, "BUY"), 400, "Unknow trade type - BUY"],
        [trade(101, "buy", "GameStart"), 500, "Insufficient volume for GameStart stock"],
        [
          '{"name":"GameStart","quantity":9999999999999999,"type":"buy"}',
          500,
          "Insufficient volume for GameStart stock",
        ],
        [
          '{"name":"GameStart","quantity":1e20,"type":"buy"}',
          500,
          "Insufficient volume for GameStart stock",
        ],
        [trade(9007199254740991, "sell", "GameStart"), 400, "Invalid quantity 9007199254740991"],
        [trade(-1, "negotiate", "Hey"), 400, "Invalid quantity -1"],
        [trade(1, "negotiate", "Hey"), 400, "Unknow trade type - negotiate"],
      ];
    test.each(refused)("%j is answered with %i %s", async (body, code, message) => {
      const response = await post(body);
      expect(response.statusCode).toBe(code);
      expect(response.json()).toEqual({ error: { code, message } });
      expect(response.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
    });

    test("a malformed body is told what is wrong, before the leader is asked", async () => {
      const response = await post('{"name":"FishCo","quantity":1.9,"type":"buy"}');
      expect(response.statusCode).toBe(400);
      expect(response.body).toBe(
        '{"error":{"code":400,"message":"POST data not in correct format. ' +
          'quantity must be a whole number"}}',
      );
      expect(response.headers.connection).not.toBe("close");
      expect(market.questions).toEqual([]);
    });

    test("the body is JSON whatever its Content-Type says", async () => {
      const types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "no type at all;;",
        "",
      ];
      for (const type of types) {
        expect((await post(trade(1), { "content-type": type })).statusCode).toBe(200);
      }
    });

    test("a body may have 64 KiB, and not a byte more", async () => {
      const empty = JSON.stringify(trade(1, "buy", ""));
      const largest = trade(1, "buy", "A".repeat(65_536 - empty.length));
      expect((await post(largest)).statusCode).toBe(400);
      const tooLarge = await post(`${JSON.stringify(largest)} `);
      expect(tooLarge.statusCode).toBe(413);
      expect(tooLarge.json().error.code).toBe(413);
    });
  });

  describe("idempotency keys", () => {
    test("the same key and content is the same trade, and is answered the same", async () => {
      const headers = { "idempotency-key": "my key: 1" };
      for (const _ of ["first", "again"]) {
        const response = await post(trade(10), headers);
        expect(response.body).toBe('{"data":{"transaction_number":1}}');
        expect(response.headers["idempotency-key"]).toBe("my key: 1");
      }
      expect((await post(trade(10))).body).toBe('{"data":{"transaction_number":2}}');
    });

    test("a refusal under a client's key is recorded, so that it stays a refusal", async () => {
      const headers = { "idempotency-key": "k" };
      expect((await post(trade(101, "buy", "GameStart"), headers)).statusCode).toBe(500);
      await post(trade(10, "sell", "GameStart"));
      expect((await post(trade(101, "buy", "GameStart"), headers)).statusCode).toBe(500);
      expect(market.questions[0]).toMatchObject({ requestId: "k", recordRefusal: true });
      expect(market.questions[1]).toMatchObject({ recordRefusal: false });
    });

    test("a refusal under a key made for the client doesn't bind it later", async () => {
      const refused = await post(trade(101, "buy", "GameStart"));
      expect(refused.statusCode).toBe(500);
      const made = refused.headers["idempotency-key"];
      expect(made).toMatch(/^[0-9a-f-]{36}$/);
      await post(trade(10, "sell", "GameStart"));
      const headers = { "idempotency-key": String(made) };
      for (const _ of ["first", "again"]) {
        const response = await post(trade(101, "buy", "GameStart"), headers);
        expect(response.body).toBe('{"data":{"transaction_number":2}}');
      }
    });

    test("the same key with other content is 422, and changes nothing", async () => {
      const headers = { "idempotency-key": "k" };
      await post(trade(10), headers);
      const response = await post(trade(11), headers);
      expect(response.statusCode).toBe(422);
      expect(response.json().error.code).toBe(422);
      expect(response.headers["idempotency-key"]).toBe("k");
    });

    test("each trade without a key gets one of its own", async () => {
      const keys = [await post(trade(1)), await post(trade(1))].map(
        (response) => response.headers["idempotency-key"],
      );
      expect(keys[0]).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
      expect(keys[0]).not.toBe(keys[1]);
      expect(market.questions).toMatchObject(keys.map((requestId) => ({ requestId })));
    });

    test("a bad key is refused before anything else", async () => {
      const response = await post("{", { "idempotency-key": "x".repeat(129) });
      expect(response.statusCode).toBe(400);
      expect(response.json().error.message).toContain("Idempotency-Key must be 1 to 128");
      expect(response.headers["idempotency-key"]).toBeUndefined();
      expect(market.questions).toEqual([]);
    });
  });

  describe("orders", () => {
    test("an order is answered in the reference program's fields and order", async () => {
      await post(trade(18));
      const response = await ask("/orders/1");
      expect(response.body).toBe(
        '{"data":{"number":1,"name":"FishCo","type":"buy","quantity":18}}',
      );
    });

    test.each(["99999", "9007199254740991", "9007199254740993", "123456789012345678901234567890"])(
      "order %s is unknown",
      async (number) => {
        const response = await ask(`/orders/${number}`);
        expect(response.statusCode).toBe(400);
        expect(response.body).toBe(
          `{"error":{"code":400,"message":"Bad request. ${number} order not found in ORDER LOG"}}`,
        );
      },
    );

    test("orders come in pages, and the last page says so", async () => {
      for (let i = 0; i < 5; i++) await post(trade(1));
      const first = await ask("/orders?after=1&limit=2");
      expect(first.body).toBe(
        '{"data":[{"number":2,"name":"FishCo","type":"buy","quantity":1},' +
          '{"number":3,"name":"FishCo","type":"buy","quantity":1}],"next":3}',
      );
      const last = (await ask("/orders?after=3")).json();
      expect(last).toMatchObject({ data: [{ number: 4 }, { number: 5 }], next: null });
      expect((await ask("/orders")).json().data).toHaveLength(5);
      expect((await ask("/orders?after=99")).body).toBe('{"data":[],"next":null}');
      expect(market.questions.at(-1)).toEqual({ kind: "orders", after: 99, limit: 100 });
    });
  });

  describe("without a leader", () => {
    const asking = ["/stocks/FishCo", "/stocks", "/orders/1", "/orders"] as const;

    test.each(["unavailable", "overloaded"] as const)(
      "%s is 503 with Retry-After, for trades, queries and lookups",
      async (kind) => {
        market.isLeased = false;
        market.failing = kind;
        for (const url of asking) {
          const response = await ask(url);
          expect(response.statusCode).toBe(503);
          expect(response.headers["retry-after"]).toBe("1");
          expect(response.json().error.code).toBe(503);
        }
        const response = await post(trade(1), { "idempotency-key": "ask again" });
        expect(response.statusCode).toBe(503);
        expect(response.headers["retry-after"]).toBe("1");
        expect(response.headers["idempotency-key"]).toBe("ask again");
      },
    );

    test("a trade whose turn wouldn't come is 503 before its body is read, under its key; a large body is read first", async () => {
      market.full = true;
      const small = await post("{ is no trade", { "idempotency-key": "k" });
      expect(small.statusCode).toBe(503);
      expect(small.headers).toMatchObject({ "retry-after": "1", "idempotency-key": "k" });
      expect((await post(" ".repeat(BODY_BYTES_MAX + 1))).statusCode).toBe(413);
      expect(market.questions).toEqual([]);
      market.full = false;
      expect((await post(trade(1))).statusCode).toBe(200);
    });

    test("a leader with too much in hand is 503, not an error", async () => {
      market.ask = async () => ({ kind: "answer", answer: { kind: "busy" } });
      expect((await post(trade(1))).statusCode).toBe(503);
    });

    test("who leads is answered at once, and that nobody does", async () => {
      const found = await ask("/get_order_leader");
      expect(found.body).toBe('{"data":{"order_leader":9094}}');
      expect((await ask("/readyz")).statusCode).toBe(200);
      market.leaderId = null;
      const none = await ask("/get_order_leader");
      expect(none.statusCode).toBe(503);
      expect(none.headers["retry-after"]).toBe("1");
      expect((await ask("/readyz")).statusCode).toBe(503);
      expect((await ask("/healthz")).statusCode).toBe(200);
    });
  });
});
