import { expect, test } from "vitest";
import { Exposure } from "../../core/coherence/exposure.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { CatalogFeeds } from "./catalog-feeds.ts";
import { FEED_CALLS_MAX } from "./limits.ts";
import { FakeLog, FakePeer, silent, turns } from "./test-support.ts";

function feedsOf(committed: number) {
  const log = new FakeLog(9094);
  log.append(Array.from({ length: committed }, () => new Uint8Array([1])));
  log.commitThrough(committed);
  const exposure = new Exposure();
  const clock = { nowMs: 0 };
  exposure.committed(committed, 0);
  const broken: unknown[] = [];
  const feeds = new CatalogFeeds({
    replica: 9094,
    epoch: 1,
    exposure,
    source: log,
    log: silent,
    nowMs: () => clock.nowMs,
    onExposed: () => {},
    onBroken: (reason) => broken.push(reason),
  });
  /** Commits one more entry, as a turn does. */
  const commitOne = (): void => {
    log.commitThrough(log.append([new Uint8Array([1])]));
    exposure.committed(log.commit, clock.nowMs);
    feeds.flush();
  };
  return { log, exposure, clock, feeds, broken, commitOne };
}

function positions(call: { argument: unknown }): number[] {
  const { entries } = call.argument as { entries: { position: number }[] };
  return entries.map((entry) => entry.position);
}

test("a catalog that was away reads on from where it stopped", async () => {
  const { feeds, exposure } = feedsOf(5);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 2);
  expect(positions(catalog.take())).toEqual([3, 4, 5]);
  expect(exposure.exposed).toBe(5); // it is behind: nobody waits for it
});

test("several batches are on their way at once, but not without limit", async () => {
  const { feeds, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 1);
  for (let index = 0; index < FEED_CALLS_MAX + 3; index++) commitOne();
  expect(catalog.received).toHaveLength(FEED_CALLS_MAX);
  const first = catalog.take();
  first.answer({ applied: 2 });
  await turns();
  expect(catalog.received).toHaveLength(FEED_CALLS_MAX);
  expect(positions(catalog.received.at(-1) ?? first)).toEqual([18, 19, 20]);
});

test("a catalog that misses an entry gets it, and doesn't skip it for ever", async () => {
  const { feeds, commitOne } = feedsOf(3);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 3);
  commitOne();
  commitOne();
  const [fourth, fifth] = [catalog.take(), catalog.take()];
  fourth.answer({ applied: 1 }); // it fell back: its file was an older one
  await turns();
  expect(catalog.received).toHaveLength(0); // not at once: that could be for ever
  feeds.tick();
  expect(positions(catalog.take())).toEqual([2, 3, 4, 5]);
  fifth.answer({ applied: 1 }); // of the earlier run
  await turns();
  expect(catalog.received).toHaveLength(0);
});

test("a new leader asks inherited catalogs where they stand instead of sending it all again", async () => {
  const { feeds, exposure } = feedsOf(1_000);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, null);
  const probe = catalog.take();
  expect(positions(probe)).toEqual([]);
  feeds.flush();
  expect(catalog.received).toHaveLength(0);
  probe.answer({ applied: 998 });
  await turns();
  const rest = catalog.take();
  expect(positions(rest)).toEqual([999, 1_000]);
  rest.answer({ applied: 1_000 });
  await turns();
  expect(exposure.exposed).toBe(1_000);
});

test("a catalog whose connection closed holds up nobody", async () => {
  const { feeds, exposure, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 1);
  commitOne();
  expect(exposure.exposed).toBe(1);
  catalog.close();
  catalog.take().fail(new RpcError("closed", "gone"));
  await turns();
  expect(exposure.exposed).toBe(2);
});

test("an idle catalog whose connection closed is noticed at the next beat", () => {
  const { feeds, exposure, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 1);
  catalog.close();
  feeds.tick();
  commitOne();
  expect(exposure.exposed).toBe(2);
  expect(catalog.received).toHaveLength(0);
});

test("after a call of unknown fate a catalog is asked where it stands", async () => {
  const { feeds, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 1);
  commitOne();
  catalog.take().fail(new RpcError("timeout", "no answer"));
  await turns();
  feeds.tick();
  const probe = catalog.take();
  expect(positions(probe)).toEqual([]);
  probe.answer({ applied: 2 });
  await turns();
  commitOne();
  expect(positions(catalog.take())).toEqual([3]);
});

test("answers that come after the reign change nothing", async () => {
  const { feeds, exposure, commitOne } = feedsOf(1);
  const catalog = new FakePeer("catalog", "catalog");
  feeds.follow(catalog, 1);
  commitOne();
  feeds.close();
  catalog.take().answer({ applied: 2 });
  await turns();
  expect(exposure.exposed).toBe(1);
});
