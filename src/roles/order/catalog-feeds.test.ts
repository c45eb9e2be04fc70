import { expect, test } from "vitest";
import { LeaderViews } from "../../core/coherence/leader-views.ts";
import {
  HOLD_AGAIN_MS,
  HOLD_WINDOW_MESSAGES_MAX,
  LEASE_MARGIN_MS,
  LEASE_MS,
} from "../../core/coherence/limits.ts";
import { CatalogFeeds } from "./catalog-feeds.ts";
import { FakeLog, FakePeer, silent } from "./test-support.ts";

/** A reign over `committed` entries that was won at 0; the catalogs' old leases are over. */
function feedsOf(committed: number) {
  const log = new FakeLog(9094);
  log.append(Array.from({ length: committed }, () => new Uint8Array([1])));
  log.commitThrough(committed);
  const clock = { nowMs: LEASE_MS + LEASE_MARGIN_MS };
  log.reign = { wonAt: 0, confirmedAt: clock.nowMs };
  const views = new LeaderViews({
    epoch: 1,
    reignPosition: committed,
    catalogs: ["catalog"],
    wonMs: 0,
  });
  let exposures = 0;
  const feeds = new CatalogFeeds({
    replica: 9094,
    epoch: 1,
    views,
    source: log,
    log: silent,
    nowMs: () => clock.nowMs,
    onExposed: () => exposures++,
  });
  feeds.committed(committed);
  /** Commits one more entry, as a turn does. */
  const commitOne = (): void => {
    log.commitThrough(log.append([new Uint8Array([1])]));
    feeds.committed(log.commit);
  };
  return { log, clock, views, feeds, commitOne, exposures: () => exposures };
}

function positions(call: { argument: unknown }): number[] {
  const { entries } = call.argument as { entries: { position: number }[] };
  return entries.map((entry) => entry.position);
}

/** The positions in each message not taken yet, but for those that only tell what is exposed. */
function sentTo(catalog: FakePeer): number[][] {
  return catalog.received
    .splice(0)
    .map(positions)
    .filter((sent) => sent.length > 0);
}

test("a catalog that was away reads on from where it stopped", () => {
  const { feeds } = feedsOf(5);
  const catalog = new FakePeer("catalog", "catalog");
  expect(feeds.follow(catalog, { received: 2, held: 0, epoch: 1, ask: 1 })).not.toBeNull();
  expect(sentTo(catalog).flat()).toEqual([3, 4, 5]);
});

test("a catalog that asks in another epoch than the leader's gets no lease", () => {
  const { feeds } = feedsOf(5);
  const catalog = new FakePeer("catalog", "catalog");
  expect(feeds.follow(catalog, { received: 5, held: 0, epoch: 0, ask: 1 })).toBeNull();
});

test("a leader that no quorum confirms any more grants nothing", () => {
  const { feeds, log, clock } = feedsOf(5);
  const catalog = new FakePeer("catalog", "catalog");
  clock.nowMs += LEASE_MS;
  expect(feeds.follow(catalog, { received: 5, held: 0, epoch: 1, ask: 1 })).toBeNull();
  log.reign = { wonAt: 0, confirmedAt: clock.nowMs };
  expect(feeds.follow(catalog, { received: 5, held: 0, epoch: 1, ask: 2 })?.ms).toBe(LEASE_MS);
});

test("several messages are on their way at once, but not without limit", () => {
  const { feeds, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 });
  sentTo(catalog);
  for (let index = 0; index < HOLD_WINDOW_MESSAGES_MAX + 3; index++) commitOne();
  expect(sentTo(catalog)).toHaveLength(HOLD_WINDOW_MESSAGES_MAX);
  feeds.held(catalog, { epoch: 1, received: 2, held: 2 });
  expect(sentTo(catalog)).toEqual([[66, 67, 68]]);
});

test("what a catalog doesn't answer is sent again, and not at once: that could be for ever", () => {
  const { feeds, clock, commitOne } = feedsOf(3);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 3, held: 0, epoch: 1, ask: 1 });
  commitOne();
  commitOne();
  sentTo(catalog);
  feeds.tick();
  expect(sentTo(catalog).flat()).toEqual([]);
  clock.nowMs += HOLD_AGAIN_MS;
  feeds.tick();
  expect(sentTo(catalog).flat()).toEqual([4, 5]);
});

test("a catalog that restarted, and has less than it had, gets what it lacks", () => {
  const { feeds } = feedsOf(5);
  const before = new FakePeer("catalog", "catalog");
  feeds.inherit(before, 5);
  const after = new FakePeer("catalog", "catalog");
  feeds.inherit(after, 3);
  expect(sentTo(after).flat()).toEqual([4, 5]);
  feeds.left(before); // closes late; the new connection stays
  feeds.tick();
  expect(after.received.length).toBeGreaterThan(0);
});

test("a leased catalog whose connection closed is waited for until its lease ends, once", () => {
  const { feeds, views, clock, commitOne, exposures } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 });
  feeds.left(catalog);
  const before = exposures();
  commitOne();
  clock.nowMs += LEASE_MS + LEASE_MARGIN_MS - 1;
  feeds.tick();
  expect([views.exposed, exposures()]).toEqual([1, before]);
  clock.nowMs += 1;
  feeds.tick();
  expect([views.exposed, exposures()]).toEqual([2, before + 1]);
  commitOne();
  expect(views.exposed).toBe(3);
});

test("answers of an earlier reign count for nothing", () => {
  const { feeds, views, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 });
  commitOne();
  feeds.held(catalog, { epoch: 0, received: 2, held: 2 });
  expect(views.exposed).toBe(1);
  feeds.held(catalog, { epoch: 1, received: 2, held: 2 });
  expect(views.exposed).toBe(2);
});

test("what a catalog said before it restarted passes for what it has now", () => {
  const { feeds, views, commitOne } = feedsOf(5);
  const before = new FakePeer("catalog", "catalog");
  feeds.follow(before, { received: 5, held: 0, epoch: 1, ask: 1 });
  commitOne();
  const after = new FakePeer("catalog", "catalog");
  feeds.inherit(after, 5);
  feeds.held(before, { epoch: 1, received: 6, held: 6 });
  expect(views.exposed).toBe(5);
  feeds.held(after, { epoch: 1, received: 6, held: 6 });
  expect(views.exposed).toBe(6);
});

test("a catalog that nobody reads is sent every turn by itself, for which nobody waits", () => {
  const { feeds, views, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: null });
  catalog.received.splice(0);
  commitOne();
  commitOne();
  expect(views.exposed).toBe(3);
  expect(catalog.received).toEqual([]);
  feeds.tick();
  expect(sentTo(catalog)).toEqual([[2, 3]]);
  commitOne();
  feeds.held(catalog, { epoch: 1, received: 3, held: 3 });
  expect(catalog.received).toEqual([]);
});

test("a catalog that is read again waits for the next beat before it may have a lease", () => {
  const { feeds, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: null });
  commitOne();
  expect(feeds.follow(catalog, { received: 1, held: 0, epoch: 1, ask: 1 })?.sent).toBe(2);
  expect(sentTo(catalog)).toEqual([[2]]);
});
