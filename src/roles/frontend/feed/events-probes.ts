// What this front end doesn't hear by itself, asked once a second while
// somebody watches: how far the catalogs are, and whether other front ends answer.

import type { CatalogRow, FrontendRow } from "../../../client/event-messages.ts";
import type { Link } from "../../../io/rpc/types.ts";
import { catalogContract } from "../../contract.ts";
import { PROBE_LIMIT_MS } from "./events-limits.ts";

const statusContract = { status: catalogContract.status } as const;

export interface ProbeOptions {
  readonly catalogs: readonly {
    readonly name: string;
    readonly port: number;
    readonly link: Pick<Link, "peer">;
  }[];
  /** The catalog that is asked for stocks; null while there is none. */
  readonly asked: () => string | null;
  readonly frontends: readonly {
    readonly name: string;
    readonly port: number;
    readonly url: string;
  }[];
  /** This front end. */
  readonly self: string;
  /** The newest position known to be committed. */
  readonly committed: () => number | null;
}

/** What a catalog said of itself. */
interface Said {
  readonly applied: number | null;
  readonly behind: number | null;
  readonly leased: boolean | null;
  readonly leasedTo: readonly string[];
}

export class Probes {
  readonly #options: ProbeOptions;
  readonly #said = new Map<string, Said>();
  readonly #silent = new Set<string>();
  readonly #frontendsUp = new Set<string>();
  #isAsking = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** Asks everybody. Never rejects; does nothing while it is at it. */
  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { catalogs, frontends, self } = this.#options;
    await Promise.all([
      ...catalogs.map((catalog) => this.#askCatalog(catalog)),
      ...frontends
        .filter(({ name }) => name !== self)
        .map((frontend) => this.#askFrontend(frontend)),
    ]);
    this.#isAsking = false;
  }

  catalogs(): readonly CatalogRow[] {
    const asked = this.#options.asked();
    return this.#options.catalogs.map(({ name, port, link }) => {
      const isOpen = link.peer?.isOpen ?? false;
      const said = isOpen ? this.#said.get(name) : undefined;
      return {
        role: name,
        port,
        standing: !isOpen ? "down" : this.#silent.has(name) ? "silent" : "up",
        asked: name === asked,
        applied: said?.applied ?? null,
        behind: said?.behind ?? null,
        leased: said?.leased ?? null,
      };
    });
  }

  frontends(): readonly FrontendRow[] {
    const { frontends, self } = this.#options;
    return frontends.map(({ name, port }) => ({
      role: name,
      port,
      self: name === self,
      standing: name === self || this.#frontendsUp.has(name) ? "up" : "down",
      leasedBy: this.#leasedBy(name),
    }));
  }

  #leasedBy(frontend: string): string | null {
    const { catalogs } = this.#options;
    const grantor = catalogs.find(
      ({ name, link }) =>
        link.peer?.isOpen &&
        !this.#silent.has(name) &&
        this.#said.get(name)?.leasedTo.includes(frontend),
    );
    return grantor?.name ?? null;
  }

  async #askCatalog({ name, link }: ProbeOptions["catalogs"][number]): Promise<void> {
    const { peer } = link;
    if (!peer) return;
    const committed = this.#options.committed(); // before it is asked: it may only be further on
    try {
      const { applied, leased, leasedTo } = await peer
        .calls(statusContract, { timeoutMs: PROBE_LIMIT_MS })
        .status({});
      this.#silent.delete(name);
      this.#said.set(name, {
        applied: applied ?? null,
        behind:
          applied === undefined || committed === null ? null : Math.max(0, committed - applied),
        leased: leased ?? null,
        leasedTo: leasedTo ?? [],
      });
    } catch {
      this.#silent.add(name);
    }
  }

  async #askFrontend({ name, url }: ProbeOptions["frontends"][number]): Promise<void> {
    const isUp = await answers(url);
    if (isUp) this.#frontendsUp.add(name);
    else this.#frontendsUp.delete(name);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, {
      signal: AbortSignal.timeout(PROBE_LIMIT_MS),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
