import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { PlaygroundState } from "../client/event-messages.ts";
import type { ClusterConfig } from "../roles/config.ts";
import {
  type Channel,
  checkPlaygroundHosts,
  DIGEST_VARIABLE,
  FRONTEND_PAUSE_MS,
  PlaygroundHost,
  playgroundOf,
} from "./playground.ts";

function host(standings: PlaygroundState["roles"] = { frontend: "running" }) {
  const played: string[] = [];
  const told: PlaygroundState[] = [];
  const later: { ms: number; callback: () => void }[] = [];
  const load = {
    perSecond: 0,
    seen: null,
    key: null as string | null,
    set: (perSecond: number, key: string | null) => Object.assign(load, { perSecond, key }),
  };
  const playground = new PlaygroundHost({
    supervisor: {
      play: (action, role) => {
        played.push(`${action} ${role}`);
        return role in standings;
      },
      standings: () => standings,
    },
    links: {
      play: (action, between) => {
        played.push(`${action} ${between}`);
        return between.includes("catalog");
      },
      all: [["catalog", "frontend"]],
      cut: [],
    },
    load,
    tell: (state) => told.push(state),
    frontends: ["frontend"],
    after: (ms, callback) => later.push({ ms, callback }),
  });
  return { playground, played, told, later, load };
}

test("a command is carried out, and the new state is told", async () => {
  const { playground, played, told } = host();
  const result = await playground.play({ kind: "process", action: "kill", role: "frontend" });
  expect(result).toEqual({ done: true });
  expect(played).toEqual(["kill frontend"]);
  expect(told).toEqual([
    {
      roles: { frontend: "running" },
      links: [["catalog", "frontend"]],
      cut: [],
      load: 0,
      loadSeen: null,
      loadMax: 2_000,
    },
  ]);
});

test("a command for an unknown role is answered as not done", async () => {
  const { playground } = host();
  const result = await playground.play({ kind: "process", action: "kill", role: "order-1" });
  expect(result.done).toBe(false);
});

test("a link is cut, and one that isn't there is answered as not done", async () => {
  const { playground, played, told } = host();
  const cut = (between: readonly [string, string]) =>
    playground.play({ kind: "link", action: "cut", between });
  expect(await cut(["catalog", "frontend"])).toEqual({ done: true });
  expect((await cut(["order-1", "frontend"])).done).toBe(false);
  expect(played).toEqual(["cut catalog,frontend", "cut order-1,frontend"]);
  expect(told).toHaveLength(2);
});

test("a paused front end is resumed after a while by itself", async () => {
  const { playground, played, later } = host({ frontend: "paused" });
  await playground.play({ kind: "process", action: "pause", role: "frontend" });
  expect(later.map(({ ms }) => ms)).toEqual([FRONTEND_PAUSE_MS]);
  later[0]?.callback();
  expect(played).toEqual(["pause frontend", "resume frontend"]);
});

test("the slider sets the load, under the key of who moved it, and the new state shows it", async () => {
  const { playground, told, load } = host();
  await playground.play({ kind: "load", perSecond: 250 }, "player.secret");
  expect(load).toMatchObject({ perSecond: 250, key: "player.secret" });
  expect(JSON.stringify(told)).not.toContain("secret");
  expect(told.at(-1)?.load).toBe(250);
});

test("each run has a token of its own, which is in the page's address; front ends get only its digest", () => {
  const tokens = [host(), host()].map(({ playground }) => {
    const url = playground.urlOf("http://127.0.0.1:8000");
    const [, token = ""] = /^http:\/\/127\.0\.0\.1:8000\/#playground=([\w-]{32,})$/.exec(url) ?? [];
    const digest = createHash("sha256").update(token).digest("hex");
    expect(playground.environment).toEqual({ [DIGEST_VARIABLE]: digest });
    return token;
  });
  expect(new Set(tokens).size).toBe(2);
});

test("a playground is refused where its front end can't be reached over this machine's loopback address", () => {
  const at = (address: string) =>
    ({ frontends: [{ name: "frontend", host: address, port: 8000 }] }) as unknown as ClusterConfig;
  for (const address of ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"]) {
    expect(() => checkPlaygroundHosts(at(address))).not.toThrow();
  }
  for (const address of ["10.0.0.1", "fd00::1", "stall.example"]) {
    expect(() => checkPlaygroundHosts(at(address))).toThrow("--playground");
  }
});

function channel() {
  const sent: { id: number }[] = [];
  const events = new EventEmitter();
  const made = Object.assign(events, {
    connected: true,
    send: (message: { id: number }) => sent.push(message),
  });
  return { channel: made as unknown as Channel, sent, events };
}

test("an answer of up reaches the question it belongs to, and nonsense is ignored", async () => {
  const { channel: process, sent, events } = channel();
  const playground = playgroundOf(process, { [DIGEST_VARIABLE]: "digest" });
  expect(playground?.tokenDigest).toBe("digest");
  const first = playground?.ask({ kind: "load", perSecond: 1 }, "player.secret");
  const second = playground?.ask({ kind: "load", perSecond: 2 }, null);
  expect(sent).toMatchObject([{ key: "player.secret" }, { key: null }]);
  const [one, two] = sent.map(({ id }) => id);
  events.emit("message", { kind: "played", id: two, result: { done: false, why: "no" } });
  events.emit("message", "nonsense");
  events.emit("message", { kind: "played", id: one, result: { done: true } });
  expect(await first).toEqual({ done: true });
  expect(await second).toEqual({ done: false, why: "no" });
  const state = {
    roles: { frontend: "running" },
    links: [["catalog", "frontend"]],
    cut: [],
    load: 5,
    loadSeen: null,
    loadMax: 10,
  };
  expect(playground?.state()).toBeNull();
  events.emit("message", { kind: "playground-state", state });
  expect(playground?.state()).toEqual(state);
});

test("a front end has a playground only when it was started as one", () => {
  expect(playgroundOf(channel().channel, {})).toBeUndefined();
  const { channel: alone } = channel();
  Object.assign(alone, { connected: false });
  expect(playgroundOf(alone, { [DIGEST_VARIABLE]: "digest" })).toBeUndefined();
});
