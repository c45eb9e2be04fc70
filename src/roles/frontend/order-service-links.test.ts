import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AVOID_LOST_MS, AVOID_SILENT_MS, LEADER_HEARD_MS } from "../../core/service/limits.ts";
import { TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Health } from "../contract.ts";
import { ReplicaLink } from "./order-service-links.ts";
import { RequestTraces } from "./request-traces.ts";
import { accepted, ScriptedReplica, SECRET, trade, until } from "./test-order-service.ts";

describe("a link", () => {
  let replica: ScriptedReplica;
  let link: ReplicaLink;
  let nowMs: number;
  const beats: Health[] = [];

  beforeEach(async () => {
    replica = await ScriptedReplica.open();
    nowMs = 0;
    link = new ReplicaLink({
      replica: replica.address,
      secret: SECRET,
      identity: { role: "frontend", name: "frontend", cluster: TEST_CLUSTER },
      traces: new RequestTraces(pino({ level: "silent" })),
      log: pino({ level: "silent" }),
      nowMs: () => nowMs,
      onOpen: () => {},
      onClose: () => {},
      onUnreachable: () => {},
      onBeat: (beat) => beats.push(beat),
    });
    await until("it is open", () => link.isOpen);
  });

  afterEach(async () => {
    link.close();
    await replica.kill();
  });

  test("takes what another replica says for its own", async () => {
    replica.say({ replica: replica.id - 1, epoch: 77 });
    expect((await link.askHealth()).epoch).toBe(77); // judged by who asks
    replica.say({ replica: replica.id, epoch: 78 });
    await until("its own beat came", () => link.health?.epoch === 78);
    expect(beats.map(({ epoch }) => epoch)).not.toContain(77);
  });

  test("that was of no use is asked as before, or never again", () => {
    expect(link.isGood(nowMs)).toBe(true);
    link.lost();
    expect(link.isGood(nowMs)).toBe(false);
    nowMs += AVOID_LOST_MS;
    expect(link.isGood(nowMs)).toBe(true);
    link.silent();
    link.lost();
    nowMs += AVOID_SILENT_MS - 1;
    expect(link.isGood(nowMs)).toBe(false);
    nowMs += 1;
    expect(link.isGood(nowMs)).toBe(true);
  });

  test("over which nothing comes passes for one that is heard", () => {
    replica.paused = true;
    expect(link.isHeard(nowMs)).toBe(true);
    expect(link.isHeard(nowMs + LEADER_HEARD_MS)).toBe(false);
  });

  test("that closed leaves a caller waiting, or knows what it heard before", async () => {
    replica.beat();
    await until("a beat came", () => link.health !== null);
    await replica.kill();
    await until("it closed", () => !link.isOpen && link.health === null);
    await expect(link.ask([trade("a")])).rejects.toMatchObject({ failure: "closed" });
    await expect(link.nominate()).rejects.toMatchObject({ failure: "closed" });
  });

  test("asks as if it were another replica that relays", async () => {
    expect(await link.ask([trade("a")])).toEqual({ kind: "answers", answers: [accepted(1)] });
    expect(replica.relayed).toEqual([false]);
  });
});
