// Whole stories of a cluster, compared line by line with testdata/: what changes
// there changes the protocol. Record them anew with `vitest -u`, and read the
// difference before it is committed.

import { expect, test } from "vitest";
import { HEARTBEAT_MS, PROMISE_REST_MS } from "./limits.ts";
import { journal } from "./test-disk.ts";
import { Cluster } from "./test-support.ts";
import { Transcript } from "./test-transcript.ts";

/** 9094 leads, and all is quiet; its promises are old. */
function led(): Cluster {
  const cluster = new Cluster();
  cluster.elect(9094);
  cluster.run(PROMISE_REST_MS);
  return cluster;
}

test("the first election goes as recorded", async () => {
  const cluster = new Cluster();
  const transcript = new Transcript(cluster);
  cluster.step(9094, { kind: "lead" });
  cluster.deliver({ kind: "canvass" });
  cluster.deliver({ kind: "canvass-answer" });
  transcript.chapter("9094 is nominated and canvasses; nothing is stored but its own promise");
  cluster.persist(9094);
  cluster.deliver({ kind: "prepare" });
  cluster.persist(9090, 9092);
  transcript.chapter("its promise is durable, then it asks the others for theirs");
  cluster.deliver({ kind: "promise" });
  transcript.chapter("with a quorum of promises it appends its reign");
  cluster.settle();
  transcript.chapter("which a quorum holds: it leads");
  cluster.run(HEARTBEAT_MS);
  transcript.chapter("the followers learn of the commit with the next heartbeat");
  await expect(`${transcript}`).toMatchFileSnapshot("testdata/first-election.txt");
});

test("a trade is replicated as recorded", async () => {
  const cluster = led();
  const transcript = new Transcript(cluster);
  cluster.append(9094, "order 1", "order 2");
  transcript.chapter("the leader sends before its own write is durable");
  cluster.deliver({ kind: "append" });
  cluster.persist(9090, 9092);
  cluster.deliver({ kind: "ack", from: 9090 });
  transcript.chapter("a follower's acknowledgement isn't enough without the leader's own disk");
  cluster.persist(9094);
  transcript.chapter("committed");
  cluster.step(9094, { kind: "round", confirm: 1 });
  cluster.deliver({ kind: "ack" });
  cluster.deliver({ kind: "append", to: 9090 });
  cluster.deliver({ kind: "ack" });
  transcript.chapter("a read: the round that began after it is confirmed by a quorum");
  cluster.settle();
  transcript.chapter("the slower follower");
  await expect(`${transcript}`).toMatchFileSnapshot("testdata/trade-replicated.txt");
});

test("the leader's crash is survived as recorded", async () => {
  const cluster = led();
  const transcript = new Transcript(cluster);
  cluster.append(9094, "order 1");
  cluster.deliver({ kind: "append", to: 9090 });
  cluster.persist(9090);
  cluster.drop({ to: 9092 });
  cluster.crash(9094);
  cluster.wire = [];
  transcript.chapter("9094 dies; its last trade is on one disk of two");
  cluster.disconnect(9094);
  cluster.step(9092, { kind: "lead" });
  cluster.settle([9090, 9092]);
  transcript.chapter("9092 is nominated, and fetches what it lacks before it leads");
  cluster.run(HEARTBEAT_MS, [9090, 9092]);
  transcript.chapter("the next heartbeat");
  await expect(`${transcript}`).toMatchFileSnapshot("testdata/leader-crash.txt");
});

test("a returning replica catches up as recorded", async () => {
  const cluster = new Cluster({
    journals: {
      9090: journal(1, 1, 3, 3),
      9092: journal(1, 1, 3, 3),
      9094: journal(1, 1, 2, 2, 2),
    },
    promises: {
      9090: { epoch: 3, nominee: 9092 },
      9092: { epoch: 3, nominee: 9092 },
      9094: { epoch: 2, nominee: 9094 },
    },
    messageBytesMax: 120,
  });
  cluster.crash(9094);
  cluster.disconnect(9094);
  cluster.elect(9092, [9090, 9092]);
  cluster.run(HEARTBEAT_MS, [9090, 9092]);
  cluster.wire = [];
  const transcript = new Transcript(cluster);
  cluster.start(9094);
  transcript.chapter("9094 is back with a tail that nobody else has");
  cluster.settle();
  transcript.chapter("it is led back to where the journals part, and from there on");
  cluster.run(HEARTBEAT_MS);
  transcript.chapter("the next heartbeat");
  await expect(`${transcript}`).toMatchFileSnapshot("testdata/catch-up.txt");
});

test("a replacement is admitted as recorded", async () => {
  const cluster = led();
  cluster.append(9094, "order 1");
  cluster.settle();
  cluster.run(HEARTBEAT_MS);
  const transcript = new Transcript(cluster);
  cluster.replace(9090, 2);
  cluster.disconnect(9090);
  cluster.start(9090);
  transcript.chapter("9090 lost its disk and is back as incarnation 2");
  cluster.settle([9090, 9094]);
  transcript.chapter("it is caught up and its admission appended, which it can't help to commit");
  cluster.settle();
  transcript.chapter("9092 holds the admission, too: it is committed");
  cluster.run(HEARTBEAT_MS);
  transcript.chapter("9090 learns that, and votes from now on");
  await expect(`${transcript}`).toMatchFileSnapshot("testdata/replacement.txt");
});
