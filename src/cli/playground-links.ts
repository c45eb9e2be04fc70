// The links between the processes of a playground, each in hand: a proxy stands in
// every connection, so that "cut this link" cuts it, and nothing in the processes
// has to pretend. Each process is started with the others' addresses as it sees them.
//
//   L1. Of who isn't a playground nothing is different: no proxy, no variable.
//   L2. A cut carries nothing, both ways, and closes nothing, as a network that
//       loses packets: what was sent waits, and connections outlive a short cut.

import { z } from "zod";
import { Link } from "../../lab/link.ts";
import type { PlaygroundLink } from "../client/event-messages.ts";
import type { Address, ClusterConfig } from "../roles/config.ts";
import { type ConfiguredProcess, processesOf } from "./processes.ts";

/** Where a process finds the addresses of the others, JSON by their names. */
export const LINKS_VARIABLE = "BAZAAR_PLAYGROUND_LINKS";
const HOST = "127.0.0.1";

interface Held {
  readonly from: string;
  readonly to: string;
  readonly link: Link;
}

export class PlaygroundLinks {
  readonly #held: readonly Held[];
  /** What mends each cut, by the names of both. */
  readonly #cuts = new Map<string, readonly (() => void)[]>();

  private constructor(held: readonly Held[]) {
    this.#held = held;
  }

  /** Opens a proxy for each connection that a process of this configuration makes. */
  static async open(config: ClusterConfig): Promise<PlaygroundLinks> {
    const processes = processesOf(config);
    const pairs = processes.flatMap((from) =>
      processes.filter((to) => connects(from, to)).map((to) => ({ from, to })),
    );
    const held = await Promise.all(
      pairs.map(async ({ from, to }) => {
        const link = await Link.open({ host: HOST, port: 0 }, reachable(to));
        return { from: from.name, to: to.name, link };
      }),
    );
    return new PlaygroundLinks(held);
  }

  /** What this process needs in its environment to use them. */
  environmentOf(role: string): Readonly<Record<string, string>> {
    const places = this.#held
      .filter(({ from }) => from === role)
      .map(({ to, link }) => [to, { host: HOST, port: link.port }]);
    return { [LINKS_VARIABLE]: JSON.stringify(Object.fromEntries(places)) };
  }

  /** The pairs between which something can be cut, each once. */
  get all(): readonly PlaygroundLink[] {
    const pairs = this.#held.map(({ from, to }) => keyOf([from, to]));
    return [...new Set(pairs)].map(pairOf);
  }

  get cut(): readonly PlaygroundLink[] {
    return [...this.#cuts.keys()].map(pairOf);
  }

  /** False when there is no such link, or it is so already. */
  play(action: "cut" | "mend", between: PlaygroundLink): boolean {
    const key = keyOf(between);
    const cuts = this.#cuts.get(key);
    if (action === "mend") {
      for (const mend of cuts ?? []) mend();
      return this.#cuts.delete(key);
    }
    const links = this.#held.filter(({ from, to }) => keyOf([from, to]) === key);
    if (cuts || links.length === 0) return false;
    this.#cuts.set(
      key,
      links.map(({ link }) => link.cut(["there", "back"])),
    );
    return true;
  }

  close(): void {
    for (const { link } of this.#held) link.close();
  }
}

const placesSchema = z.record(z.string(), z.object({ host: z.string(), port: z.int() }));

/** The configuration as the process `role` sees it: others at their links, itself at its own address. */
export function seenOverLinks(
  config: ClusterConfig,
  role: string,
  environment: NodeJS.ProcessEnv,
): ClusterConfig {
  const given = environment[LINKS_VARIABLE];
  if (given === undefined) return config; // L1
  const places = placesSchema.parse(JSON.parse(given));
  const seen = <T extends Address & { readonly name: string }>(all: readonly T[]): T[] =>
    all.map((each) => (each.name === role ? each : { ...each, ...places[each.name] }));
  return { ...config, catalogs: seen(config.catalogs), replicas: seen(config.replicas) };
}

/** Who opens connections to whom: docs/architecture.md. */
function connects(from: ConfiguredProcess, to: ConfiguredProcess): boolean {
  if (to.kind === "order") return from !== to;
  return from.kind === "frontend" && to.kind === "catalog";
}

/** The wildcard address isn't one to connect to. */
function reachable({ host, port }: Address): Address {
  return { host: host === "0.0.0.0" || host === "::" ? HOST : host, port };
}

function keyOf(between: PlaygroundLink): string {
  return between.toSorted().join(" ");
}

function pairOf(key: string): PlaygroundLink {
  const [one = "", other = ""] = key.split(" ");
  return [one, other];
}
