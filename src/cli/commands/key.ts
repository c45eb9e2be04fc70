// `bazaar key add`, `list` and `revoke`: the API keys of a bazaar.
//
// A key is `NAME.SECRET`. It is made here and told once, on stdout; the journal gets
// its digest. What is asked for has a request id of operators, made once.

import { hash, randomBytes, randomUUID } from "node:crypto";
import { Command } from "commander";
import { isStockName } from "../../core/market/content.ts";
import {
  isKeyName,
  KEY_NAME_LENGTH_MAX,
  KEY_STOCKS_LENGTH_MAX,
  operatorRequestId,
  RIGHTS,
} from "../../core/market/keys.ts";
import type { ApiKey, Content } from "../../core/market/types.ts";
import { changeMarket } from "../change-market.ts";
import { columns } from "../columns.ts";
import { clusterCommand, configOf } from "../command.ts";
import { withLeader } from "../leader.ts";
import { shown, UserError } from "../user-error.ts";

/** Nobody guesses 256 random bits. */
const SECRET_BYTES = 32;
const UNITS_MS = { h: 3_600_000, d: 86_400_000 } as const;

interface AddOptions {
  readonly may: string;
  readonly stocks?: string;
  readonly expires?: string;
}

export function keyCommand(): Command {
  return new Command("key")
    .description("API keys: who may ask the front ends for what")
    .helpCommand(false)
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function addCommand(): Command {
  return clusterCommand("add", "makes a key, and writes it to stdout", ["stocks"])
    .argument(
      "<NAME>",
      `what orders and logs call it: letters, digits, - and _, ${KEY_NAME_LENGTH_MAX} at most`,
    )
    .requiredOption("--may <RIGHTS>", `${RIGHTS.join(", ")}, with commas between`)
    .option("--stocks <NAMES>", "the only stocks that it is for, with commas between")
    .option("--expires <WHEN>", "a time like 2027-01-31T12:00Z, or in how long: 12h, 90d")
    .action(async (name: string, options: AddOptions, command: Command) => {
      const secret = randomBytes(SECRET_BYTES).toString("base64url");
      const key = keyOf(name, options, hash("sha256", secret), Date.now());
      await change(command, { kind: "key", ...key });
      process.stdout.write(`${name}.${secret}\n`);
      process.stderr.write(
        `This is the key, and is told only now: send it as "Authorization: Bearer KEY". ${whatItMay(key)}\n`,
      );
    });
}

function listCommand(): Command {
  return clusterCommand("list", "all keys, without their secrets").action(
    async (_options: unknown, command: Command) => {
      await withLeader(configOf(command), async (leader) => {
        const answer = await leader.ask({ kind: "keys", known: null });
        if (answer.kind !== "keys") {
          throw new UserError(`the leader answered with ${answer.kind}`);
        }
        const rows = (answer.keys ?? []).map(({ name, may, stocks, expiresAtMs }) => [
          name,
          may,
          stocks === "" ? "all" : stocks,
          expiresAtMs === 0 ? "never" : new Date(expiresAtMs).toISOString(),
        ]);
        process.stdout.write(
          answer.version === 0
            ? 'no key was ever made: everybody who reaches the port may everything; "npx bazaar key add" makes one\n'
            : columns([["name", "may", "stocks", "expires"], ...rows]),
        );
      });
    },
  );
}

function revokeCommand(): Command {
  return clusterCommand("revoke", "ends a key, everywhere within a second")
    .argument("<NAME>", "of the key")
    .action(async (name: string, _options: unknown, command: Command) => {
      if (!isKeyName(name)) throw noName(name);
      await change(command, { kind: "revoke", name });
      process.stdout.write(`${name} is revoked\n`);
    });
}

async function change(command: Command, content: Content): Promise<void> {
  const requestId = operatorRequestId(randomUUID());
  await withLeader(configOf(command), (leader) => changeMarket(leader, content, requestId));
}

/** What `bazaar key add` asks for. Throws UserError. */
export function keyOf(
  name: string,
  { may, stocks = "", expires }: AddOptions,
  digest: string,
  nowMs: number,
): ApiKey {
  if (!isKeyName(name)) throw noName(name);
  const rights = may.split(",").map((right) => right.trim());
  const unknown = rights.find((right) => !RIGHTS.some((known) => known === right));
  if (unknown !== undefined) {
    throw new UserError(
      `--may must be some of ${RIGHTS.join(",")}, with commas between, not ${shown(may)}`,
    );
  }
  const names = stocks === "" ? [] : stocks.split(",").map((stock) => stock.trim());
  const wrong = names.find((stock) => !isStockName(stock));
  if (wrong !== undefined) {
    throw new UserError(
      `--stocks must be names of stocks with commas between, not ${shown(stocks)}`,
    );
  }
  if (names.join().length > KEY_STOCKS_LENGTH_MAX) {
    throw new UserError(`--stocks must have ${KEY_STOCKS_LENGTH_MAX} characters at most`);
  }
  return {
    name,
    digest,
    may: RIGHTS.filter((right) => rights.includes(right)).join(),
    stocks: names.join(),
    expiresAtMs: expires === undefined ? 0 : expiryOf(expires, nowMs),
  };
}

function expiryOf(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const atMs =
    count === undefined
      ? Date.parse(/^\d{4}-\d{2}-\d{2}/.test(text) ? text : "")
      : nowMs + Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (Number.isNaN(atMs)) {
    throw new UserError(
      `--expires must be a time like 2027-01-31T12:00Z, or 12h, or 90d, not ${shown(text)}`,
    );
  }
  if (atMs <= nowMs) throw new UserError(`--expires is over already: ${shown(text)}`);
  return atMs;
}

function whatItMay({ may, stocks, expiresAtMs }: ApiKey): string {
  const until = expiresAtMs === 0 ? "" : `, until ${new Date(expiresAtMs).toISOString()}`;
  return `It may ${may.replaceAll(",", ", ")}${stocks === "" ? "" : ` of ${stocks}`}${until}.`;
}

function noName(name: string): UserError {
  return new UserError(
    `a key's name has 1 to ${KEY_NAME_LENGTH_MAX} letters, digits, - and _, and begins with a letter or a digit, not ${shown(name)}`,
  );
}
