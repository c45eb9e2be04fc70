// What goes wrong, drawn from a seed: processes killed, stopped and restarted,
// links cut and healed, and once a disk lost and replaced.
//
// Never more than the bazaar promises to survive: one disk is lost in a run,
// while all else works. Everything else is without limit, all replicas at once
// too, but for how often `up` starts a role again. Which faults, whom and how
// long depends on the seed alone; when a process notices doesn't.

import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../simulation/random.ts";
import type { Cluster, NamedLink, Role } from "./cluster.ts";
import type { Direction } from "./link.ts";

/** Faults at once. */
const ACTIVE_MAX = 3;
/** Between two faults, milliseconds. */
const BETWEEN_MIN_MS = 150;
const BETWEEN_MAX_MS = 1_600;
/** A fault ends after this, milliseconds: mostly soon, now and then beyond every time-out of the bazaar. */
const LASTS_TYPICAL_MS = 600;
const LASTS_MAX_MS = 4_000;
/** Of the run, before the disk is lost. */
const DISK_AT = 0.4;
/** Ends of a role that `up` must still mend: one beyond, since it may end by itself. */
const ENDS_LEFT = 1;
/** Everything must work before a disk may be lost, and be replaced soon after, milliseconds. */
const DISK_LIMIT_MS = 60_000;
const LEADER_ASK_MS = 300;

export interface NemesisOptions {
  readonly cluster: Cluster;
  readonly seed: number;
  readonly durationMs: number;
  /** What it does, a line each. */
  readonly tell: (line: string) => void;
}

type Fault = () => Promise<void>;

export class Nemesis {
  /** Faults so far, by kind. */
  readonly counts = new Map<string, number>();
  readonly #options: NemesisOptions;
  readonly #random: Random;
  readonly #active = new Set<Promise<void>>();
  /** The replica that will lose its disk; null once that has happened. */
  #doomed: string | null;
  /** Stopped processes. */
  readonly #paused = new Set<string>();

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#doomed = this.#random.pick(this.#replicas).name;
  }

  /** Strikes for as long as was asked; settles once everything is healed. */
  async run(): Promise<void> {
    const { cluster, durationMs, tell } = this.#options;
    const random = this.#random;
    const start = performance.now();
    while (performance.now() - start < durationMs) {
      await delay(random.between(BETWEEN_MIN_MS, BETWEEN_MAX_MS));
      const doomed = this.#doomed;
      if (doomed !== null && performance.now() - start > DISK_AT * durationMs) {
        await this.#allHealed();
        await cluster.ready(DISK_LIMIT_MS);
        this.#doomed = null;
        this.#count("disk lost and replaced");
        tell(`the disk of ${doomed} is lost`);
        await cluster.replaceDisk(doomed, DISK_LIMIT_MS);
        tell(`${doomed} is replaced`);
      } else if (this.#active.size < ACTIVE_MAX) {
        const fault = await this.#draw();
        const lasting = fault().finally(() => this.#active.delete(lasting));
        this.#active.add(lasting);
      }
    }
    await this.#allHealed();
  }

  async #allHealed(): Promise<void> {
    await Promise.all(this.#active);
  }

  get #replicas(): readonly Role[] {
    return this.#options.cluster.roles.filter(({ kind }) => kind === "order");
  }

  /** The next fault. All that is drawn is drawn here, so that the seed decides it. */
  async #draw(): Promise<Fault> {
    const random = this.#random;
    const { roles, links } = this.#options.cluster;
    const kind = random.next();
    const lastsMs = Math.min(LASTS_MAX_MS, random.heavy(LASTS_TYPICAL_MS));
    const role = random.pick(roles).name;
    const some = roles.filter(() => random.chance(0.4)).map(({ name }) => name);
    const link = random.pick(links);
    const directions = random.pick<readonly Direction[]>([["there"], ["back"], ["there", "back"]]);
    const isReset = random.chance(0.5);
    const isLeader = random.chance(0.5);
    const struck = isLeader ? ((await this.#leader()) ?? role) : role;
    if (kind < 0.22) return () => this.#end([struck], "SIGKILL", "killed");
    if (kind < 0.27) return () => this.#end(some, "SIGKILL", "killed together");
    if (kind < 0.34) return () => this.#end([role], "SIGTERM", "restarted");
    if (kind < 0.52) return () => this.#pause([struck], lastsMs, "paused");
    if (kind < 0.57) return () => this.#pause(some, lastsMs, "paused together");
    if (kind < 0.78) return () => this.#cut([link], directions, lastsMs, isReset, "link cut");
    const around = links.filter(({ from, to }) => from === struck || to === struck);
    if (kind < 0.9) {
      return () => this.#cut(around, ["there", "back"], lastsMs, isReset, "role cut off");
    }
    const isMute = random.chance(0.5);
    return () => this.#silence(struck, around, isMute, lastsMs, isReset);
  }

  /** Who leads, as a front end has it; null when none says. */
  async #leader(): Promise<string | null> {
    const asked = this.#options.cluster.urls.map(async (url) => {
      const signal = AbortSignal.timeout(LEADER_ASK_MS);
      const response = await fetch(`${url}/get_order_leader`, { signal });
      const { data } = (await response.json()) as { data: { order_leader: number } };
      return `order-${data.order_leader}`;
    });
    return Promise.any(asked).catch(() => null);
  }

  async #end(roles: readonly string[], signal: "SIGKILL" | "SIGTERM", what: string): Promise<void> {
    const { cluster, tell } = this.#options;
    for (const role of roles) {
      // A stopped process takes no other signal, and the pause ends by itself.
      if (!cluster.mayEnd(role, ENDS_LEFT) || (signal === "SIGTERM" && this.#paused.has(role)))
        continue;
      const pid = cluster.signal(role, signal);
      if (pid === null) continue;
      this.#count(what);
      tell(`${role}, process ${pid}, is ${what}`);
    }
  }

  async #pause(roles: readonly string[], lastsMs: number, what: string): Promise<void> {
    const { cluster, tell } = this.#options;
    const pids = new Map<string, number>();
    for (const role of roles) {
      if (this.#paused.has(role)) continue;
      const pid = cluster.signal(role, "SIGSTOP");
      if (pid === null) continue;
      this.#paused.add(role);
      pids.set(role, pid);
      this.#count(what);
      tell(`${role} is ${what} for ${Math.round(lastsMs)} ms`);
    }
    await delay(lastsMs);
    for (const [role, pid] of pids) {
      this.#paused.delete(role);
      cluster.resume(role, pid);
      tell(`${role} goes on`);
    }
  }

  #cut(
    links: readonly NamedLink[],
    directions: readonly Direction[],
    lastsMs: number,
    isReset: boolean,
    what: string,
  ): Promise<void> {
    const names = links.map(({ from, to }) => `${from} → ${to}`).join(", ");
    const told = `${names} ${directions.join(" and ")}`;
    const cuts = links.map((link) => ({ link, directions }));
    return this.#cutAll(cuts, lastsMs, isReset, what, told);
  }

  /** Nobody hears the role any more, or it hears nobody. */
  #silence(
    role: string,
    around: readonly NamedLink[],
    isMute: boolean,
    lastsMs: number,
    isReset: boolean,
  ): Promise<void> {
    const cuts = around.map((link) => ({
      link,
      directions: [(link.from === role) === isMute ? "there" : "back"] as const,
    }));
    const what = isMute ? "role mute" : "role deaf";
    return this.#cutAll(cuts, lastsMs, isReset, what, `${role} ${what}`);
  }

  async #cutAll(
    cuts: readonly { readonly link: NamedLink; readonly directions: readonly Direction[] }[],
    lastsMs: number,
    isReset: boolean,
    what: string,
    told: string,
  ): Promise<void> {
    const { tell } = this.#options;
    this.#count(`${what}, ${isReset ? "then reset" : "then healed"}`);
    tell(`cut for ${Math.round(lastsMs)} ms: ${told}`);
    const heals = cuts.map(({ link, directions }) => link.link.cut(directions));
    await delay(lastsMs);
    if (isReset) for (const { link } of cuts) link.link.reset();
    for (const heal of heals) heal();
    tell(`${isReset ? "reset" : "healed"}: ${told}`);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
