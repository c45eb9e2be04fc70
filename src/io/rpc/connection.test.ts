import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RpcError } from "./error.ts";
import {
  Bench,
  eventually,
  FRONTEND,
  failureOf,
  ORDER,
  testContract,
  testHandlers,
} from "./testing.ts";
import type { Peer } from "./types.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

describe("calls", () => {
  test("either side can call what the other serves, and knows who the other is", async () => {
    const callers: Peer[] = [];
    const handlers = testHandlers({
      echo: (argument, peer) => {
        callers.push(peer);
        return argument;
      },
    });
    const { here, there } = await bench.pair({ listen: { handlers }, link: { handlers } });
    expect(here.identity).toEqual(ORDER);
    expect(there.identity).toEqual(FRONTEND);
    expect(await here.calls(testContract).echo("to the listener")).toBe("to the listener");
    expect(await there.calls(testContract).echo("to the client")).toBe("to the client");
    expect(callers).toEqual([there, here]);
  });

  test("values arrive with their types: bytes as bytes, large integers exact, undefined not as null", async () => {
    const { here } = await bench.pair();
    const value = {
      bytes: new Uint8Array([0, 1, 255]),
      large: Number.MAX_SAFE_INTEGER,
      negative: -(2 ** 40),
      fraction: 17.99,
      missing: undefined,
      none: null,
      text: "Idéfix 🐕",
      list: [{ a: 1 }, { a: 2, b: undefined }],
    };
    const back = (await here.calls(testContract).echo(value)) as typeof value;
    expect(back).toStrictEqual(value);
    expect(back.bytes.constructor).toBe(Uint8Array);
    expect(typeof back.large).toBe("number");
  });

  test("received bytes don't hold on to the memory of their whole frame", async () => {
    const { here } = await bench.pair();
    const sent = { small: new Uint8Array([7]), large: new Uint8Array(1_000_000) };
    const back = (await here.calls(testContract).echo(sent)) as typeof sent;
    expect(back.small.buffer.byteLength).toBe(1);
  });

  test("an argument changed after the call is sent as it was when the call was made", async () => {
    const { here } = await bench.pair();
    const argument = { number: 1 };
    const answer = here.calls(testContract).double(argument);
    argument.number = 100;
    expect(await answer).toEqual({ number: 2 });
  });

  test("ten thousand calls at once are all answered, each with its own answer", async () => {
    const { here } = await bench.pair();
    const calls = here.calls(testContract);
    const numbers = Array.from({ length: 10_000 }, (_, number) => number);
    const answers = await Promise.all(numbers.map((number) => calls.double({ number })));
    expect(answers.map(({ number }) => number)).toEqual(numbers.map((number) => number * 2));
  });

  test("calls and notifications reach their handlers in the order made", async () => {
    const seen: unknown[] = [];
    const handlers = testHandlers({
      tell: (argument) => {
        seen.push(argument);
      },
      echo: (argument) => {
        seen.push(argument);
        return argument;
      },
    });
    const { here } = await bench.pair({ listen: { handlers } });
    const calls = here.calls(testContract);
    let last: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < 100; i += 2) {
      calls.tell(i);
      last = calls.echo(i + 1);
      if (i === 50) here.flush();
    }
    await last;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("a handler's error comes back as failed, with its message and nothing else of it", async () => {
    const { here } = await bench.pair();
    const error = await here
      .calls(testContract)
      .fail({})
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      failure: "failed",
      message: "fail at order-9094: the shop is shut",
    });
  });

  test("a call without an answer fails at its time-out", async () => {
    const { here } = await bench.pair();
    const calls = here.calls(testContract, { timeoutMs: 20 });
    expect(await failureOf(calls.never({}))).toBe("timeout");
    expect(await calls.echo("still open")).toBe("still open");
  });

  test.each([0, -1, Number.NaN, 2 ** 31])(
    "a time-out of %d ms is refused at once",
    async (timeoutMs) => {
      const { here } = await bench.pair();
      expect(() => here.calls(testContract, { timeoutMs })).toThrow(RangeError);
    },
  );

  test("an answer that comes after the time-out is dropped quietly", async () => {
    const late = Promise.withResolvers<unknown>();
    const { here } = await bench.pair({
      listen: { handlers: testHandlers({ echo: () => late.promise }) },
    });
    expect(await failureOf(here.calls(testContract, { timeoutMs: 20 }).echo(1))).toBe("timeout");
    late.resolve("too late");
    expect(await here.calls(testContract).double({ number: 4 })).toEqual({ number: 8 });
  });

  test("a call over the limit of calls in flight fails as busy at once, and answers make room", async () => {
    const gate = Promise.withResolvers<unknown>();
    const { here } = await bench.pair({
      link: { limits: { callsInFlightMax: 3 } },
      listen: { handlers: testHandlers({ echo: () => gate.promise }) },
    });
    const calls = here.calls(testContract);
    const held = [calls.echo(1), calls.echo(2), calls.echo(3)];
    expect(await failureOf(calls.echo(4))).toBe("busy");
    gate.resolve("go");
    await Promise.all(held);
    expect(await calls.echo(5)).toBe("go");
  });

  test("calls that their caller gave up still count at the other side, which answers busy at its limit", async () => {
    const { here } = await bench.pair({ listen: { limits: { callsInFlightMax: 3 } } });
    const calls = here.calls(testContract, { timeoutMs: 20 });
    const given = await Promise.all([1, 2, 3].map(() => failureOf(calls.never({}))));
    expect(given).toEqual(["timeout", "timeout", "timeout"]);
    expect(await failureOf(here.calls(testContract).double({ number: 1 }))).toBe("busy");
  });

  test("calls that were carried out make room for others", async () => {
    const { here } = await bench.pair({ listen: { limits: { callsInFlightMax: 3 } } });
    const calls = here.calls(testContract);
    for (let number = 0; number < 10; number += 1) {
      expect(await calls.double({ number })).toEqual({ number: number * 2 });
    }
  });

  test("a close rejects every call that has no answer, on both sides", async () => {
    const { here, there } = await bench.pair();
    const waiting = [here.calls(testContract).never({}), there.calls(testContract).never({})];
    await here.calls(testContract).echo("both have been sent");
    there.close();
    expect(await Promise.all(waiting.map(failureOf))).toEqual(["closed", "closed"]);
    expect(here.isOpen).toBe(false);
    expect(await failureOf(here.calls(testContract).echo(1))).toBe("closed");
  });

  test("what was called before a close is still sent", async () => {
    const told = Promise.withResolvers<unknown>();
    const { here } = await bench.pair({
      listen: {
        handlers: testHandlers({
          tell: (argument) => {
            told.resolve(argument);
          },
        }),
      },
    });
    here.calls(testContract).tell("goodbye");
    here.close();
    expect(await told.promise).toBe("goodbye");
  });

  test("a notification on a closed connection is dropped without an error", async () => {
    const { here } = await bench.pair();
    here.close();
    expect(() => here.calls(testContract).tell("nobody")).not.toThrow();
  });

  test("onClose is called once, after close has returned", async () => {
    const closed: string[] = [];
    const { here } = await bench.pair({
      link: { onClose: (peer) => closed.push(peer.identity.name) },
    });
    here.close();
    here.close();
    expect(closed).toEqual([]);
    await eventually(() => expect(closed).toEqual(["order-9094"]));
  });
});
