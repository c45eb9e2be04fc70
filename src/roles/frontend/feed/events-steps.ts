// GET /steps: what the processes said to each other, gathered from all of them,
// for a page that shows it in slow motion. Everybody is asked only while somebody
// asks here, and records only while asked; see roles/steps.ts.

import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Peer } from "../../../io/rpc/types.ts";
import { orderContract } from "../../contract.ts";
import type { Step, StepRecorder } from "../../steps.ts";
import { badRequest, send } from "../http/http-answer.ts";
import { STEPS_GATHER_MS, STEPS_GATHERED_MAX, STEPS_LIMIT_MS } from "./events-limits.ts";

const stepsContract = { steps: orderContract.steps } as const;

/** The answer to GET /steps. */
export interface GatheredSteps {
  /** By who recorded them, each in its order. */
  readonly steps: readonly Step[];
  /** The `after` of the next question. */
  readonly next: number;
  /** Whether steps are missing that were recorded since `after`, or too many to be kept. */
  readonly isTorn: boolean;
  /** Who records: front ends but this one don't, and what they said is seen at its other end. */
  readonly recording: readonly string[];
}

/** One process that records: this one, or one at the other end of a connection. */
interface Source {
  readonly name: string;
  readonly peer: () => Peer | null;
}

export class GatheredStepsFeed {
  readonly #own: StepRecorder;
  readonly #ownName: string;
  readonly #sources: readonly Source[];
  readonly #nowMs: () => number;
  /** Where each source is to go on. */
  readonly #after = new Map<string, { link: string; after: number }>();
  #ownAfter = 0;
  #steps: Step[] = [];
  #next = 0;
  /** Steps before this one are not all there. */
  #tornAt = 0;
  #gatheredMs = Number.NEGATIVE_INFINITY;
  #gathering: Promise<void> | null = null;

  constructor(options: {
    readonly own: StepRecorder;
    readonly ownName: string;
    readonly sources: readonly Source[];
    readonly nowMs: () => number;
  }) {
    this.#own = options.own;
    this.#ownName = options.ownName;
    this.#sources = options.sources;
    this.#nowMs = options.nowMs;
  }

  /** Steps gathered after `after`, 0 for all that are kept. Never rejects. */
  async ask(after: number): Promise<GatheredSteps> {
    if (this.#nowMs() - this.#gatheredMs >= STEPS_GATHER_MS) {
      this.#gathering ??= this.#gather().finally(() => {
        this.#gathering = null;
      });
    }
    await this.#gathering;
    const first = this.#next - this.#steps.length;
    const from = after > this.#next ? first : Math.max(first, after);
    return {
      steps: this.#steps.slice(from - first),
      next: this.#next,
      isTorn: after > 0 && (from !== after || this.#tornAt > after),
      recording: [
        this.#ownName,
        ...this.#sources.filter(({ peer }) => peer()).map(({ name }) => name),
      ],
    };
  }

  async #gather(): Promise<void> {
    this.#gatheredMs = this.#nowMs();
    const own = this.#own.ask(this.#ownAfter);
    this.#ownAfter = own.next;
    this.#add(own.steps, own.missed);
    await Promise.all(this.#sources.map((source) => this.#askSource(source)));
  }

  async #askSource({ name, peer: peerOf }: Source): Promise<void> {
    const peer = peerOf();
    if (!peer) return;
    const known = this.#after.get(name);
    const after = known?.link === peer.link ? known.after : 0;
    try {
      const calls = peer.calls(stepsContract, { timeoutMs: STEPS_LIMIT_MS });
      const { steps, next, missed } = await calls.steps({ after });
      this.#after.set(name, { link: peer.link, after: next });
      this.#add(steps, missed);
    } catch {
      // Paused, cut off or gone: what it records is heard later, or never.
    }
  }

  #add(steps: readonly Step[], missed: number): void {
    this.#steps.push(...steps);
    this.#next += steps.length;
    if (missed > 0) this.#tornAt = this.#next;
    if (this.#steps.length > STEPS_GATHERED_MAX) {
      this.#steps = this.#steps.slice(-STEPS_GATHERED_MAX);
    }
  }
}

const query = z.object({
  after: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .default(0),
});
const WRONG_AFTER = badRequest("after must be a whole number");

export function stepsRoute(app: FastifyInstance, feed: Pick<GatheredStepsFeed, "ask">): void {
  app.get("/steps", async (request, reply) => {
    const asked = query.safeParse(request.query);
    if (!asked.success) return send(reply, WRONG_AFTER);
    const gathered = await feed.ask(asked.data.after);
    reply.header("cache-control", "no-store");
    return send(reply, { status: 200, body: JSON.stringify({ data: gathered }) });
  });
}
