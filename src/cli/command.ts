// What all commands share: the options, and how they become a configuration.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { OWNER_ONLY_UMASK } from "../io/private-files.ts";
import { readSecretFile } from "../io/rpc/secret.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { addClusterOptions, environmentName, givenFlags, type OptionName } from "./options.ts";
import { resolveConfig } from "./resolve-config.ts";
import { fileLabel, UserError } from "./user-error.ts";

/** A key of the bazaar's, or a token of an issuer's. */
const API_KEY = /^[A-Za-z0-9._~+/-]+=*$/;

/** The stocks that come with the package. */
export const STOCKS_SHIPPED = join(import.meta.dirname, "../../stocks.csv");

/** A command that takes the options every command takes, but for those that it means otherwise. */
export function clusterCommand(
  name: string,
  description: string,
  but: readonly OptionName[] = [],
): Command {
  const command = new Command(name).description(description).helpOption("-h, --help");
  // Before any file is made, SQLite's and those of worker threads included; whatever it was.
  command.hook("preAction", () => void process.umask(OWNER_ONLY_UMASK));
  return addClusterOptions(command, but);
}

/** The configuration as the command was given it. Throws UserError. */
export function configOf(command: Command): ClusterConfig {
  const flags = givenFlags(command);
  const cwd = process.cwd();
  const path = flags.config || process.env[environmentName("config")] || null;
  return resolveConfig({
    flags,
    environment: process.env,
    file: path === null ? null : readConfigFile(resolve(cwd, path)),
    cwd,
    stocksShipped: STOCKS_SHIPPED,
  });
}

/** Of the environment: an option would show in the list of processes. */
const API_KEY_VARIABLE = environmentName("key");

/** The API key for front ends: in `file`, which only its owner may read, or in the environment; undefined without one. */
export function apiKeyGiven(file: string | undefined): string | undefined {
  const what = 'put a key there, in one line: "npx bazaar key add" makes one';
  const key =
    file === undefined ? process.env[API_KEY_VARIABLE] : readSecretFile(file, what).trim();
  if (key === undefined || key === "") return undefined;
  if (API_KEY.test(key)) return key;
  throw new UserError(`${file ?? API_KEY_VARIABLE} holds no key: ${what}`);
}

/** Reads the JSON. Throws UserError when it isn't there or isn't JSON. */
export function readConfigFile(path: string): { readonly path: string; readonly content: unknown } {
  const text = readFileSync(path, "utf8");
  try {
    return { path, content: JSON.parse(text) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(`${fileLabel(path)} is not JSON: ${why}`);
  }
}
