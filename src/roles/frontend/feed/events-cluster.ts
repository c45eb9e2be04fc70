// The cluster as this front end knows it: from the beats that replicas send by
// themselves, from its connections, and from a small question a second to the
// catalogs and the other front ends. And the moments in which it changed.

import type {
  CatalogRow,
  ClusterPart,
  FrontendRow,
  Moment,
  PlaygroundState,
  ReplicaRow,
  ReplicaStanding,
} from "../../../client/event-messages.ts";
import type { Health } from "../../contract.ts";
import { BEAT_SILENT_MS } from "./events-limits.ts";

/** What the front end knows of one replica. */
export interface KnownReplica {
  readonly id: number;
  readonly connected: boolean;
  readonly health: Health | null;
  /** When something last came from it, by the clock of `nowMs`. */
  readonly heardAtMs: number;
}

/** What there is to see, each asked anew. */
export interface ClusterSources {
  readonly leader: () => number | null;
  readonly ready: () => boolean;
  readonly replicas: () => readonly KnownReplica[];
  readonly catalogs: () => readonly CatalogRow[];
  readonly frontends: () => readonly FrontendRow[];
  readonly lease: () => ClusterPart["lease"];
  readonly playground: () => PlaygroundState | null;
  readonly quorum: number;
  /** The role of a replica, `order-9094`. */
  readonly roleOf: (replica: number) => string;
}

interface Beat {
  readonly health: Health;
  readonly atMs: number;
}

export class WatchedCluster {
  readonly #sources: ClusterSources;
  /** The last that each replica said, and since when. */
  readonly #beats = new Map<number, Beat>();
  #standings: ReadonlyMap<string, string> | null = null;
  #moments: Moment[] = [];
  #leader: number | null = null;
  #leaderLostMs: number | null = null;
  /** The reign that was told last; null before the first. */
  #reign: { readonly leader: number; readonly epoch: number } | null = null;

  constructor(sources: ClusterSources) {
    this.#sources = sources;
  }

  /** Another leader was found, or the known one lost; at once, not at the next tick. */
  led(leader: number | null, nowMs: number, at: number): void {
    const { roleOf, replicas } = this.#sources;
    if (leader === null) {
      if (this.#leader !== null) {
        this.#moments.push({ kind: "no-leader", at, role: roleOf(this.#leader) });
        this.#leaderLostMs = this.#lastSignOf(this.#leader, nowMs);
      }
    } else {
      const lostMs = this.#leaderLostMs ?? (this.#reign ? nowMs : null);
      const epoch = Math.max(0, ...replicas().map(({ health }) => health?.epoch ?? 0));
      const afterMs = lostMs === null ? null : Math.round(nowMs - lostMs);
      const isSame = this.#reign?.leader === leader && this.#reign.epoch === epoch;
      const kind = isSame ? "still-leads" : "leads";
      this.#moments.push({ kind, at, role: roleOf(leader), epoch, afterMs });
      this.#leaderLostMs = null;
      this.#reign = { leader, epoch };
    }
    this.#leader = leader;
  }

  /** The picture now. Call it every tick: silence is found by it. */
  look(nowMs: number, at: number): ClusterPart {
    const { leader, ready, catalogs, frontends, playground, quorum } = this.#sources;
    const lease = this.#sources.lease();
    const known = this.#sources.replicas();
    for (const { id, health } of known) {
      if (health === null) this.#beats.delete(id);
      // Each beat is an object of its own.
      else if (this.#beats.get(id)?.health !== health) this.#beats.set(id, { health, atMs: nowMs });
    }
    const led = leader();
    const leaderLast = known.find(({ id }) => id === led)?.health?.lastPosition ?? null;
    const rows = known.map((replica) => this.#replica(replica, led, leaderLast, nowMs));
    const part: ClusterPart = {
      leader: led,
      epoch: Math.max(0, ...known.map(({ health }) => health?.epoch ?? 0)),
      quorum,
      ready: ready(),
      // Of its own lease it knows more than a catalog said a second ago.
      frontends: frontends().map((row) =>
        row.self ? { ...row, leasedBy: lease?.catalog ?? null } : row,
      ),
      catalogs: catalogs(),
      replicas: rows,
      lease,
      playground: playground(),
    };
    this.#compare([...part.frontends, ...part.catalogs, ...part.replicas], at);
    return part;
  }

  /** Nobody watched for a while: what changed meanwhile isn't news. */
  rest(): void {
    this.#standings = null;
  }

  /** What happened since the last take(). */
  take(): readonly Moment[] {
    const moments = this.#moments;
    this.#moments = [];
    return moments;
  }

  /**
   * From when on clients waited: now, where the connection closed; where it is open, the leader
   * has been silent for a while before that was noticed.
   */
  #lastSignOf(leader: number, nowMs: number): number {
    const known = this.#sources.replicas().find(({ id }) => id === leader);
    return known?.connected ? Math.min(nowMs, known.heardAtMs) : nowMs;
  }

  #replica(
    { id, connected, health }: KnownReplica,
    leader: number | null,
    leaderLast: number | null,
    nowMs: number,
  ): ReplicaRow {
    const beat = this.#beats.get(id);
    const isSilent = connected && beat !== undefined && nowMs - beat.atMs > BEAT_SILENT_MS;
    const standing: ReplicaStanding = !connected
      ? "down"
      : health === null || isSilent
        ? "silent"
        : health.leads && id === leader
          ? "leads"
          : health.leader === leader && leader !== null
            ? "follows"
            : "apart";
    const last = health?.lastPosition ?? null;
    const behind = last === null || leaderLast === null ? null : Math.max(0, leaderLast - last);
    return {
      role: this.#sources.roleOf(id),
      id,
      standing,
      epoch: health?.epoch ?? null,
      last,
      commit: health?.commitPosition ?? null,
      behind,
    };
  }

  /** Notes who went and who came back. */
  #compare(
    rows: readonly { readonly role: string; readonly standing: string }[],
    at: number,
  ): void {
    const standings = new Map(rows.map(({ role, standing }) => [role, presence(standing)]));
    const before = this.#standings;
    this.#standings = standings;
    if (before === null) return;
    for (const [role, now] of standings) {
      const was = before.get(role);
      if (was === undefined || was === now) continue;
      this.#moments.push({ kind: now === "here" ? "back" : now, at, role });
    }
  }
}

function presence(standing: string): "here" | "silent" | "down" {
  return standing === "down" || standing === "silent" ? standing : "here";
}
