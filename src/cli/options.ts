// The options every command takes, each said once: its flag, its name in the
// environment and in a configuration file, what it accepts, and its default.
//
// The same value may come as text (flag, environment) or as JSON (file), so a
// schema takes both. `wants` completes the sentence "--port must be …".

import { type Command, Option } from "commander";
import { z } from "zod";
import { canonicalHost, isAddressRange } from "../io/host-names.ts";

const text = z.string().min(1);
const wholeNumber = (min: number, max: number) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number),
    ])
    .pipe(z.int().min(min).max(max));
const port = wholeNumber(1, 65_535);
const host = z.string().regex(/^\S{1,255}$/);

/** A role's address as a user writes it: 9090, "10.0.0.1:9090" or {"host", "port"}; `host` may be left to --host or --internal-host. */
const address = z.union([
  port.transform((value) => ({ host: null, port: value })),
  z.string().transform((value, context) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(value.trim());
    const parsed = port.safeParse(match?.[3]);
    const host = match?.[1] ?? match?.[2];
    if (!parsed.success || host === undefined) {
      context.addIssue({ code: "custom", message: "no address" });
      return z.NEVER;
    }
    return { host, port: parsed.data };
  }),
  z
    .strictObject({ host: text.optional(), port })
    .transform((value) => ({ host: value.host ?? null, port: value.port })),
]);
export type GivenAddress = z.infer<typeof address>;

/** A replica as a user writes it: an address, whose port is the id then, or an id with one: "9092=10.0.0.1:9192". */
const replica = z.union([
  z
    .strictObject({ id: port, host: text.optional(), port })
    .transform((value) => ({ id: value.id, host: value.host ?? null, port: value.port })),
  z.string().transform((value, context) => {
    const [, id, at] = /^(\d{1,5})=(.+)$/.exec(value) ?? [];
    const parsed = z.object({ id: port, at: address }).safeParse({ id, at });
    if (parsed.success) return { id: parsed.data.id, ...parsed.data.at };
    context.addIssue({ code: "custom", message: "no replica" });
    return z.NEVER;
  }),
  address.transform((at) => ({ id: at.port, ...at })),
]);

const replicas = z.array(replica).min(1);
const commaSeparated = z
  .string()
  .transform((value): z.input<typeof replicas> => value.split(",").map((part) => part.trim()))
  .pipe(replicas);

const addresses = z.array(address).min(1);

/** How many, counting up from the first port; or each one's address. */
const countOrAddresses = z.union([wholeNumber(1, 16), addresses.max(16)]);

const cache = z.union([
  z.literal(["memory", "none"]),
  z.literal(false).transform(() => "none" as const),
  z.string().refine(isRedisUrl),
]);

/** `redis://[user@]host[:port][/db]`. A password in it is refused with words of its own, later. */
function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  return (
    /^rediss?:$/.test(protocol) &&
    hostname !== "" &&
    /^(\/\d*)?$/.test(pathname) &&
    `${search}${hash}` === ""
  );
}

/** As a browser sends it: scheme, host and port, nothing after. */
const origin = z.string().regex(/^(\*|https?:\/\/[^\s/,]+)$/);
const origins = listOf(origin);

/** A name or an address that a process is reached by, without a port. */
const allowedHost = z.string().transform((value, context) => {
  const host = canonicalHost(value);
  if (host !== null) return host;
  context.addIssue({ code: "custom", message: "no host" });
  return z.NEVER;
});

/** Texts with commas between, or in a file a list. */
function listOf<T extends z.ZodType<string, string>>(item: T) {
  const list = z.array(item).min(1).max(64);
  const text = z.string().transform((value) => value.split(",").map((part) => part.trim()));
  return z.union([text.pipe(list), list]);
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

interface OptionSpec {
  /** The placeholder of its value in the help. */
  readonly value: string;
  readonly help: string;
  readonly schema: z.ZodType;
  readonly wants: string;
  /** What the flag means without a value; without it, it needs one. */
  readonly alone?: string;
}

const portWants = "a port, a whole number from 1 to 65535";

/** Every option but --config, by the name it has on the command line and in a file. */
export const optionSpecs = {
  data: {
    value: "DIR",
    help: "directory of all files (default: ./data)",
    schema: text,
    wants: "a directory",
  },
  host: {
    value: "HOST",
    help: "address that front ends listen on (default: 127.0.0.1)",
    schema: host,
    wants: "a host name or an address",
  },
  "internal-host": {
    value: "HOST",
    help: "address that catalogs and replicas listen on (default: 127.0.0.1)",
    schema: host,
    wants: "a host name or an address",
  },
  port: {
    value: "N",
    help: "port of the first front end; further ones count up (default: 8000)",
    schema: port,
    wants: portWants,
  },
  frontends: {
    value: "N",
    help: "how many front ends (default: 1)",
    schema: countOrAddresses,
    wants: 'a whole number from 1 to 16, or in a file a list of {"host", "port"}',
  },
  "catalog-port": {
    value: "N",
    help: "port of the first catalog; further ones count up (default: 9096)",
    schema: port,
    wants: portWants,
  },
  catalogs: {
    value: "N",
    help: "how many catalogs (default: 1)",
    schema: countOrAddresses,
    wants: 'a whole number from 1 to 16, or in a file a list of {"host", "port"}',
  },
  replicas: {
    value: "IDS",
    help: "ids of the order replicas, with addresses where the port isn't the id: 9090,9092=HOST:PORT,9094 (default: 9090,9092,9094)",
    schema: z.union([commaSeparated, replicas]),
    wants: "ids with commas between, like 9090,9092=127.0.0.1:9192,9094",
  },
  engine: {
    value: "WHERE",
    help: "what keeps the order log: builtin, or postgres://USER@HOST:PORT,HOST:PORT/DATABASE, or postgres for up to start one to try (default: builtin)",
    schema: z
      .string()
      .regex(/^(?:builtin|postgres|postgres(?:ql)?:\/\/[^/?@]*@?[^/?@]+(?:[/?].*)?)$/),
    wants: "builtin, postgres or postgres://USER@HOST:PORT/DATABASE",
  },
  "accept-loss": {
    value: "YES",
    help: "with --engine postgres: a primary that waits for no standby will do, though trades are lost with it (default: no)",
    schema: z.union([z.boolean(), z.literal(["yes", "no"]).transform((word) => word === "yes")]),
    wants: "yes or no",
  },
  stocks: {
    value: "FILE",
    help: "first stocks of a new cluster, a CSV of name,price,quantity",
    schema: text,
    wants: "a file",
  },
  cache: {
    value: "WHERE",
    help: "the front ends' cache: memory, redis://HOST:PORT or none (default: memory)",
    schema: cache,
    wants: "memory, none or redis://HOST:PORT",
  },
  "cache-size": {
    value: "N",
    help: "most stocks that the cache in memory holds (default: 1000)",
    schema: wholeNumber(1, 10_000_000),
    wants: "a whole number from 1 to 10000000",
  },
  "redis-password-file": {
    value: "FILE",
    help: "file with the password of the Redis server (default: BAZAAR_REDIS_PASSWORD, or none)",
    schema: text,
    wants: "a file",
  },
  "redis-maxmemory": {
    value: "BYTES",
    help: "sets maxmemory of the Redis server (default: left as it is)",
    schema: z
      .union([z.string(), z.int().min(0).transform(String)])
      .pipe(z.string().regex(/^\d{1,15}([kmg]b?)?$/i)),
    wants: "a number of bytes, like 10485760 or 10mb",
  },
  "redis-maxmemory-policy": {
    value: "POLICY",
    help: "sets maxmemory-policy of the Redis server (default: left as it is)",
    schema: z.string().regex(/^[a-z-]{1,40}$/),
    wants: "a policy of Redis, like volatile-ttl",
  },
  "cors-origin": {
    value: "ORIGINS",
    help: "sites whose pages may ask the front ends, with commas between (default: none)",
    schema: origins,
    wants: "origins with commas between, like https://shop.example, or *",
  },
  "allowed-hosts": {
    value: "HOSTS",
    help: "names that requests may come under, with commas between (default: this machine's)",
    schema: listOf(allowedHost),
    wants: "host names or addresses with commas between, without ports, like bazaar.example",
  },
  "rate-limit": {
    value: "N",
    help: "what one address may ask of a front end, units a second, a lookup being one; 0: all (default: 10000, this machine's own: all)",
    schema: wholeNumber(0, 1_000_000_000),
    wants: "units a second, a whole number from 0 to 1000000000",
  },
  "trust-proxy": {
    value: "ADDRESSES",
    help: "proxies whose X-Forwarded-For says whom they ask for, with commas between (default: none)",
    schema: listOf(z.string().refine(isAddressRange)),
    wants: "addresses or ranges with commas between, like 10.0.0.1,10.1.0.0/16",
  },
  "drain-ms": {
    value: "N",
    help: "how long a front end that is terminated goes on taking connections (default: 12000)",
    schema: wholeNumber(0, 600_000),
    wants: "milliseconds, a whole number from 0 to 600000",
  },
  "tls-cert": {
    value: "FILE",
    help: "certificate that front ends serve HTTPS with, PEM (default: HTTP on this machine, beyond it what the cluster made)",
    schema: text,
    wants: "a file",
  },
  "tls-key": {
    value: "FILE",
    help: "its private key, PEM",
    schema: text,
    wants: "a file",
  },
  ca: {
    value: "FILE",
    help: "authorities that commands trust beside the system's, PEM",
    schema: text,
    wants: "a file",
  },
  "peer-cert": {
    value: "FILE",
    help: "certificate for connections between processes, named as they are (default: what the cluster made)",
    schema: text,
    wants: "a file",
  },
  "peer-key": {
    value: "FILE",
    help: "its private key, PEM",
    schema: text,
    wants: "a file",
  },
  "peer-ca": {
    value: "FILE",
    help: "authorities that the others' certificates come from, PEM",
    schema: text,
    wants: "a file",
  },
  insecure: {
    value: "YES",
    help: "listen beyond this machine without TLS: yes or no (default: no)",
    schema: z.union([z.boolean(), z.literal(["yes", "no"]).transform((word) => word === "yes")]),
    wants: "yes or no",
    /** What the flag means without a value. */
    alone: "yes",
  },
  "audit-log": {
    value: "FILE",
    help: "file of JSON lines of who did what (default: none)",
    schema: text,
    wants: "a file",
  },
  "jwt-issuer": {
    value: "URL",
    help: "an identity provider, whose tokens front ends take beside keys (default: none)",
    schema: z.url({ protocol: /^https?$/ }),
    wants: "a URL, like https://login.example",
  },
  "jwt-audience": {
    value: "NAME",
    help: "with --jwt-issuer: what its tokens for this bazaar have in aud (default: stock-bazaar)",
    schema: z.string().regex(/^\S{1,255}$/),
    wants: "a name without blanks",
  },
  "jwt-claim": {
    value: "NAME",
    help: "with --jwt-issuer: the claim with what a token may (default: scope)",
    schema: z.string().regex(/^\S{1,255}$/),
    wants: "a name without blanks",
  },
  "log-level": {
    value: "LEVEL",
    help: "trace, debug, info, warn, error, fatal or silent (default: info)",
    schema: z.literal(LOG_LEVELS),
    wants: "one of trace, debug, info, warn, error, fatal, silent",
  },
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof optionSpecs;
export type OptionValue<N extends OptionName> = z.output<(typeof optionSpecs)[N]["schema"]>;

export const optionNames = Object.keys(optionSpecs) as readonly OptionName[];

/** `catalog-port` in the environment is BAZAAR_CATALOG_PORT. */
export function environmentName(option: string): string {
  return `BAZAAR_${option.replaceAll("-", "_").toUpperCase()}`;
}

/** What the user gave on the command line, as text; `cache: false` is --no-cache. */
export type Flags = Readonly<Partial<Record<OptionName | "config", string | false>>>;

/** Those that addClusterOptions() made: a command may have one of its own by the name of another. */
const clusterOptions = new WeakSet<Option>();

/** Adds the options, but for those that the command means otherwise; read them back with {@link givenFlags}. */
export function addClusterOptions(command: Command, but: readonly OptionName[] = []): Command {
  for (const name of optionNames) {
    if (but.includes(name)) continue;
    const spec: OptionSpec = optionSpecs[name];
    add(
      spec.alone === undefined
        ? new Option(`--${name} <${spec.value}>`, spec.help)
        : new Option(`--${name} [${spec.value}]`, spec.help).preset(spec.alone),
    );
    if (name === "cache") add(new Option("--no-cache", "the same as --cache none"));
  }
  add(new Option("--config <FILE>", "JSON of these options by the same names, and addresses"));
  return command;

  function add(option: Option): void {
    clusterOptions.add(option);
    command.addOption(option);
  }
}

/** The options that were given as flags, not those that commander would fill in. */
export function givenFlags(command: Command): Flags {
  const flags: Partial<Record<OptionName | "config", string | false>> = {};
  for (const name of [...optionNames, "config"] as const) {
    const attribute = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (command.getOptionValueSource(attribute) !== "cli") continue;
    if (
      !command.options.some(
        (option) => clusterOptions.has(option) && option.attributeName() === attribute,
      )
    )
      continue;
    const value: unknown = command.getOptionValue(attribute);
    if (typeof value === "string" || value === false) flags[name] = value;
  }
  return flags;
}

/** The flags again as arguments, for a role that is started with the same options. */
export function flagArguments(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) =>
    value === false ? [`--no-${name}`] : [`--${name}=${value}`],
  );
}
