// `bazaar client`: the lab's client against a running bazaar.

import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { BazaarClient, BazaarError } from "../../client/index.ts";
import { urlOf } from "../../roles/config.ts";
import { trustAuthorities } from "../closed.ts";
import { columns } from "../columns.ts";
import { apiKeyGiven, clusterCommand, configOf } from "../command.ts";
import { allMatched, type LabResult, runLab } from "../lab-client.ts";
import { numberGiven } from "../numbers.ts";
import { shown, UserError } from "../user-error.ts";

/** A bazaar that isn't there is not waited for as long as one that fails over, milliseconds. */
const FIRST_ANSWER_LIMIT_MS = 5_000;
const CLIENTS = { min: 1, max: 10_000, isWhole: true } as const;
const ITERATIONS = { min: 1, max: 100_000_000, isWhole: true } as const;
const PROBABILITY = { min: 0, max: 1, isWhole: false } as const;

interface ClientOptions {
  readonly clients: string;
  readonly iterations: string;
  readonly probability: string;
  readonly url?: string;
  readonly keyFile?: string;
  readonly json?: true;
}

export function clientCommand(): Command {
  return clusterCommand("client", "the lab's client: looks up, trades, and checks every order")
    .option("--clients <N>", "how many at once", "5")
    .option("--iterations <N>", "lookups of each", "200")
    .option("--probability <P>", "of a trade after a lookup, 0 to 1", "0.8")
    .option("--url <URL>", "a front end (default: all that are configured)")
    .option("--key-file <FILE>", "file with the API key (default: BAZAAR_KEY, or none)")
    .option("--json", "the summary as JSON")
    .action(async (options: ClientOptions, command: Command) => {
      const clients = numberGiven("--clients", options.clients, CLIENTS);
      const iterations = numberGiven("--iterations", options.iterations, ITERATIONS);
      const probability = numberGiven("--probability", options.probability, PROBABILITY);
      const config = configOf(command);
      trustAuthorities(config);
      const urls = options.url
        ? [options.url]
        : config.frontends.map((frontend) => urlOf(config, frontend));
      const key = apiKeyGiven(options.keyFile);
      const bazaars = urls.map((url) => bazaarAt(url, key));
      const names = await stockNames(bazaars[0], urls[0]);
      const bar = progressBar();
      bar?.start(clients * iterations, 0);
      const result = await runLab({
        bazaars,
        names,
        clients,
        iterations,
        probability,
        random: Math.random,
        now: () => performance.now(),
        onProgress: (done, total) => {
          bar?.setTotal(total);
          bar?.update(done);
        },
      });
      bar?.stop();
      process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : summary(result));
      process.exitCode = allMatched(result) ? 0 : 1;
    });
}

function bazaarAt(url: string, key: string | undefined): BazaarClient {
  try {
    return new BazaarClient({ url, ...(key !== undefined && { key }) });
  } catch {
    throw new UserError(`--url must be like http://127.0.0.1:8000, not ${shown(url)}`);
  }
}

async function stockNames(bazaar: BazaarClient | undefined, url = ""): Promise<readonly string[]> {
  try {
    const stocks = (await bazaar?.stocks({ timeoutMs: FIRST_ANSWER_LIMIT_MS })) ?? [];
    if (stocks.length === 0) throw new UserError('there is no stock: "npx bazaar list" adds one');
    return stocks.map((stock) => stock.name);
  } catch (error) {
    if (!(error instanceof BazaarError)) throw error;
    if (error.kind === "unauthorized" || error.kind === "forbidden") {
      throw new UserError(
        `${url} says: ${error.message}. Put a key that may read and trade into BAZAAR_KEY, or into a file that --key-file names`,
      );
    }
    throw new UserError(
      `no bazaar answers at ${url} (${error.message}): "npx bazaar up" starts one`,
    );
  }
}

/** Only for eyes: in a file or a pipe it would be noise. */
function progressBar(): SingleBar | null {
  if (process.stderr.isTTY !== true) return null;
  return new SingleBar({
    format: "{bar} {percentage} % | {value}/{total} | {duration_formatted}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    stopOnComplete: false,
  });
}

function summary(result: LabResult): string {
  const rate = result.seconds > 0 ? Math.round(result.requests / result.seconds) : 0;
  const ms = (value: number | null) => (value === null ? "-" : value.toFixed(1));
  const latencies = (["lookup", "trade", "order"] as const).map((kind) => {
    const { count, p50, p95, p99 } = result.latencyMs[kind];
    return [kind, String(count), ms(p50), ms(p95), ms(p99)];
  });
  return [
    columns([
      ["requests", `${result.requests} in ${result.seconds.toFixed(1)} s, ${rate}/s`],
      ["trades", `${result.trades}`],
      ["refusals", `${result.refusals}`],
      ["failures", `${result.failures}`],
      ["matched", `${result.matched}/${result.total}`],
    ]),
    columns([["latency, ms", "calls", "p50", "p95", "p99"], ...latencies]),
    ...result.problems.map((problem) => `${problem}\n`),
  ].join("");
}
