// From what the user said to what runs: flags, environment and file become one
// ClusterConfig, or one line that says what to change.
//
// Pure: nothing is read here. A flag goes before the environment, that before
// the file, that before the default. What doesn't fit together is an error
// rather than quietly ignored, unless a stronger source overruled it.

import { dirname, resolve } from "node:path";
import { MEMBERS_MAX } from "../core/replication/limits.ts";
import { type ClusterConfig, clusterConfigSchema } from "../roles/config.ts";
import { embeddedUrl } from "./embedded-postgres.ts";
import {
  environmentName,
  type Flags,
  type GivenAddress,
  type OptionName,
  type OptionValue,
  optionNames,
  optionSpecs,
} from "./options.ts";
import { fileLabel, shown, UserError } from "./user-error.ts";

export interface Sources {
  readonly flags: Flags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The configuration file, already read as JSON; null without one. Paths in it start from its directory. */
  readonly file: { readonly path: string; readonly content: unknown } | null;
  /** Absolute; where relative paths of flags and environment start. */
  readonly cwd: string;
  /** Absolute path of the stocks shipped with the package. */
  readonly stocksShipped: string;
}

/** Stronger sources have higher ranks. */
const RANK_FILE = 1;
const RANK_ENVIRONMENT = 2;
const RANK_FLAG = 3;

/** A value someone gave. `label` is how they know it: --port, BAZAAR_PORT, "port" in bazaar.json. */
interface Given<T> {
  readonly value: T;
  readonly rank: number;
  readonly label: string;
}

type Settings = { readonly [N in OptionName]: Given<OptionValue<N>> | null };

const HOST_DEFAULT = "127.0.0.1";
const FRONTEND_PORT_DEFAULT = 8000;
const CATALOG_PORT_DEFAULT = 9096;
const REPLICAS_DEFAULT = [9090, 9092, 9094];
const CACHE_ENTRIES_DEFAULT = 1_000;
const PORT_MAX = 65_535;
const JWT_AUDIENCE_DEFAULT = "stock-bazaar";
/** RFC 8693, section 4.2. */
const JWT_CLAIM_DEFAULT = "scope";
/** No option: a flag would show in the list of processes. */
const PASSWORD_VARIABLE = environmentName("redis-password");
/**
 * Until whoever sends requests here has noticed, with nothing configured for it: haproxy takes a
 * server out after three failed checks, two seconds apart; and nginx tries one that it couldn't
 * reach only after ten seconds again, so that the one which was restarted before is back in use.
 */
const DRAIN_MS_DEFAULT = 12_000;
/** Of one address, units a second: no client that a person or a shop runs comes near; half of what a front end can do. */
const RATE_LIMIT_DEFAULT = 10_000;

/** Throws UserError, whose message is one line, when something is wrong. */
export function resolveConfig(sources: Sources): ClusterConfig {
  const settings = readSettings(sources);
  const { host, replicas, "internal-host": internalHost } = settings;
  refuseOverruledAddresses(replicas, [internalHost]);
  const data = pathOf(settings.data, sources, resolve(sources.cwd, "data"));
  const config: ClusterConfig = {
    data,
    frontends: placed("frontend", settings.frontends, host, settings.port),
    catalogs: placed("catalog", settings.catalogs, internalHost, settings["catalog-port"]),
    replicas: (replicas?.value ?? REPLICAS_DEFAULT.map((id) => ({ id, host: null, port: id }))).map(
      (given) => ({
        host: given.host ?? internalHost?.value ?? HOST_DEFAULT,
        port: given.port,
        id: given.id,
        name: `order-${given.id}`,
      }),
    ),
    engine: engineOf(settings, data),
    stocks: pathOf(settings.stocks, sources, sources.stocksShipped),
    cache: cacheOf(settings, sources),
    corsOrigins: settings["cors-origin"]?.value ?? [],
    allowedHosts: settings["allowed-hosts"]?.value ?? [],
    // Who sets a limit means it for everybody; the default is for who comes from elsewhere.
    rateLimit: {
      unitsPerS: settings["rate-limit"]?.value ?? RATE_LIMIT_DEFAULT,
      loopback: settings["rate-limit"] !== null,
    },
    trustProxy: settings["trust-proxy"]?.value ?? [],
    drainMs: settings["drain-ms"]?.value ?? DRAIN_MS_DEFAULT,
    tls: filesOf(settings, sources, ["tls-cert", "tls-key"]),
    peerCertificate: filesOf(settings, sources, ["peer-cert", "peer-key", "peer-ca"]),
    ca: settings.ca === null ? null : pathOf(settings.ca, sources, ""),
    insecure: settings.insecure?.value ?? false,
    ...(settings["audit-log"] && { auditLog: pathOf(settings["audit-log"], sources, "") }),
    ...jwtOf(settings),
    logLevel: settings["log-level"]?.value ?? "info",
  };
  refuseClashes(config);
  const checked = clusterConfigSchema.safeParse(config);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw new UserError(`the configuration is wrong at ${issue?.path.join(".")}: ${issue?.message}`);
}

/** The first catalog is `catalog`, a further one `catalog-9097`; likewise front ends. */
function placed(
  kind: "frontend" | "catalog",
  given: Given<number | GivenAddress[]> | null,
  hostOfAll: Given<string> | null,
  firstPort: Given<number> | null,
): { name: string; host: string; port: number }[] {
  const host = hostOfAll?.value ?? HOST_DEFAULT;
  const named = (address: { host: string; port: number }, index: number) => ({
    ...address,
    name: index === 0 ? kind : `${kind}-${address.port}`,
  });
  if (given !== null && typeof given.value !== "number") {
    const listed: Given<unknown> = given;
    refuseOverruledAddresses(listed, [firstPort, hostOfAll]);
    return given.value.map((address, index) =>
      named({ host: address.host ?? host, port: address.port }, index),
    );
  }
  const count = typeof given?.value === "number" ? given.value : 1;
  const first =
    firstPort?.value ?? (kind === "frontend" ? FRONTEND_PORT_DEFAULT : CATALOG_PORT_DEFAULT);
  if (first + count - 1 > PORT_MAX) {
    throw new UserError(
      `${count} ${kind}s counted up from port ${first} go past ${PORT_MAX}: start lower with ${firstPort?.label ?? "--port"}`,
    );
  }
  return Array.from({ length: count }, (_, index) => named({ host, port: first + index }, index));
}

/** A list of addresses in a file and --port on top of it: which of them should move? */
function refuseOverruledAddresses(
  list: Given<unknown> | null,
  stronger: readonly (Given<unknown> | null)[],
): void {
  if (list === null || list.rank !== RANK_FILE) return;
  for (const given of stronger) {
    if (given !== null && given.rank > list.rank) {
      throw new UserError(
        `${given.label} does not go with the list of addresses that is ${list.label}: change it there`,
      );
    }
  }
}

function engineOf(
  { engine, "accept-loss": acceptLoss }: Settings,
  data: string,
): ClusterConfig["engine"] {
  const where = engine?.value ?? "builtin";
  if (where === "builtin" || where === "postgres") {
    if (acceptLoss !== null && acceptLoss.rank >= (engine?.rank ?? 0)) {
      throw new UserError(`${acceptLoss.label} goes with --engine postgres://… only: leave it out`);
    }
    if (where === "builtin") return { kind: "builtin" };
    return { kind: "postgres", url: embeddedUrl(data), acceptLoss: false, embedded: true };
  }
  if (/^[^@/]*:\/\/[^@/]*:[^@/]*@/.test(where)) {
    throw new UserError(
      `${engine?.label} must not have the password in it: put it into PGPASSWORD, or into a .pgpass file`,
    );
  }
  return { kind: "postgres", url: where, acceptLoss: acceptLoss?.value ?? false, embedded: false };
}

function jwtOf(settings: Settings): Pick<ClusterConfig, "jwt"> {
  const issuer = settings["jwt-issuer"];
  const [audience, claim] = [settings["jwt-audience"], settings["jwt-claim"]];
  for (const given of [audience, claim]) {
    if (given !== null && issuer === null) {
      throw new UserError(`${given.label} goes with --jwt-issuer only: leave it out`);
    }
  }
  if (issuer === null) return {};
  return {
    jwt: {
      issuer: issuer.value,
      audience: audience?.value ?? JWT_AUDIENCE_DEFAULT,
      claim: claim?.value ?? JWT_CLAIM_DEFAULT,
    },
  };
}

function cacheOf(settings: Settings, sources: Sources): ClusterConfig["cache"] {
  const cache = settings.cache;
  const where = cache?.value ?? "memory";
  const password = passwordOf(settings["redis-password-file"], sources);
  // A setting that the same or a weaker source gave beside another kind of cache was overruled, or never meant.
  const demand = (given: Given<unknown> | null, kind: string) => {
    if (given !== null && given.rank >= (cache?.rank ?? 0)) {
      throw new UserError(`${given.label} goes with --cache ${kind} only: leave one of them out`);
    }
  };
  const ofRedis = [settings["redis-maxmemory"], settings["redis-maxmemory-policy"], password];
  if (where === "memory") {
    for (const given of ofRedis) demand(given, "redis://HOST:PORT");
    return { kind: "memory", entriesMax: settings["cache-size"]?.value ?? CACHE_ENTRIES_DEFAULT };
  }
  demand(settings["cache-size"], "memory");
  if (where === "none") {
    for (const given of ofRedis) demand(given, "redis://HOST:PORT");
    return { kind: "none" };
  }
  const { username, password: told } = new URL(where);
  if (told !== "") {
    throw new UserError(
      `${cache?.label} must not have the password in it: put it into ${PASSWORD_VARIABLE}, or into a file that --redis-password-file names`,
    );
  }
  if (username !== "" && password === null) {
    throw new UserError(
      `${cache?.label} names a user without a password: put it into ${PASSWORD_VARIABLE}, or into a file that --redis-password-file names`,
    );
  }
  const maxmemory = settings["redis-maxmemory"]?.value;
  const maxmemoryPolicy = settings["redis-maxmemory-policy"]?.value;
  return {
    kind: "redis",
    url: where,
    ...(password === null ? {} : { password: password.value }),
    ...(maxmemory === undefined ? {} : { maxmemory }),
    ...(maxmemoryPolicy === undefined ? {} : { maxmemoryPolicy }),
  };
}

type FileOption = "tls-cert" | "tls-key" | "peer-cert" | "peer-key" | "peer-ca";

/** Files that belong together, by the last word of their options: all of them, or none. */
function filesOf<N extends FileOption>(
  settings: Settings,
  sources: Sources,
  names: readonly N[],
): { [K in N as K extends `${string}-${infer Last}` ? Last : never]: string } | null {
  const missing = names.filter((name) => settings[name] === null);
  if (missing.length === names.length) return null;
  if (missing.length > 0) {
    throw new UserError(
      `${names.map((name) => `--${name}`).join(" and ")} go together: give --${missing[0]}, too`,
    );
  }
  const entries = names.map((name) => [
    name.replace(/^.*-/, ""),
    pathOf(settings[name], sources, ""),
  ]);
  return Object.fromEntries(entries);
}

/** Where the password of Redis is; it is only read by who needs it. */
function passwordOf(
  file: Given<string> | null,
  sources: Sources,
): Given<{ file: string } | { variable: string }> | null {
  const isInEnvironment = (sources.environment[PASSWORD_VARIABLE] ?? "") !== "";
  if (file !== null && (file.rank > RANK_ENVIRONMENT || !isInEnvironment)) {
    return { ...file, value: { file: pathOf(file, sources, "") } };
  }
  if (!isInEnvironment) return null;
  if (file?.rank === RANK_ENVIRONMENT) {
    throw new UserError(
      `${PASSWORD_VARIABLE} and ${file.label} are both set: leave one of them out`,
    );
  }
  return {
    value: { variable: PASSWORD_VARIABLE },
    rank: RANK_ENVIRONMENT,
    label: PASSWORD_VARIABLE,
  };
}

/** Ports name roles (`catalog-9097`), so they differ within a kind; and no two roles can listen on one address. */
function refuseClashes(config: ClusterConfig): void {
  if (config.replicas.length > MEMBERS_MAX) {
    throw new UserError(
      `at most ${MEMBERS_MAX} replicas, not ${config.replicas.length}: --replicas 9090,9092,9094`,
    );
  }
  const ids = new Set<number>();
  for (const { id } of config.replicas) {
    if (ids.has(id)) throw new UserError(`replica ${id} is given twice: give each its own id`);
    ids.add(id);
  }
  const byAddress = new Map<string, string>();
  for (const roles of [config.frontends, config.catalogs, config.replicas]) {
    const byPort = new Set<number>();
    for (const role of roles) {
      const address = `${role.host}:${role.port}`;
      const other = byAddress.get(address);
      if (other !== undefined && other !== role.name) {
        throw new UserError(
          `port ${role.port} is given to both ${other} and ${role.name}: give each its own`,
        );
      }
      if (byPort.has(role.port)) {
        throw new UserError(`port ${role.port} is given twice, to ${role.name}: give each its own`);
      }
      byPort.add(role.port);
      byAddress.set(address, role.name);
    }
  }
}

function pathOf(given: Given<string> | null, sources: Sources, fallback: string): string {
  if (given === null) return fallback;
  const start = given.rank === RANK_FILE && sources.file ? dirname(sources.file.path) : sources.cwd;
  return resolve(start, given.value);
}

function readSettings(sources: Sources): Settings {
  const file = fileSettings(sources.file);
  const read = (name: OptionName): Given<unknown> | null => {
    const raw = strongest(name, sources, file);
    if (raw === null) return null;
    const spec = optionSpecs[name];
    const parsed = spec.schema.safeParse(raw.value);
    if (parsed.success) return { ...raw, value: parsed.data };
    throw new UserError(`${raw.label} must be ${spec.wants}, not ${shown(raw.value)}`);
  };
  return Object.fromEntries(optionNames.map((name) => [name, read(name)])) as unknown as Settings;
}

function strongest(
  name: OptionName,
  sources: Sources,
  file: ReadonlyMap<OptionName, unknown>,
): Given<unknown> | null {
  const flag = sources.flags[name];
  if (flag === false) return { value: flag, rank: RANK_FLAG, label: `--no-${name}` };
  if (flag !== undefined) return { value: flag, rank: RANK_FLAG, label: `--${name}` };
  const variable = environmentName(name);
  if (name === "cache" && isYes(sources.environment.BAZAAR_NO_CACHE)) {
    return { value: false, rank: RANK_ENVIRONMENT, label: "BAZAAR_NO_CACHE" };
  }
  const value = sources.environment[variable];
  // An empty variable is how many tools say "unset".
  if (value !== undefined && value !== "") {
    return { value, rank: RANK_ENVIRONMENT, label: variable };
  }
  if (!file.has(name) || sources.file === null) return null;
  const label = `"${name}" in ${fileLabel(sources.file.path)}`;
  return { value: file.get(name), rank: RANK_FILE, label };
}

function isYes(value: string | undefined): boolean {
  if (value === undefined || value === "" || value === "0" || value === "false") return false;
  if (value === "1" || value === "true") return true;
  throw new UserError(`BAZAAR_NO_CACHE must be 1 or 0, not ${shown(value)}`);
}

/** The file's values by option name. `catalogPort` is taken for `catalog-port`. */
function fileSettings(file: Sources["file"]): ReadonlyMap<OptionName, unknown> {
  const settings = new Map<OptionName, unknown>();
  if (file === null) return settings;
  const label = fileLabel(file.path);
  const { content } = file;
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new UserError(`${label} must hold a JSON object, like {"port": 8000}`);
  }
  for (const [key, value] of Object.entries(content)) {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = optionNames.find((known) => known === name);
    if (option === undefined) {
      throw new UserError(
        `${label} names ${shown(key)}, which is no option; there are ${optionNames.join(", ")}`,
      );
    }
    if (settings.has(option)) throw new UserError(`${label} names ${shown(option)} twice`);
    settings.set(option, value);
  }
  return settings;
}
