// The market's promises under histories nobody would write by hand.
//
// Few names and few request ids, so that calls meet: repeats, keys used for
// something else, sold-out stocks, quantities at the edge of exact numbers.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Audit } from "./audit.ts";
import { canonicalStocks } from "./canonical.ts";
import { BadCommandBytes, decodeCommands, encodeCommands } from "./codec.ts";
import { recordedRequest, refusedInAnyMarket, sameContent } from "./content.ts";
import { decide } from "./decide.ts";
import { MarketState } from "./state.ts";
import type { Command, Content, Outcome, RecordedRequest, Refusal, Request } from "./types.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;

const edgeQuantity = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, -10, 1.9, Number("9999999999999999"), 1e20) },
  { weight: 1, arbitrary: fc.integer({ min: LARGEST - 30, max: LARGEST }) },
  { weight: 1, arbitrary: fc.double() },
);
const marketName = fc.constantFrom("FishCo", "BoarCo", "MenhirCo", "Ash", "constructor", "no-name");

const content: fc.Arbitrary<Content> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("trade" as const),
      name: marketName,
      type: fc.constantFrom("buy", "buy", "sell", "negotiate"),
      quantity: edgeQuantity,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("list" as const),
      name: marketName,
      price: fc.constantFrom(17.99, 28.59, 0, Number.NaN),
      quantity: edgeQuantity,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("adjust" as const),
      name: marketName,
      by: fc.oneof(edgeQuantity, fc.integer({ min: -40, max: 0 })),
    }),
  },
);

const request: fc.Arbitrary<Request> = fc.record({
  requestId: fc.integer({ min: 1, max: 12 }).map((id) => `key-${id}`),
  content,
  recordRefusal: fc.boolean(),
});

/** Requests decided in one turn make one entry; after some entries the tables catch up. */
const history = fc.array(
  fc.record({ turn: fc.array(request, { maxLength: 6 }), release: fc.boolean() }),
  { maxLength: 20 },
);

const FIRST_STOCKS: readonly Command[] = [
  { kind: "list", requestId: "seed-1", name: "FishCo", price: 17.99, quantity: 30 },
  { kind: "list", requestId: "seed-2", name: "BoarCo", price: 28.59, quantity: LARGEST - 20 },
];

/** A market with tables behind it, as a replica has: what is released can only be found there. */
class Replica {
  readonly #tables = new Map<string, RecordedRequest>();
  readonly market = new MarketState({
    stocks: [],
    lastNumber: 0,
    older: { request: (requestId) => this.#tables.get(requestId) },
  });

  release(position: number, commands: readonly Command[]): void {
    for (const command of commands) this.#tables.set(command.requestId, recordedRequest(command));
    this.market.releaseThrough(position);
  }
}

/** A replica that has applied the first entry. */
function startedReplica(): Replica {
  const replica = new Replica();
  replica.market.apply(1, FIRST_STOCKS);
  return replica;
}

interface Asked {
  readonly request: Request;
  readonly outcome: Outcome;
  readonly command: Command | null;
}

/** Plays a history on a leader. Returns it, what was asked, and the journal it wrote. */
function play(turns: readonly { turn: readonly Request[]; release: boolean }[]) {
  const leader = startedReplica();
  const journal: Uint8Array[] = [encodeCommands(FIRST_STOCKS)];
  const asked: Asked[] = [];
  let unreleased: Command[] = [...FIRST_STOCKS];
  for (const { turn, release } of turns) {
    const position = journal.length + 1;
    const commands: Command[] = [];
    for (const request of turn) {
      const { outcome, command } = decide(leader.market, request);
      asked.push({ request, outcome, command });
      if (command === null) continue;
      commands.push(command);
      leader.market.apply(position, [command]);
    }
    journal.push(encodeCommands(commands));
    unreleased.push(...commands);
    if (release) {
      leader.release(position, unreleased);
      unreleased = [];
    }
  }
  return { leader, asked, journal };
}

describe("the market, whatever is asked of it", () => {
  it("M2: no stock is ever negative or inexact, at any position", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const { market } = startedReplica();
        for (const [index, request] of requests.entries()) {
          const { command } = decide(market, request);
          if (command !== null) market.apply(2 + index, [command]);
          for (const { quantity } of market.stocks()) {
            expect(Number.isSafeInteger(quantity) && quantity >= 0, `${quantity}`).toBe(true);
          }
        }
      }),
    );
  });

  it("M2, M3: an audit that only has the journal comes to the same stocks and finds nothing wrong", () => {
    fc.assert(
      fc.property(history, (turns) => {
        const { leader, journal } = play(turns);
        const audit = new Audit();
        for (const [index, bytes] of journal.entries()) {
          audit.feed(index + 1, decodeCommands(bytes));
        }
        expect(audit.problems).toEqual([]);
        expect(audit.differences(leader.market.stocks(), leader.market.lastNumber)).toEqual([]);
        expect(canonicalStocks(audit.stocks())).toBe(canonicalStocks(leader.market.stocks()));
        expect(audit.counts.orders).toBe(leader.market.lastNumber);
      }),
    );
  });

  it("a follower that applies the journal answers and holds what the leader does", () => {
    fc.assert(
      fc.property(history, fc.array(request, { maxLength: 10 }), (turns, further) => {
        const { leader, asked, journal } = play(turns);
        const follower = new Replica();
        for (const [index, bytes] of journal.entries()) {
          follower.market.apply(index + 1, decodeCommands(bytes));
        }
        expect(follower.market.stocks()).toStrictEqual(leader.market.stocks());
        expect(follower.market.lastNumber).toBe(leader.market.lastNumber);
        // Whoever leads next, it decides what the old leader would have.
        for (const request of [...asked.map(({ request }) => request), ...further]) {
          expect(decide(follower.market, request)).toStrictEqual(decide(leader.market, request));
        }
      }),
    );
  });

  it("M1, M3: one request id has one answer, wherever it is remembered", () => {
    fc.assert(
      fc.property(history, (turns) => {
        const { asked } = play(turns);
        const remembered = new Map<string, { content: Content; outcome: Outcome }>();
        let orders = 0;
        for (const { request, outcome, command } of asked) {
          if (refusedInAnyMarket(request.content) !== null) {
            expect(outcome.kind).toBe("refused");
            expect(command).toBeNull();
            continue;
          }
          const before = remembered.get(request.requestId);
          if (before !== undefined) {
            expect(command).toBeNull();
            expect(outcome).toEqual(
              sameContent(before.content, request.content) ? before.outcome : { kind: "reused" },
            );
            continue;
          }
          expect(outcome.kind).not.toBe("reused");
          if (outcome.kind === "accepted") expect(outcome.number).toBe(++orders);
          const isRemembered = outcome.kind !== "refused" || request.recordRefusal;
          expect(command !== null).toBe(isRemembered);
          if (isRemembered)
            remembered.set(request.requestId, { content: request.content, outcome });
        }
      }),
    );
  });

  it("a refusal names the first check that fails, in the lab's order", () => {
    fc.assert(
      fc.property(content, (asked) => {
        if (asked.kind !== "trade") return;
        const replica = startedReplica();
        const { name, type, quantity } = asked;
        const stock = replica.market.stock(name);
        const after = BigInt(stock?.quantity ?? 0);
        const whole = Number.isInteger(quantity);
        const checks: [boolean, Refusal["kind"]][] = [
          [whole && quantity > 0, "invalid-quantity"],
          [type === "buy" || type === "sell", "unknown-type"],
          [stock !== undefined, "unknown-stock"],
          [type !== "buy" || !whole || BigInt(quantity) <= after, "insufficient-volume"],
          [
            type !== "sell" || !whole || after + BigInt(quantity) <= BigInt(LARGEST),
            "invalid-quantity",
          ],
        ];
        const failed = checks.find(([holds]) => !holds)?.[1];
        const { outcome } = decide(replica.market, {
          requestId: "r",
          content: asked,
          recordRefusal: false,
        });
        expect(outcome.kind === "refused" ? outcome.refusal.kind : undefined).toBe(failed);
      }),
      { numRuns: 1_000 },
    );
  });
});

const text = fc.string({ unit: "binary" });
const anyContent: fc.Arbitrary<Content> = fc.oneof(
  fc.record({
    kind: fc.constant("trade" as const),
    name: text,
    type: fc.oneof(text, fc.constantFrom("buy", "sell")),
    quantity: fc.double(),
  }),
  fc.record({
    kind: fc.constant("list" as const),
    name: text,
    price: fc.double(),
    quantity: fc.maxSafeInteger(),
  }),
  fc.record({ kind: fc.constant("adjust" as const), name: text, by: fc.maxSafeInteger() }),
);
const anyRefusal: fc.Arbitrary<Refusal> = fc.oneof(
  fc.record({ kind: fc.constant("invalid-quantity" as const), quantity: fc.double() }),
  fc.record({ kind: fc.constant("unknown-type" as const), type: text }),
  fc.record({
    kind: fc.constantFrom("unknown-stock", "insufficient-volume", "stock-exists"),
    name: text,
  }),
);
/** A price as people write it, or any other number. */
const price = fc.oneof(
  fc.integer({ min: 1, max: 10_000_000 }).map((hundredths) => hundredths / 100),
  fc.double(),
);
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("order" as const),
    number: fc.maxSafeNat(),
    requestId: text,
    name: text,
    type: fc.constantFrom("buy", "sell"),
    quantity: fc.maxSafeNat(),
    price,
  }),
  fc.record({
    kind: fc.constant("refuse" as const),
    requestId: text,
    content: anyContent,
    refusal: anyRefusal,
  }),
  fc.record({
    kind: fc.constant("list" as const),
    requestId: text,
    name: text,
    price,
    quantity: fc.maxSafeNat(),
  }),
  fc.record({
    kind: fc.constant("adjust" as const),
    requestId: text,
    name: text,
    by: fc.maxSafeInteger(),
  }),
);

describe("the codec, whatever it is given", () => {
  it("commands come back as they went in, and the same commands give the same bytes", () => {
    fc.assert(
      fc.property(fc.array(anyCommand), (commands) => {
        const bytes = encodeCommands(commands);
        const decoded = decodeCommands(bytes);
        expect(decoded).toEqual(commands);
        expect(encodeCommands(decoded)).toStrictEqual(bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  it("what decide() records comes back the same, whatever strings a client sent", () => {
    const units = fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4 })
      .map((each) => String.fromCharCode(...each));
    const client = fc.record({
      requestId: fc.constant("r"),
      content: fc.record({
        kind: fc.constant("trade" as const),
        // Any UTF-16 code units, lone surrogates among them; or a name that could be.
        name: fc.oneof(units, fc.constant("Hey")),
        type: fc.constantFrom("buy", "\ud83c", "\udffa"),
        quantity: fc.constant(1),
      }),
      recordRefusal: fc.constant(true),
    });
    fc.assert(
      fc.property(client, (request) => {
        const { command } = decide(new Replica().market, request);
        expect(command === null).toBe(refusedInAnyMarket(request.content) !== null);
        const commands = command === null ? [] : [command, command];
        expect(decodeCommands(encodeCommands(commands))).toEqual(commands);
      }),
    );
  });

  it("damaged bytes are read or refused, but never run on or end in another error", () => {
    fc.assert(
      fc.property(
        fc.array(anyCommand, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (commands, damages) => {
          const bytes = encodeCommands(commands);
          for (const [at, value] of damages) bytes[at % bytes.length] = value;
          try {
            decodeCommands(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(BadCommandBytes);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
