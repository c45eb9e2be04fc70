// The order role of one replica, as far as orders go: decides what is asked of
// the leader, and answers once that is exposed and its reign confirmed.

import { decodeCommands, encodeCommands } from "../src/core/market/codec.ts";
import { decide } from "../src/core/market/decide.ts";
import { MarketState } from "../src/core/market/state.ts";
import type { Command } from "../src/core/market/types.ts";
import type { Entry } from "../src/core/replication/types.ts";
import type { Answer, AskResult, Question } from "./messages.ts";

export interface Asked {
  readonly question: Question;
  readonly reply: (result: AskResult) => void;
}

interface Waiting {
  readonly position: number;
  /** Null: its own entry being committed proves the reign. */
  readonly token: number | null;
  readonly answer: Answer;
  readonly reply: (result: AskResult) => void;
}

/** What the desk needs of the log it decides for. */
export interface DeskLog {
  lastPosition(): number;
  append(commands: readonly Uint8Array[]): void;
  /** Begins a round; the token names its confirmation. */
  round(confirm: boolean): number | null;
  committedEntries(): readonly Entry[];
}

export class Desk {
  readonly #log: DeskLog;
  #market: MarketState;
  /** Through where #market has applied the journal. */
  #statePosition = 0;
  /** Up to here clients may see. */
  #exposed = 0;
  #confirmed = new Set<number>();
  #waiting: Waiting[] = [];

  constructor(log: DeskLog) {
    this.#log = log;
    this.#market = this.#rebuilt(log.committedEntries());
  }

  #rebuilt(entries: readonly Entry[]): MarketState {
    const market = new MarketState({
      stocks: [],
      lastNumber: 0,
      older: { request: () => undefined },
    });
    this.#market = market;
    this.#statePosition = 0;
    this.#exposed = 0;
    this.committed(entries);
    return market;
  }

  committed(entries: readonly Entry[]): void {
    for (const { position, body } of entries) {
      if (position <= this.#statePosition) continue;
      this.#statePosition = position;
      if (body.kind === "command") this.#market.apply(position, decodeCommands(body.bytes));
    }
  }

  exposed(position: number): void {
    this.#exposed = position;
    this.#settle();
  }

  confirmed(token: number, leads: boolean): void {
    if (leads) this.#confirmed.add(token);
    else this.#drop((waiting) => waiting.token === token);
    this.#settle();
    this.#confirmed.delete(token);
    // What is confirmed and not yet exposed waits for its entry only.
    if (leads) {
      this.#waiting = this.#waiting.map((waiting) =>
        waiting.token === token ? { ...waiting, token: null } : waiting,
      );
    }
  }

  deposed(): void {
    this.#drop(() => true);
    this.#rebuilt(this.#log.committedEntries());
  }

  /** One turn: everything asked is decided in order, and shares one entry and one round. */
  turn(asked: readonly Asked[]): void {
    const commands: Command[] = [];
    const decided: { answer: Answer; reply: Waiting["reply"]; proven: boolean }[] = [];
    const before = this.#log.lastPosition();
    const changes = asked.filter(({ question }) => question.kind === "request");
    for (const { question, reply } of changes) {
      if (question.kind !== "request") continue;
      const { outcome, command } = decide(this.#market, question.request);
      if (command) {
        this.#market.apply(before + 1, [command]);
        commands.push(command);
      }
      decided.push({
        answer: { kind: "outcome", outcome, position: before },
        reply,
        proven: command !== null,
      });
    }
    if (commands.length > 0) this.#log.append([encodeCommands(commands)]);
    const position = this.#log.lastPosition();
    this.#statePosition = position;
    for (const { question, reply } of asked) {
      if (question.kind !== "request") {
        decided.push({ answer: this.#read(question, position), reply, proven: false });
      }
    }
    const token = this.#log.round(decided.some(({ proven }) => !proven));
    for (const { answer, reply, proven } of decided) {
      this.#waiting.push({
        position,
        token: proven ? null : token,
        answer: { ...answer, position },
        reply,
      });
    }
    this.#settle();
  }

  #read(question: Exclude<Question, { kind: "request" }>, position: number): Answer {
    if (question.kind === "order") {
      const order = this.#market.order(question.number);
      return { kind: "order", requestId: order?.requestId ?? null, position };
    }
    if (question.kind === "list")
      return { kind: "stocks", stocks: this.#market.stocks(), position };
    return { kind: "stock", stock: this.#market.stock(question.name) ?? null, position };
  }

  #settle(): void {
    const settled = this.#waiting.filter((waiting) => this.#isDue(waiting));
    if (settled.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !this.#isDue(waiting));
    for (const { answer, reply } of settled) reply({ kind: "answer", answer });
  }

  #isDue({ position, token }: Waiting): boolean {
    return position <= this.#exposed && (token === null || this.#confirmed.has(token));
  }

  #drop(which: (waiting: Waiting) => boolean): void {
    const dropped = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !which(waiting));
    for (const { reply } of dropped) reply({ kind: "unknown" });
  }
}
