// What this front end doesn't hear by itself, asked once a second while
// somebody watches: how far the catalogs are, and whether other front ends answer.

import type { CatalogRow, FrontendRow } from "../../client/event-messages.ts";
import type { Link } from "../../io/rpc/types.ts";
import { catalogContract } from "../contract.ts";
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
    readonly host: string;
  }[];
  /** This front end. */
  readonly self: string;
}

export class Probes {
  readonly #options: ProbeOptions;
  readonly #applied = new Map<string, number>();
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
      return {
        role: name,
        port,
        standing: !isOpen ? "down" : this.#silent.has(name) ? "silent" : "up",
        asked: name === asked,
        applied: isOpen ? (this.#applied.get(name) ?? null) : null,
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
    }));
  }

  async #askCatalog({ name, link }: ProbeOptions["catalogs"][number]): Promise<void> {
    const { peer } = link;
    if (!peer) return;
    try {
      const { applied } = await peer
        .calls(statusContract, { timeoutMs: PROBE_LIMIT_MS })
        .status({});
      this.#silent.delete(name);
      if (applied !== undefined) this.#applied.set(name, applied);
    } catch {
      this.#silent.add(name);
    }
  }

  async #askFrontend({ name, host, port }: ProbeOptions["frontends"][number]): Promise<void> {
    const isUp = await answers(host, port);
    if (isUp) this.#frontendsUp.add(name);
    else this.#frontendsUp.delete(name);
  }
}

async function answers(host: string, port: number): Promise<boolean> {
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const at = name.includes(":") ? `[${name}]` : name;
  try {
    const response = await fetch(`http://${at}:${port}/healthz`, {
      signal: AbortSignal.timeout(PROBE_LIMIT_MS),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
