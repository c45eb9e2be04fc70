// A front end as a process: the real leader selection, retries under one request
// id until the client's deadline, and lookups by copy, catalog or leader.

import { LEASE_ASK_MS } from "../src/core/coherence/limits.ts";
import type { Request } from "../src/core/market/types.ts";
import { Selection } from "../src/core/selection/selection.ts";
import type { SelectionEffect, SelectionEvent } from "../src/core/selection/types.ts";
import type { Answer, Question, SimulatedMessage } from "./messages.ts";
import { Process } from "./process.ts";
import { StockViews } from "./stock-views.ts";

const ATTEMPT_MS = 1_000;
const RETRY_MS = 10;
const DEADLINE_MS = 10_000;
const HEALTH_MS = 500;
const NOMINATE_MS = 5_000;
const TICK_MS = 25;

interface Call {
  readonly question: Question;
  readonly done: (answer: Answer | null) => void;
  /** Asked of the leader, again whenever that changes. */
  readonly toLeader: boolean;
  attempts: number;
  /** The call id of the newest attempt; older answers still count. */
  settled: boolean;
}

export class FrontendNode extends Process {
  #selection: Selection | null = null;
  #stocks: StockViews | null = null;
  #nextCall = 0;
  #asked = new Map<number, Call>();
  #pending = new Set<Call>();
  #expected = new Map<number, (message: SimulatedMessage) => void>();

  protected override started(): void {
    this.#selection = new Selection({
      replicas: this.world.replicaIds,
      random: () => this.world.random.next(),
      startWaitMs: 200,
    });
    this.#asked = new Map();
    this.#pending = new Set();
    this.#expected = new Map();
    this.#stocks = new StockViews({
      world: this.world,
      clock: () => this.clock(),
      after: (ms, run) => this.after(ms, run),
      send: (to, message) => this.send(to, message),
      askLeader: (question, done) => this.#askLeader(question, done),
    });
    this.every(TICK_MS, () => this.#step({ kind: "tick" }));
    this.every(LEASE_ASK_MS, () => this.#stocks?.askLease());
  }

  protected override stopped(): void {
    this.#selection = null;
    this.#stocks = null;
    // The clients' connections close: they don't know their calls' fate.
    for (const call of this.#pending) this.#settle(call, null);
  }

  switchCatalog(): void {
    this.#stocks?.switchCatalog();
  }

  get holdsLease(): boolean {
    return this.#stocks?.holdsLease ?? false;
  }

  /** Asks for a client; null when the fate is unknown at its deadline. */
  ask(question: Question, done: (answer: Answer | null) => void): void {
    if (question.kind === "lookup" || question.kind === "list") {
      // If this process dies, its client is told nothing: as with any call here.
      const call: Call = { question, done, toLeader: false, attempts: 0, settled: false };
      this.#pending.add(call);
      this.after(DEADLINE_MS, () => this.#settle(call, null));
      this.#stocks?.ask(question, (answer) => this.#settle(call, answer));
    } else this.#askLeader(question, done);
  }

  #askLeader(question: Question, done: (answer: Answer | null) => void): void {
    const call: Call = { question, done, toLeader: true, attempts: 0, settled: false };
    this.#pending.add(call);
    this.after(DEADLINE_MS, () => this.#settle(call, null));
    this.#attempt(call);
  }

  #settle(call: Call, answer: Answer | null): void {
    if (call.settled) return;
    call.settled = true;
    this.#pending.delete(call);
    call.done(answer);
  }

  #attempt(call: Call): void {
    if (call.settled) return;
    const leader = this.#selection?.leader ?? null;
    if (leader === null) return; // asked again when there is one
    call.attempts += 1;
    const id = this.#call();
    this.#asked.set(id, call);
    this.send(`order-${leader}`, { kind: "ask", call: id, question: this.#questionOf(call) });
    const attempts = call.attempts;
    this.after(ATTEMPT_MS, () => {
      this.#asked.delete(id);
      if (call.attempts === attempts) this.#attempt(call);
    });
  }

  /** From the second attempt on, a refusal must be recorded: the first may still be on its way. */
  #questionOf({ question, attempts }: Call): Question {
    if (question.kind !== "request" || attempts === 1) return question;
    const request: Request = { ...question.request, recordRefusal: true };
    return { kind: "request", request };
  }

  #call(): number {
    this.#nextCall += 1;
    return this.#nextCall;
  }

  protected override received(from: string, message: SimulatedMessage): void {
    if (message.kind === "beat") {
      this.#step({ kind: "beat", health: message.health });
    } else if (message.kind === "asked") {
      const call = this.#asked.get(message.call);
      if (!call) return;
      this.#asked.delete(message.call);
      if (message.result.kind === "answer") this.#settle(call, message.result.answer);
      else this.after(RETRY_MS, () => this.#attempt(call));
    } else if (message.kind === "healthy" || message.kind === "nominated") {
      this.#expected.get(message.call)?.(message);
    } else if (message.kind === "leased" || message.kind === "hold" || message.kind === "looked") {
      this.#stocks?.received(from, message);
    } else throw new Error(`${this.name} got a ${message.kind} from ${from}`);
  }

  protected override connectionChanged(peer: string, isOpen: boolean): void {
    if (peer.startsWith("catalog")) this.#stocks?.connection(peer, isOpen);
    const replica = Number(peer.replace("order-", ""));
    if (this.world.replicaIds.includes(replica)) {
      this.#step({ kind: isOpen ? "connected" : "disconnected", replica });
    }
  }

  #step(event: SelectionEvent): void {
    for (const effect of this.#selection?.step(this.clock(), event) ?? []) this.#carryOut(effect);
  }

  #carryOut(effect: SelectionEffect): void {
    switch (effect.kind) {
      case "ask-health":
        this.#expect(effect.replica, "health", HEALTH_MS, (message) =>
          this.#step({
            kind: "health-answer",
            replica: effect.replica,
            health: message?.kind === "healthy" ? message.health : null,
          }),
        );
        break;
      case "nominate":
        this.world.counters.add("nominations");
        this.#expect(effect.replica, "nominate", NOMINATE_MS, (message) =>
          this.#step({
            kind: "nominate-answer",
            replica: effect.replica,
            result: message?.kind === "nominated" ? message.result : null,
          }),
        );
        break;
      case "leader-changed":
        if (effect.leader !== null)
          for (const call of this.#pending) if (call.toLeader) this.#attempt(call);
        break;
      case "notify":
      case "log":
        break;
    }
  }

  #expect(
    replica: number,
    kind: "health" | "nominate",
    limitMs: number,
    then: (message: SimulatedMessage | null) => void,
  ): void {
    const call = this.#call();
    const settle = (message: SimulatedMessage | null): void => {
      if (this.#expected.delete(call)) then(message);
    };
    this.#expected.set(call, settle);
    this.after(limitMs, () => settle(null));
    this.send(`order-${replica}`, { kind, call });
  }
}
