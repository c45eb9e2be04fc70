import { expect, test } from "vitest";
import { RpcError } from "../../io/rpc/error.ts";
import { Relay } from "./relay.ts";
import { FakePeer, trade } from "./test-support.ts";

const QUESTIONS = [trade("a", "FishCo", "buy", 1), trade("b", "FishCo", "buy", 1)];

test("without a connection to the leader the caller is told whom to ask", async () => {
  const relay = new Relay(() => null);
  expect(await relay.ask(9094, QUESTIONS)).toEqual({ kind: "not-leader", leader: 9094 });
});

test("what is passed on is marked, so that nobody passes it on again", async () => {
  const leader = new FakePeer("order", "order-9094");
  const relay = new Relay(() => leader);
  const result = relay.ask(9094, QUESTIONS);
  const call = leader.take();
  expect(call.argument).toEqual({ relayed: true, questions: QUESTIONS });
  call.answer({ kind: "not-leader", leader: null });
  expect(await result).toEqual({ kind: "not-leader", leader: null });
});

test("a leader that has too much in hand has done nothing; any other failure leaves the fate unknown", async () => {
  const leader = new FakePeer("order", "order-9094");
  const relay = new Relay(() => leader);
  const busy = relay.ask(9094, QUESTIONS);
  leader.take().fail(new RpcError("busy", "too many calls"));
  expect(await busy).toEqual({ kind: "answers", answers: [{ kind: "busy" }, { kind: "busy" }] });
  for (const failure of ["closed", "timeout", "failed"] as const) {
    const lost = relay.ask(9094, QUESTIONS);
    leader.take().fail(new RpcError(failure, "gone"));
    expect(await lost).toEqual({ kind: "unknown" });
  }
});

test("after a reconnection the new connection is used", async () => {
  let leader = new FakePeer("order", "order-9094");
  const relay = new Relay(() => leader);
  const first = relay.ask(9094, QUESTIONS);
  leader.take().fail(new RpcError("closed", "gone"));
  await first;
  leader = new FakePeer("order", "order-9094");
  const second = relay.ask(9094, QUESTIONS);
  leader.take().answer({ kind: "unknown" });
  expect(await second).toEqual({ kind: "unknown" });
});
