// The supervisor with made-up processes and time that moves only when told to.

import { expect, test } from "vitest";
import { CRASHES_MAX, ELECTION_MS, RESTART_AFTER_MS } from "./restart-policy.ts";
import {
  type Child,
  type ChildExit,
  type Clock,
  FRONTENDS_STOP_MS,
  STOP_LIMIT_MS,
  type SupervisedRole,
  Supervisor,
  type SupervisorEvent,
} from "./supervisor.ts";

class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on by `ms`, firing what is due, and lets promises settle. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.callback();
      await settled();
    }
    this.#now = end;
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

class FakeChild implements Child {
  readonly pid: number;
  readonly ready: Promise<void>;
  readonly exited: Promise<ChildExit>;
  readonly asked: string[] = [];
  serve: () => void = () => {};
  #exit: (exit: ChildExit) => void = () => {};
  /** Whether it ends when asked to stop. */
  obeys = true;

  constructor(pid: number) {
    this.pid = pid;
    this.ready = new Promise((resolve) => {
      this.serve = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  signal(signal: string): void {
    this.asked.push(signal);
  }

  end(exit: Partial<ChildExit> = {}): void {
    this.#exit({ code: 1, signal: null, lastWords: "", hopeless: null, ...exit });
  }

  stop(): void {
    this.asked.push("stop");
    if (this.obeys) this.end({ code: 0 });
  }

  kill(): void {
    this.asked.push("kill");
    this.end({ code: null, signal: "SIGKILL" });
  }
}

const ROLES: readonly SupervisedRole[] = [
  { name: "frontend", kind: "frontend" },
  { name: "catalog", kind: "catalog" },
  { name: "order-9090", kind: "order" },
  { name: "order-9092", kind: "order" },
];

function supervised(restart = true) {
  const clock = new FakeClock();
  const children = new Map<string, FakeChild[]>();
  const events: SupervisorEvent[] = [];
  let pid = 0;
  const supervisor = new Supervisor({
    roles: ROLES,
    clock,
    restart,
    report: (event) => events.push(event),
    spawn: (role) => {
      const child = new FakeChild(++pid);
      children.set(role.name, [...(children.get(role.name) ?? []), child]);
      return child;
    },
  });
  const spawned = (name: string) => children.get(name) ?? [];
  const newest = (name: string) => {
    const child = spawned(name).at(-1);
    if (!child) throw new Error(`${name} was not started`);
    return child;
  };
  /** Starts everything and lets it serve. */
  const open = async () => {
    supervisor.start();
    for (const name of ["catalog", "order-9090", "order-9092"]) newest(name).serve();
    await clock.pass(0);
    newest("frontend").serve();
    await clock.pass(0);
    events.length = 0;
  };
  return { supervisor, clock, events, spawned, newest, open };
}

test("all roles are started at once, and it is told when all front ends serve", async () => {
  const { supervisor, clock, spawned, newest, events } = supervised();
  supervisor.start();
  for (const { name } of ROLES) expect(spawned(name)).toHaveLength(1);
  for (const name of ["catalog", "order-9090", "order-9092"]) newest(name).serve();
  await clock.pass(0);
  expect(events).toEqual([]);
  newest("frontend").serve();
  await clock.pass(0);
  expect(events).toEqual([{ kind: "frontends-serve" }]);
});

test("a role that can't start for a misconfiguration is reported and not tried again", async () => {
  const { supervisor, clock, newest, spawned, events } = supervised();
  supervisor.start();
  newest("order-9092").end({ hopeless: "misconfigured", lastWords: "port 9092 is in use" });
  await clock.pass(RESTART_AFTER_MS);
  expect(events[0]).toMatchObject({
    kind: "ended",
    role: { name: "order-9092" },
    next: { kind: "start-failed" },
    exit: { lastWords: "port 9092 is in use" },
  });
  expect(spawned("order-9092").length).toBe(1);
});

test("a role that was killed is started again, and the others go on", async () => {
  const { open, clock, newest, spawned, events } = supervised();
  await open();
  newest("order-9092").end({ code: null, signal: "SIGKILL" });
  await clock.pass(ELECTION_MS);
  expect(spawned("order-9092").length).toBe(2);
  newest("order-9092").serve();
  await clock.pass(ELECTION_MS);
  expect(events).toMatchObject([
    { kind: "ended", next: { kind: "restart", afterMs: ELECTION_MS } },
    { kind: "serves-again" },
  ]);
  expect(spawned("order-9090").length + spawned("catalog").length).toBe(2);
});

test("a role that crashes as soon as it runs is started again only after a wait", async () => {
  const { open, clock, newest, spawned } = supervised();
  await open();
  for (let crash = 1; crash <= 2; crash++) {
    newest("order-9092").end();
    await clock.pass(ELECTION_MS);
    expect(spawned("order-9092").length).toBe(2);
  }
  await clock.pass(RESTART_AFTER_MS - ELECTION_MS - 1);
  expect(spawned("order-9092").length).toBe(2);
  await clock.pass(1);
  expect(spawned("order-9092").length).toBe(3);
});

test("a role that can't start again after it had served stays down, and the rest goes on", async () => {
  const { open, clock, newest, spawned, events } = supervised();
  await open();
  newest("catalog").end();
  await clock.pass(RESTART_AFTER_MS);
  newest("catalog").end({ hopeless: "misconfigured" });
  await clock.pass(10 * RESTART_AFTER_MS);
  expect(events.map((event) => event.kind === "ended" && event.next.kind)).toEqual([
    "restart",
    "cannot-start",
  ]);
  expect(spawned("catalog").length).toBe(2);
  expect(newest("order-9090").asked).toEqual([]);
});

test("a damaged file stops one replica at the first start, once, and the others go on", async () => {
  const { supervisor, clock, newest, spawned, events } = supervised();
  supervisor.start();
  newest("order-9092").end({ hopeless: "damaged", lastWords: "a bad checksum" });
  await clock.pass(10 * RESTART_AFTER_MS);
  expect(events).toMatchObject([{ kind: "ended", next: { kind: "cannot-start" } }]);
  expect(spawned("order-9092").length).toBe(1);
  expect(spawned("frontend").length).toBe(1);
});

test.each([true, false])(
  "that no role is left is reported once, and only when none will be started again (restart: %s)",
  async (restart) => {
    const { open, clock, newest, events } = supervised(restart);
    await open();
    const names = ROLES.map((role) => role.name);
    const isTold = () => events.some(({ kind }) => kind === "none-left");
    for (const name of names.slice(1)) newest(name).end({ hopeless: "misconfigured" });
    await clock.pass(0);
    expect(isTold()).toBe(false);
    newest("frontend").end();
    await clock.pass(0);
    expect(isTold()).toBe(!restart);
    await clock.pass(RESTART_AFTER_MS);
    if (restart) newest("frontend").end({ hopeless: "misconfigured" });
    await clock.pass(10 * RESTART_AFTER_MS);
    expect(events.filter(({ kind }) => kind === "none-left")).toHaveLength(1);
    expect(events.at(-1)).toEqual({ kind: "none-left" });
  },
);

test("a role that stopped by itself without an error is started again", async () => {
  const { open, clock, newest, spawned } = supervised();
  await open();
  newest("frontend").end({ code: 0 });
  await clock.pass(RESTART_AFTER_MS);
  expect(spawned("frontend").length).toBe(2);
});

test("a role that crashes again and again is given up with its reason", async () => {
  const { open, clock, newest, spawned, events } = supervised();
  await open();
  for (let crash = 0; crash < CRASHES_MAX; crash++) {
    newest("order-9090").end({ lastWords: "a checksum is wrong" });
    await clock.pass(RESTART_AFTER_MS);
  }
  await clock.pass(10 * RESTART_AFTER_MS);
  expect(spawned("order-9090").length).toBe(CRASHES_MAX);
  expect(events.at(-1)).toMatchObject({
    next: { kind: "given-up" },
    exit: { lastWords: "a checksum is wrong" },
  });
});

test("with --no-restart a killed role stays down", async () => {
  const { open, clock, newest, spawned, events, supervisor } = supervised(false);
  await open();
  newest("order-9092").end({ code: null, signal: "SIGKILL" });
  await clock.pass(10 * RESTART_AFTER_MS);
  expect(spawned("order-9092").length).toBe(1);
  expect(events).toMatchObject([{ kind: "ended", next: { kind: "stays-down" } }]);
  expect(supervisor.pids().get("order-9092")).toBeNull();
  expect(supervisor.pids().get("order-9090")).toBe(newest("order-9090").pid);
});

test("front ends are stopped first, and replicas and catalogs once those have ended", async () => {
  const { open, clock, newest, supervisor } = supervised();
  await open();
  newest("frontend").obeys = false;
  const stopped = supervisor.stop();
  await clock.pass(FRONTENDS_STOP_MS - 1);
  expect(newest("frontend").asked).toEqual(["stop"]);
  expect(newest("order-9090").asked).toEqual([]);
  newest("frontend").end({ code: 0 });
  await clock.pass(0);
  expect(newest("order-9090").asked).toEqual(["stop"]);
  expect(newest("catalog").asked).toEqual(["stop"]);
  await stopped;
});

test("a child that doesn't stop is killed at the limit", async () => {
  const { open, clock, newest, supervisor } = supervised();
  await open();
  newest("frontend").obeys = false;
  newest("order-9090").obeys = false;
  let isStopped = false;
  void supervisor.stop().then(() => {
    isStopped = true;
  });
  await clock.pass(STOP_LIMIT_MS - 1);
  expect(newest("order-9090").asked).toEqual(["stop"]);
  expect(isStopped).toBe(false);
  await clock.pass(1);
  expect(newest("frontend").asked).toEqual(["stop", "kill"]);
  expect(newest("order-9090").asked).toEqual(["stop", "kill"]);
  expect(isStopped).toBe(true);
});

test("nothing is started again during the stop", async () => {
  const { open, clock, newest, spawned, supervisor, events } = supervised();
  await open();
  for (let crash = 0; crash < 2; crash++) {
    newest("order-9090").end();
    await clock.pass(RESTART_AFTER_MS / 2);
  }
  await supervisor.stop();
  await clock.pass(RESTART_AFTER_MS);
  expect(spawned("order-9090").length).toBe(2);
  expect(events.length).toBe(2);
});

test("a second signal kills the children at once", async () => {
  const { open, newest, supervisor } = supervised();
  await open();
  for (const name of ROLES.map((role) => role.name)) newest(name).obeys = false;
  void supervisor.stop();
  await supervisor.kill();
  for (const name of ROLES.map((role) => role.name)) {
    expect(newest(name).asked).toContain("kill");
  }
});

test("a role that was killed from the playground stays down until it is started, and is watched again from then on", async () => {
  const { supervisor, open, newest, spawned, clock } = supervised();
  await open();
  expect(supervisor.play("kill", "order-9090")).toBe(true);
  await clock.pass(10 * RESTART_AFTER_MS);
  expect(spawned("order-9090")).toHaveLength(1);
  expect(supervisor.standings()["order-9090"]).toBe("down");
  expect(supervisor.play("kill", "order-9090")).toBe(false);
  expect(supervisor.play("start", "order-9090")).toBe(true);
  expect(supervisor.play("start", "order-9090")).toBe(false);
  expect(spawned("order-9090")).toHaveLength(2);
  newest("order-9090").end(); // a crash, this time
  await clock.pass(RESTART_AFTER_MS);
  expect(spawned("order-9090")).toHaveLength(3);
});

test("a front end that was killed from its own page is started again", async () => {
  const { supervisor, open, spawned, clock } = supervised();
  await open();
  supervisor.play("kill", "frontend");
  await clock.pass(RESTART_AFTER_MS);
  expect(spawned("frontend")).toHaveLength(2);
});

test("a paused role can be resumed, and is resumed to be stopped", async () => {
  const { supervisor, open, newest, clock } = supervised();
  await open();
  supervisor.play("pause", "order-9090");
  expect(supervisor.standings()["order-9090"]).toBe("paused");
  supervisor.play("resume", "order-9090");
  expect(supervisor.standings()["order-9090"]).toBe("running");
  supervisor.play("pause", "order-9092");
  const stopped = supervisor.stop();
  await clock.pass(0);
  await stopped;
  expect(newest("order-9090").asked).toEqual(["SIGSTOP", "SIGCONT", "stop"]);
  expect(newest("order-9092").asked).toEqual(["SIGSTOP", "SIGCONT", "stop"]);
  expect(supervisor.play("start", "order-9092")).toBe(false);
});
