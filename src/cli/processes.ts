// Which processes a configuration asks for, and how each is named and started.

import type { Address, ClusterConfig } from "../roles/config.ts";
import { shown, UserError } from "./user-error.ts";

/**
 * Options of Node.js for a replica: a young generation of a few MiB instead of
 * some thirty. Trades leave little that survives, so it is as fast; and the system
 * closes a killed process's connections, by which its death is noticed, only
 * after it has taken all its memory back.
 */
export const REPLICA_NODE_ARGS: readonly string[] = ["--max-semi-space-size=4"];

/** One process of the bazaar. */
export interface ConfiguredProcess extends Address {
  /** What `bazaar KIND` is given to mean it: a replica's id, the port of the others. */
  readonly argument: number;
  readonly kind: "order" | "catalog" | "frontend";
  /** ROLE: `frontend`, `catalog-9097`, `order-9094` … */
  readonly name: string;
}

/** All processes: front ends, catalogs, replicas, each kind in the order of the configuration. */
export function processesOf(config: ClusterConfig): readonly ConfiguredProcess[] {
  const all = (
    kind: ConfiguredProcess["kind"],
    some: readonly (Address & { readonly name: string; readonly id?: number })[],
  ) => some.map(({ name, host, port, id }) => ({ kind, name, host, port, argument: id ?? port }));
  return [
    ...all("frontend", config.frontends),
    ...all("catalog", config.catalogs),
    ...all("order", config.replicas),
  ];
}

/** The command that starts it alone: `order 9094`. */
export function commandOf(process: ConfiguredProcess): readonly [string, string] {
  return [process.kind, String(process.argument)];
}

/**
 * The process that `bazaar KIND PORT` means; without a port the first of its
 * kind. Throws UserError when the configuration has none there.
 */
export function processAt(
  config: ClusterConfig,
  kind: ConfiguredProcess["kind"],
  port: string | undefined,
): ConfiguredProcess {
  const ofKind = processesOf(config).filter((process) => process.kind === kind);
  const number = port === undefined ? ofKind[0]?.argument : portNumber(port);
  const found = ofKind.find((process) => process.argument === number);
  if (found) return found;
  const option = { order: "--replicas", catalog: "--catalogs", frontend: "--frontends" }[kind];
  const known = ofKind.map((process) => process.argument).join(", ");
  throw new UserError(`no ${nounOf(kind)} ${number} is configured, only ${known}: see ${option}`);
}

/**
 * The configuration with a front end at `port`, added when there is none yet:
 * nobody has to know of it beforehand, unlike of a catalog or a replica.
 */
export function withFrontend(config: ClusterConfig, port: string | undefined): ClusterConfig {
  const first = config.frontends[0];
  if (port === undefined || first === undefined) return config;
  const number = portNumber(port);
  if (config.frontends.some((frontend) => frontend.port === number)) return config;
  const clash = processesOf(config).find(
    (process) => process.port === number && process.host === first.host,
  );
  if (clash) throw new UserError(`port ${number} is ${clash.name}'s: choose another`);
  const added = { host: first.host, port: number, name: `frontend-${number}` };
  return { ...config, frontends: [...config.frontends, added] };
}

/** The process of a ROLE name. Throws UserError when there is none. */
export function processNamed(config: ClusterConfig, name: string): ConfiguredProcess {
  const found = processesOf(config).find((process) => process.name === name);
  if (found) return found;
  const known = processesOf(config).map((process) => process.name);
  throw new UserError(`no role ${shown(name)} is configured, only ${known.join(", ")}`);
}

function portNumber(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 65_535) return number;
  throw new UserError(`a port is a whole number from 1 to 65535, not ${shown(text)}`);
}

function nounOf(kind: ConfiguredProcess["kind"]): string {
  return { order: "order replica", catalog: "catalog", frontend: "front end" }[kind];
}
