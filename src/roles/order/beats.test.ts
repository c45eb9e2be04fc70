import { expect, test } from "vitest";
import { Beats } from "./beats.ts";
import { FakePeer } from "./test-support.ts";

const HEALTH = {
  replica: 9094,
  leads: true,
  leader: 9094,
  epoch: 1,
  lastPosition: 1,
  commitPosition: 1,
};

test("a front end needn't wait for the next beat to learn who leads", () => {
  const beats = new Beats(() => HEALTH);
  const frontend = new FakePeer("frontend", "frontend");
  beats.join(frontend);
  expect(frontend.take()).toMatchObject({ name: "beat", argument: HEALTH });
  beats.send();
  expect(frontend.take().argument).toEqual(HEALTH);
});

test("only front ends are told, and only while they are connected", () => {
  const beats = new Beats(() => HEALTH);
  const others = (["order", "catalog", "cli"] as const).map((role) => new FakePeer(role, role));
  const frontend = new FakePeer("frontend", "frontend");
  for (const peer of [...others, frontend]) beats.join(peer);
  frontend.take();
  for (const peer of [...others, frontend]) beats.leave(peer);
  beats.send();
  for (const peer of [...others, frontend]) expect(peer.received).toEqual([]);
});
