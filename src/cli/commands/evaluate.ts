// `bazaar evaluate`: measures a bazaar of its own, and writes a report.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SingleBar } from "cli-progress";
import { Command } from "commander";
import { html, markdown, plotFiles } from "../../../lab/report.ts";
import { answersTo } from "../evaluate/answers.ts";
import { aboutNow, evaluate } from "../evaluate/evaluate.ts";
import { reportOf } from "../evaluate/report.ts";
import { allHeld, type Evaluation } from "../evaluate/results.ts";
import { numberGiven } from "../numbers.ts";
import { signalStatus, stopSignals } from "../stop-signals.ts";

const CLIENTS = { min: 1, max: 1_000, isWhole: true } as const;
const ITERATIONS = { min: 1, max: 1_000_000, isWhole: true } as const;
const KILLS = { min: 1, max: 100, isWhole: true } as const;

interface EvaluateFlags {
  readonly out: string;
  readonly clients: string;
  readonly iterations: string;
  readonly kills: string;
}

/** Takes none of the options of a cluster: it measures none but its own. */
export function evaluateCommand(): Command {
  return new Command("evaluate")
    .description("measures a bazaar of its own, and writes a report with plots")
    .helpOption("-h, --help")
    .option("--out <DIR>", "where the report goes", "evaluation")
    .option("--clients <N>", "how many at once", "5")
    .option("--iterations <N>", "lookups of each in each cell of the load", "200")
    .option("--kills <N>", "how often a replica is killed", "6")
    .action(async (flags: EvaluateFlags) => {
      const clients = numberGiven("--clients", flags.clients, CLIENTS);
      const iterations = numberGiven("--iterations", flags.iterations, ITERATIONS);
      const kills = numberGiven("--kills", flags.kills, KILLS);
      const out = resolve(flags.out);
      mkdirSync(out, { recursive: true }); // Refused now, not after a minute of work.
      const stop = new AbortController();
      const stopped = stopSignals().asked.then((signal) => {
        stop.abort(signal);
        return signal;
      });
      const progress = progressDisplay();
      const options = { clients, iterations, kills };
      const work = evaluate({
        ...options,
        about: aboutNow(commandsOf(options)),
        onProgress: progress.update,
        signal: stop.signal,
      });
      try {
        const evaluation = await work;
        progress.end();
        const files = writeReport(out, evaluation);
        process.stdout.write(summary(evaluation, files));
        process.exitCode = allHeld(evaluation) ? 0 : 1;
      } catch (error) {
        progress.end();
        if (!stop.signal.aborted) throw error;
        process.exitCode = signalStatus(await stopped);
      }
    });
}

/** What was typed, defaults filled in, and what it ran. */
function commandsOf(options: Readonly<Record<"clients" | "iterations" | "kills", number>>) {
  const { clients, iterations, kills } = options;
  return [
    `npx bazaar evaluate --clients ${clients} --iterations ${iterations} --kills ${kills}`,
    "# which ran, each on ports and in a folder of its own:",
    "npx bazaar up --no-restart",
    "npx bazaar up --no-restart --no-cache",
    "npx bazaar up --no-restart --cache-size 5",
    "npx bazaar up --no-restart, kill -9 PID, npx bazaar order ID, npx bazaar verify --json",
  ];
}

/** Returns the paths of what it wrote. */
function writeReport(out: string, evaluation: Evaluation): readonly string[] {
  const blocks = reportOf(evaluation);
  const files = [
    ["report.html", html(blocks)],
    ["report.md", markdown(blocks)],
    ["results.json", `${JSON.stringify(evaluation, null, 2)}\n`],
    ...plotFiles(blocks),
  ] as const;
  for (const [name, text] of files) writeFileSync(join(out, name), text);
  return files.map(([name]) => join(out, name));
}

function summary(evaluation: Evaluation, [page = ""]: readonly string[]): string {
  const answers = answersTo(evaluation).map(({ question, text }) => `${question}\n${text}\n\n`);
  return `${answers.join("")}The report is ${page}\n`;
}

/** A bar for eyes; in a file or a pipe a line for each thing that begins. */
function progressDisplay() {
  if (process.stderr.isTTY !== true) {
    let last = "";
    return {
      update: (_part: number, what: string) => {
        if (what !== last) process.stderr.write(`${what}\n`);
        last = what;
      },
      end: () => {},
    };
  }
  const bar = new SingleBar({
    format: "{bar} {percentage} % | {duration_formatted} | {what}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    stopOnComplete: false,
  });
  bar.start(100, 0, { what: "starting a bazaar" });
  return {
    update: (part: number, what: string) => bar.update(Math.floor(part * 100), { what }),
    end: () => bar.stop(),
  };
}
