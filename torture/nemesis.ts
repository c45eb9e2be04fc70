// What goes wrong, drawn from a seed: processes killed, stopped and restarted,
// links cut and healed, the copy store gone or silent; lists of 10,000 stocks asked
// for by the dozen; a second process of a role; a replica that is configured with
// other replicas; and once a disk lost and replaced. With PostgreSQL under the log
// also that: its primary killed, or paused, a standby promoted, and the old primary
// awake again, which doesn't know; its standbys away. A run that was quiet so far is
// made longer.
//
// Never more than the bazaar promises to survive: one disk is lost in a run,
// while all else works. Everything else is without limit, all replicas at once
// too, but for how often `up` starts a role again. Which faults, whom and how
// long depends on the seed alone; when a process notices doesn't.

import { setTimeout as delay } from "node:timers/promises";
import type { Role } from "../lab/cluster.ts";
import type { Direction } from "../lab/link.ts";
import type { LabPostgres } from "../lab/postgres.ts";
import { Random } from "../simulation/random.ts";
import type { NamedLink, TorturedCluster } from "./cluster.ts";

/** Faults at once. */
const ACTIVE_MAX = 3;
/** Between two faults, milliseconds. */
const BETWEEN_MIN_MS = 150;
const BETWEEN_MAX_MS = 1_600;
/** A fault ends after this, milliseconds: mostly soon, now and then beyond every time-out of the bazaar. */
const LASTS_TYPICAL_MS = 600;
const LASTS_MAX_MS = 4_000;
/** Of the run, before a role is started twice, a disk is lost, and a replica is started with others. */
const TWICE_AT = 0.2;
const DISK_AT = 0.4;
const OTHERS_AT = 0.6;
/** Ends of a role that `up` must still mend: one beyond, since it may end by itself. */
const ENDS_LEFT = 1;
/** Everything must work before a disk may be lost, and be replaced soon after, milliseconds. */
const DISK_LIMIT_MS = 60_000;
const LISTS_AT_ONCE = 36;
const COPY_STORE = "copy store";
/** Of all faults, those of PostgreSQL, where it is there and has recovered from the one before. */
const DATABASE_SHARE = 0.3;
const ENOUGH_OF_POSTGRES: Readonly<Record<string, number>> = {
  "primary killed, another promoted": 1,
  "primary killed, started again": 1,
  "primary paused, another promoted": 1,
  "without a standby": 1,
};
const LEADER_ASK_MS = 300;
/** Of each of these so many must have been, or the run goes on. */
const ENOUGH: Readonly<Record<string, number>> = {
  "leader killed": 1,
  "leader paused": 1,
  killed: 2,
  paused: 2,
  "link cut, then healed": 1,
  "link cut, then reset": 1,
  "copy store killed": 1,
  "copy store paused": 1,
  "disk lost and replaced": 1,
  "lists by the dozen": 1,
  "started twice": 1,
  "started with other replicas": 1,
};
export function enoughOn(engine: "builtin" | "postgres"): Readonly<Record<string, number>> {
  return engine === "builtin" ? ENOUGH : { ...ENOUGH, ...ENOUGH_OF_POSTGRES };
}
/** But not longer than so many times what was asked for. */
const LONGER_MAX = 5;

export interface NemesisOptions {
  readonly cluster: TorturedCluster;
  readonly seed: number;
  readonly durationMs: number;
  /** What it does, a line each. */
  readonly tell: (line: string) => void;
}

type Fault = () => Promise<void>;

/** What happens once in a run, while all else works. */
interface Due {
  readonly at: number;
  readonly strike: Fault;
}

export class Nemesis {
  /** Faults so far, by kind. */
  readonly counts = new Map<string, number>();
  readonly #options: NemesisOptions;
  readonly #random: Random;
  readonly #active = new Set<Promise<void>>();
  /** In order. */
  readonly #due: Due[];
  /** What is stopped at present. */
  readonly #paused = new Set<string>();
  #isDatabaseStruck = false;
  /** What was started, and should have been refused. */
  readonly wronglyStarted: string[] = [];

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const doomed = this.#random.pick(this.#replicas).name;
    const twice = this.#random.pick(options.cluster.roles);
    const other = this.#random.pick(this.#replicas);
    this.#due = [
      { at: TWICE_AT, strike: () => this.#startWrongly(twice, "started twice") },
      { at: DISK_AT, strike: () => this.#loseDisk(doomed) },
      { at: OTHERS_AT, strike: () => this.#startWrongly(other, "started with other replicas") },
    ];
  }

  /** Strikes for as long as was asked; settles once everything is healed. */
  async run(): Promise<void> {
    const { cluster, durationMs } = this.#options;
    const random = this.#random;
    const start = performance.now();
    const goesOn = () => {
      const tookMs = performance.now() - start;
      return tookMs < durationMs || (this.#isQuiet && tookMs < LONGER_MAX * durationMs);
    };
    while (goesOn()) {
      await delay(random.between(BETWEEN_MIN_MS, BETWEEN_MAX_MS));
      const [due] = this.#due;
      if (due && performance.now() - start > due.at * durationMs) {
        this.#due.shift();
        await this.#allHealed();
        await cluster.ready(DISK_LIMIT_MS);
        await due.strike();
      } else if (this.#active.size < ACTIVE_MAX) {
        const fault = await this.#draw();
        const lasting = fault().finally(() => this.#active.delete(lasting));
        this.#active.add(lasting);
      }
    }
    await this.#allHealed();
  }

  get #isQuiet(): boolean {
    const enough = enoughOn(this.#options.cluster.postgres ? "postgres" : "builtin");
    return Object.entries(enough).some(([what, least]) => (this.counts.get(what) ?? 0) < least);
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
    const { roles, links, postgres } = this.#options.cluster;
    if (postgres && !this.#isDatabaseStruck && random.chance(DATABASE_SHARE)) {
      const [lastsMs, wakesMs] = [0, 1].map(() =>
        Math.min(LASTS_MAX_MS, random.heavy(LASTS_TYPICAL_MS)),
      );
      const how = random.pick(Object.keys(ENOUGH_OF_POSTGRES));
      return () => this.#strikeDatabase(postgres, how, lastsMs ?? 0, wakesMs ?? 0);
    }
    const kind = random.next();
    const lastsMs = Math.min(LASTS_MAX_MS, random.heavy(LASTS_TYPICAL_MS));
    const role = random.pick(roles).name;
    const some = roles.filter(() => random.chance(0.4)).map(({ name }) => name);
    const link = random.pick(links);
    const directions = random.pick<readonly Direction[]>([["there"], ["back"], ["there", "back"]]);
    const isReset = random.chance(0.5);
    const isLeader = random.chance(0.5);
    const leader = isLeader ? await this.#leader() : null;
    const struck = leader ?? role;
    const whom = leader === null ? "" : "leader ";
    if (kind < 0.2) return () => this.#end([struck], "SIGKILL", `${whom}killed`);
    if (kind < 0.25) return () => this.#end(some, "SIGKILL", "killed together");
    if (kind < 0.31) return () => this.#end([role], "SIGTERM", "restarted");
    if (kind < 0.39) return () => this.#breakCopyStore(lastsMs);
    if (kind < 0.55) return () => this.#pause([struck], lastsMs, `${whom}paused`);
    if (kind < 0.6) return () => this.#pause(some, lastsMs, "paused together");
    if (kind < 0.79) return () => this.#cut([link], directions, lastsMs, isReset, "link cut");
    const around = links.filter(({ from, to }) => from === struck || to === struck);
    if (kind < 0.9) {
      return () => this.#cut(around, ["there", "back"], lastsMs, isReset, "role cut off");
    }
    if (kind < 0.94) return () => this.#list();
    const isMute = random.chance(0.5);
    return () => this.#silence(struck, around, isMute, lastsMs, isReset);
  }

  /** Who leads, as a front end has it; null when none says. */
  async #leader(): Promise<string | null> {
    const asked = this.#options.cluster.urls.map(async (url) => {
      const signal = AbortSignal.timeout(LEADER_ASK_MS);
      const headers = this.#options.cluster.authorization;
      const response = await fetch(`${url}/get_order_leader`, { signal, headers });
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
      const pid = cluster.strike(role, signal);
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
      const pid = cluster.strike(role, "SIGSTOP");
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

  /** One after the other: a standby may be promoted only if the other one can be reached, too. */
  async #strikeDatabase(
    postgres: LabPostgres,
    how: string,
    lastsMs: number,
    wakesMs: number,
  ): Promise<void> {
    const { tell } = this.#options;
    this.#isDatabaseStruck = true;
    this.#count(how);
    const old = postgres.primary;
    const primary = postgres.server(old);
    const standbys = postgres.servers.filter((server) => server !== primary);
    tell(`PostgreSQL, ${primary.name} primary: ${how}`);
    if (how === "without a standby") {
      for (const standby of standbys) standby.pause();
      await delay(lastsMs);
      for (const standby of standbys) standby.resume();
    } else if (how === "primary killed, started again") {
      await primary.kill();
      await delay(lastsMs);
      await primary.start();
    } else {
      if (how === "primary paused, another promoted") primary.pause();
      else await primary.kill();
      await delay(lastsMs);
      await postgres.failOver();
      tell(`PostgreSQL: ${postgres.server(postgres.primary).name} is promoted`);
      // It answers whoever is connected to it still, and takes itself for the primary.
      primary.resume();
      await delay(wakesMs);
      await postgres.rejoin(old);
    }
    await postgres.hasStandbys(standbys.length);
    tell("PostgreSQL is whole again");
    this.#isDatabaseStruck = false;
  }

  /** In turn: a killed one comes back empty, a paused one with what it had, and answers late. */
  async #breakCopyStore(lastsMs: number): Promise<void> {
    const { cluster, tell } = this.#options;
    if (this.#paused.has(COPY_STORE)) return;
    const times = (done: string) => this.counts.get(`${COPY_STORE} ${done}`) ?? 0;
    const isKilled = times("killed") <= times("paused");
    this.#paused.add(COPY_STORE);
    const what = isKilled ? "killed" : "paused";
    this.#count(`${COPY_STORE} ${what}`);
    tell(`the ${COPY_STORE} is ${what} for ${Math.round(lastsMs)} ms`);
    if (isKilled) await cluster.copyStore.kill();
    else cluster.copyStore.pause();
    await delay(lastsMs);
    if (isKilled) await cluster.copyStore.start();
    else cluster.copyStore.resume();
    this.#paused.delete(COPY_STORE);
    tell(`the ${COPY_STORE} is back`);
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

  async #loseDisk(doomed: string): Promise<void> {
    const { cluster, tell } = this.#options;
    this.#count("disk lost and replaced");
    tell(`the disk of ${doomed} is lost`);
    await cluster.replaceDisk(doomed, DISK_LIMIT_MS);
    tell(`${doomed} is replaced`);
  }

  /** By somebody who doesn't know that it runs, or which replicas there are. */
  async #startWrongly(
    role: Role,
    what: "started twice" | "started with other replicas",
  ): Promise<void> {
    const { cluster, tell } = this.#options;
    this.#count(what);
    tell(`${role.name} is ${what}`);
    const wrong =
      what === "started twice"
        ? await cluster.startTwice(role)
        : await cluster.startWithOtherMembers(role, DISK_LIMIT_MS);
    if (wrong !== null) this.wronglyStarted.push(wrong);
  }

  /** Everybody wants all stocks at once. */
  async #list(): Promise<void> {
    const { cluster, tell } = this.#options;
    this.#count("lists by the dozen");
    tell(`${LISTS_AT_ONCE} lists at once of each front end`);
    const asked = cluster.urls.flatMap((url) =>
      Array.from({ length: LISTS_AT_ONCE }, async () => {
        const response = await fetch(`${url}/stocks`, {
          signal: AbortSignal.timeout(LASTS_MAX_MS),
          headers: cluster.authorization,
        });
        await response.arrayBuffer();
      }),
    );
    await Promise.allSettled(asked);
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
