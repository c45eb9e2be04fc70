import { expect, test } from "vitest";
import { type ClusterSources, type KnownReplica, WatchedCluster } from "./events-cluster.ts";
import { BEAT_SILENT_MS } from "./events-limits.ts";

function cluster() {
  const world = {
    leader: 9094 as number | null,
    replicas: [beat(9090, 9094, 10), beat(9092, 9094, 12), beat(9094, 9094, 12)],
    lease: null as { catalog: string; ms: number } | null,
  };
  const frontends = [true, false].map((self) => ({
    role: self ? "frontend" : "frontend-2",
    port: 1,
    self,
    standing: "up" as const,
    leasedBy: "catalog",
  }));
  const sources: ClusterSources = {
    leader: () => world.leader,
    ready: () => world.leader !== null,
    replicas: () => world.replicas,
    catalogs: () => [],
    frontends: () => frontends,
    lease: () => world.lease,
    playground: () => null,
    quorum: 2,
    roleOf: (id) => `order-${id}`,
  };
  return { world, watched: new WatchedCluster(sources) };
}

/** A replica that has just beaten. */
function beat(id: number, leader: number, last: number, epoch = 1): KnownReplica {
  const health = {
    replica: id,
    leads: id === leader,
    leader,
    epoch,
    lastPosition: last,
    commitPosition: last,
  };
  return { id, connected: true, health, heardAtMs: 0 };
}

const down = (id: number): KnownReplica => ({
  id,
  connected: false,
  health: null,
  heardAtMs: 0,
});

test("each replica is shown with its standing, and how far it is behind", () => {
  const { watched } = cluster();
  expect(watched.look(0, 0).replicas).toMatchObject([
    { role: "order-9090", standing: "follows", behind: 2, last: 10 },
    { role: "order-9092", standing: "follows", behind: 0 },
    { role: "order-9094", standing: "leads", behind: 0 },
  ]);
});

test("a replica that is paused is shown as silent, though its connection is open", () => {
  const { world, watched } = cluster();
  watched.look(0, 0);
  world.replicas = [world.replicas[0] ?? down(9090), beat(9092, 9094, 13), beat(9094, 9094, 13)];
  const { replicas } = watched.look(BEAT_SILENT_MS + 1, 1);
  expect(replicas.map(({ standing }) => standing)).toEqual(["silent", "follows", "leads"]);
  expect(watched.take()).toEqual([{ kind: "silent", at: 1, role: "order-9090" }]);
});

test("a fail-over between two looks is told, with how long nobody led", () => {
  const { world, watched } = cluster();
  watched.led(9094, 0, 1_000);
  watched.look(0, 1_000);
  expect(watched.take()).toEqual([
    { kind: "leads", at: 1_000, role: "order-9094", epoch: 1, afterMs: null },
  ]);
  world.leader = null;
  world.replicas = [beat(9090, 9094, 12), beat(9092, 9094, 12), down(9094)];
  watched.led(null, 100, 1_100);
  world.leader = 9092;
  world.replicas = [beat(9090, 9092, 12, 2), beat(9092, 9092, 12, 2), down(9094)];
  watched.led(9092, 138, 1_138);
  watched.look(250, 1_250);
  expect(watched.take()).toEqual([
    { kind: "no-leader", at: 1_100, role: "order-9094" },
    { kind: "leads", at: 1_138, role: "order-9092", epoch: 2, afterMs: 38 },
    { kind: "down", at: 1_250, role: "order-9094" },
  ]);
  world.replicas = [...world.replicas.slice(0, 2), beat(9094, 9092, 3, 2)];
  const { replicas } = watched.look(300, 1_300);
  expect(replicas[2]).toMatchObject({ standing: "follows", behind: 9 });
  expect(watched.take()).toEqual([{ kind: "back", at: 1_300, role: "order-9094" }]);
});

test("without a leader counts from the last sign of one that fell silent on an open connection", () => {
  const { world, watched } = cluster();
  watched.led(9094, 0, 1_000);
  world.replicas = world.replicas.map((replica) => ({ ...replica, heardAtMs: 2_000 }));
  watched.led(null, 2_500, 3_500);
  world.replicas = [beat(9090, 9092, 12, 2), beat(9092, 9092, 12, 2), down(9094)];
  watched.led(9092, 2_576, 3_576);
  watched.look(2_600, 3_600);
  expect(watched.take().at(-1)).toMatchObject({ kind: "leads", role: "order-9092", afterMs: 576 });
});

test("a leader that is found again in the same reign is told as leading still", () => {
  const { world, watched } = cluster();
  watched.led(9094, 0, 1_000);
  world.replicas = world.replicas.map((replica) => ({ ...replica, heardAtMs: 100 }));
  watched.led(null, 600, 1_600);
  watched.led(9094, 700, 1_700);
  expect(watched.take().map(({ kind }) => kind)).toEqual(["leads", "no-leader", "still-leads"]);
  world.replicas = [beat(9090, 9094, 12, 2), beat(9092, 9094, 12, 2), beat(9094, 9094, 12, 2)];
  watched.led(9094, 800, 1_800);
  expect(watched.take()).toMatchObject([{ kind: "leads", epoch: 2 }]);
});

test("a lease that this front end lost is shown as long as its catalog tells of it", () => {
  const { world, watched } = cluster();
  const leased = () => watched.look(0, 0).frontends.map(({ leasedBy }) => leasedBy);
  expect(leased()).toEqual([null, "catalog"]);
  world.lease = { catalog: "catalog-2", ms: 300 };
  expect(leased()).toEqual(["catalog-2", "catalog"]);
});

test("while no leader is known, no replica is shown as following", () => {
  const { world, watched } = cluster();
  world.leader = null;
  expect(watched.look(0, 0).replicas.map(({ standing }) => standing)).toEqual([
    "apart",
    "apart",
    "apart",
  ]);
});

test("what changed while nobody watched isn't told as if it happened now", () => {
  const { world, watched } = cluster();
  watched.look(0, 0);
  watched.rest();
  world.replicas = [down(9090), beat(9092, 9094, 1), beat(9094, 9094, 1)];
  watched.look(9_000, 9_000);
  expect(watched.take()).toEqual([]);
});
