// `npm run bench`: the bazaar measured beside its peers; see README.md here.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { CommanderError } from "commander";
import { findProgram } from "../lab/process.ts";
import { columns } from "../src/cli/columns.ts";
import { UserError } from "../src/cli/user-error.ts";
import { Ground } from "./bazaar.ts";
import { costsSubject } from "./costs.ts";
import { CATCH_UP_IDLE_SLOT, catchUpSubject, Histories, historySubject } from "./history.ts";
import {
  LOAD_AVERAGE_QUIET,
  ORDERS_MANY,
  ORDERS_SOME,
  STOCKS_MANY,
  STOCKS_SOME,
} from "./limits.ts";
import { loadAverage, machine, versionOf } from "./machine.ts";
import { type Options, parseOptions } from "./options.ts";
import { constantSubject } from "./peers/constant.ts";
import { etcdSubject } from "./peers/etcd.ts";
import { postgresSubject } from "./peers/postgres.ts";
import { redisSubject } from "./peers/redis.ts";
import { SWEEP } from "./plots.ts";
import { publish, type Result, resultName } from "./publish.ts";
import { Round, type RoundResult, rotated, type Subject } from "./round.ts";
import { measureRows, SCENARIOS, slotsOf } from "./rows.ts";
import {
  bazaarSubject,
  engineSubject,
  missesSubject,
  securedSubject,
  stocksSubject,
} from "./subjects.ts";
import { costsTables, rowsTable, slotsTable } from "./table.ts";

const RESULTS = join(import.meta.dirname, "results");
const ROOT = resolve(import.meta.dirname, "..");
const MS_PER_S = 1_000;

/** Slow: one round has it. */
const MEASURED_ONCE: ReadonlySet<string> = new Set([CATCH_UP_IDLE_SLOT]);

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, SCENARIOS);
  if (options.from !== null) {
    show(JSON.parse(readFileSync(options.from, "utf8")), options);
    return 0;
  }
  const result = await measure(options, args);
  const file = join(RESULTS, resultName(result.date));
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  show(result, options);
  console.log(`\n${relative(ROOT, file)}, ${result.minutes} minutes`);
  return 0;
}

function show(result: Result, options: Options): void {
  for (const table of [slotsTable(result.rounds), ...costsTables(result.rounds)]) {
    if (table.length > 1) console.log(`\n${columns(table)}`);
  }
  console.log(`\n${columns(rowsTable(result.rows)).replaceAll("**", "")}`);
  for (const line of result.missing) console.log(`left out: ${line}`);
  for (const { failures } of result.rounds) {
    for (const failure of failures) console.log(`\nfailed: ${failure}`);
  }
  if (options.publish) for (const path of publish(result, ROOT)) console.log(`wrote ${path}`);
}

async function measure(options: Options, args: readonly string[]): Promise<Result> {
  const date = new Date();
  const start = performance.now();
  const ground = await Ground.make();
  const histories = new Histories(ground);
  const postgres = postgresSubject();
  const all: readonly Subject[] = [
    constantSubject("node-http"),
    bazaarSubject(ground),
    securedSubject(ground),
    etcdSubject,
    historySubject(histories, ORDERS_MANY),
    postgres,
    engineSubject(ground),
    missesSubject(ground),
    costsSubject(ground),
    catchUpSubject(histories),
    constantSubject("fastify"),
    stocksSubject(ground, STOCKS_MANY),
    stocksSubject(ground, STOCKS_SOME),
    historySubject(histories, ORDERS_SOME),
    redisSubject,
  ];
  const wanted = slotsOf(options.scenarios, SWEEP);
  const subjects = all.filter(({ slots }) => slots.some((slot) => wanted.has(slot)));
  const missing = subjects.flatMap((subject) => {
    const lacks = subject.missing();
    return lacks === null ? [] : [`${subject.name}: the Debian package ${lacks} isn't installed`];
  });
  for (const line of missing) console.log(`left out: ${line}`);
  const rounds: RoundResult[] = [];
  const commands: Record<string, string> = {};
  try {
    for (let number = 0; number < options.rounds; number++) {
      console.log(`round ${number + 1} of ${options.rounds}`);
      const slots = number === 0 ? wanted : wanted.difference(MEASURED_ONCE);
      const round = new Round(options.timing, slots, console.log);
      const loadAverages: number[] = [];
      const present = subjects.filter((subject) => subject.missing() === null);
      for (const subject of rotated(present, number)) {
        const load = loadAverage();
        loadAverages.push(load);
        // Later ones have our own load of the last minute in them.
        if (loadAverages.length === 1 && number === 0 && load > LOAD_AVERAGE_QUIET) {
          console.log(`warning: the load average is ${load.toFixed(2)}, something else is running`);
        }
        try {
          await subject.run(round);
        } catch (error) {
          round.fail(subject.name, error);
        }
      }
      const { samples, failures } = round;
      rounds.push({ samples, failures, loadAverages });
      Object.assign(commands, round.commands);
    }
  } finally {
    postgres.close();
    ground[Symbol.dispose]();
  }
  return {
    date: date.toISOString(),
    minutes: Math.round((performance.now() - start) / MS_PER_S / 6) / 10,
    command: ["npm run bench --", ...args].join(" "),
    machine: machine(),
    versions: versions(),
    rounds,
    rows: measureRows(options.scenarios, rounds),
    missing,
    commands,
  };
}

function versions(): Record<string, string> {
  const programs = { wrk: "-v", etcd: "--version", "redis-server": "--version", psql: "--version" };
  return Object.fromEntries(
    Object.entries(programs).flatMap(([name, option]) =>
      findProgram(name) === null ? [] : [[name, versionOf(name, option)]],
    ),
  );
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => process.exit(130));
}
try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode); // It has told.
  if (!(error instanceof UserError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exit(1);
}
