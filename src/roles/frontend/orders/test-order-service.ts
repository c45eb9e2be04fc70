// Order replicas for tests of the front end: real listeners, scripted answers.

import pino, { type Logger } from "pino";
import { listen } from "../../../io/rpc/listen.ts";
import { TEST_CLUSTER } from "../../../io/rpc/testing.ts";
import type { Calls, Listener, Peer } from "../../../io/rpc/types.ts";
import {
  type Answer,
  type AskResult,
  frontendContract,
  type Health,
  type NominateResult,
  orderContract,
  type Question,
} from "../../contract.ts";

export const SECRET = "a-secret-of-these-tests-only";
const BEAT_MS = 20;

const { ask, health, nominate, notifyLeader } = orderContract;
const served = { ask, health, nominate, notifyLeader };
const beatContract = { beat: frontendContract.beat };

export const accepted = (number: number): Answer => ({
  kind: "outcome",
  outcome: { kind: "accepted", number },
});

export const refused: Answer = {
  kind: "outcome",
  outcome: { kind: "refused", refusal: { kind: "insufficient-volume", name: "FishCo" } },
};

export function trade(requestId: string, recordRefusal = false, name = "FishCo"): Question {
  const content = { kind: "trade", name, type: "sell", quantity: 1 } as const;
  return { kind: "request", requestId, content, recordRefusal };
}

/** Keeps the lines that are logged. */
export function logInto(lines: string[]): Logger {
  const write = (line: string) => lines.push(JSON.parse(line).msg);
  return pino({ level: "debug", base: null }, { write });
}

const NO_KEYS: AskResult = {
  kind: "answers",
  answers: [{ kind: "keys", version: 0, keys: [] }],
};

/** A replica that says and does what the test wants. */
export class ScriptedReplica {
  /** Its port. */
  id = 0;
  /** The questions of each call. */
  readonly asked: (readonly Question[])[] = [];
  /** Whether each call said that another replica relays it. */
  readonly relayed: boolean[] = [];
  readonly notified: number[] = [];
  nominations = 0;
  /** Says nothing any more, though its connections stay open: a stopped process. */
  paused = false;
  /** How it answers; by default it accepts everything as order 1. */
  onAsk: (questions: readonly Question[]) => AskResult = (questions) => ({
    kind: "answers",
    answers: questions.map(() => accepted(1)),
  });
  /** How a nomination ends; by default it wins the next epoch. */
  onNominate: () => NominateResult = () => {
    this.lead(this.#health.epoch + 1);
    return { kind: "leading", epoch: this.#health.epoch };
  };

  readonly #peers = new Map<Peer, Calls<typeof beatContract>>();
  #listener: Listener | null = null;
  #timer: NodeJS.Timeout | null = null;
  #health: Health = {
    replica: 0,
    leads: false,
    leader: null,
    epoch: 0,
    lastPosition: 0,
    commitPosition: 0,
  };

  static async open(): Promise<ScriptedReplica> {
    const replica = new ScriptedReplica();
    replica.#listener = await listen({
      host: "127.0.0.1",
      port: 0,
      credentials: { secret: SECRET, certificates: null },
      identity: {
        role: "order",
        get name() {
          return replica.address.name;
        },
        cluster: TEST_CLUSTER,
      },
      contract: served,
      handlers: {
        ask: ({ questions, relayed }) => {
          // What every front end asks all the time.
          if (questions[0]?.kind === "keys") return replica.#unlessPaused(() => NO_KEYS);
          replica.asked.push(questions);
          replica.relayed.push(relayed);
          return replica.#unlessPaused(() => replica.onAsk(questions));
        },
        health: () => replica.#unlessPaused(() => replica.#health),
        nominate: () => {
          replica.nominations += 1;
          return replica.#unlessPaused(() => replica.onNominate());
        },
        notifyLeader: ({ leader }) => {
          replica.notified.push(leader);
          return {};
        },
      },
      log: pino({ level: "silent" }),
      onOpen: (peer) => replica.#peers.set(peer, peer.calls(beatContract)),
      onClose: (peer) => replica.#peers.delete(peer),
    });
    replica.id = replica.#listener.port;
    replica.#timer = setInterval(() => replica.beat(), BEAT_MS);
    replica.say({ replica: replica.id });
    return replica;
  }

  get address() {
    return { id: this.id, name: `order-${this.id}`, host: "127.0.0.1", port: this.id };
  }

  lead(epoch: number): void {
    this.say({ leads: true, leader: this.id, epoch });
  }

  follow(leader: number | null, epoch: number): void {
    this.say({ leads: false, leader, epoch });
  }

  say(but: Partial<Health>): void {
    this.#health = { ...this.#health, ...but };
    this.beat();
  }

  beat(): void {
    if (this.paused) return;
    for (const calls of this.#peers.values()) calls.beat(this.#health);
  }

  /** Dies: its port and its connections close at once. */
  async kill(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#listener?.close();
  }

  #unlessPaused<T>(answer: () => T): T | Promise<T> {
    return this.paused ? new Promise(() => {}) : answer();
  }
}
