// Where a process says what happens: one JSON line an event to its log file,
// the same for people on the terminal when it runs in the foreground.
//
// A line is written before the call that logs it returns, in this process: no
// worker thread (12 MB each, and lines lost when the process is killed), so
// nothing has to be flushed before an exit. What is logged at a level that is
// off costs about 15 ns; guard what is costly to say with log.isLevelEnabled().

import { type LevelWithSilent, type Logger, pino, stdTimeFunctions } from "pino";
import { RollingFile } from "./rolling-file.ts";

export interface LoggerOptions {
  /** ROLE: `frontend`, `catalog`, `order-9094` …; in every line as `role`. */
  readonly name: string;
  readonly level: LevelWithSilent;
  /** The log file, DIR/logs/ROLE.log; its folder is made. Without: no file. */
  readonly file?: string;
  /** Readable lines on stdout, coloured on a terminal. Without it and without a file, JSON lines go there. */
  readonly pretty?: boolean;
  /** Instead of process.stdout. */
  readonly stdout?: Output;
}

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/**
 * The logger of one process. Each line has `level` (its name), `time` (ISO
 * 8601, UTC), `role`, `pid`, `msg`, and what the event adds. Rejects with the
 * system's error when the file can't be opened.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const writers: ((line: string) => unknown)[] = [];
  if (options.file !== undefined) {
    const file = new RollingFile({ path: options.file });
    writers.push((line) => file.write(line));
  }
  if (options.pretty === true || options.file === undefined) {
    const stdout = options.stdout ?? processStdout();
    const format = options.pretty === true ? await prettyFormat(stdout.isTTY === true) : String;
    writers.push((line) => stdout.write(format(line)));
  }
  return pino(
    {
      level: options.level,
      base: { role: options.name, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        for (const write of writers) write(line);
      },
    },
  );
}

async function prettyFormat(colorize: boolean): Promise<(line: string) => string> {
  // Loaded only where it is used: 3 MB and 40 ms that processes in the background do without.
  const { prettyFactory } = await import("pino-pretty");
  return prettyFactory({
    colorize,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "role,pid",
    messageFormat: "{role} {msg}",
    singleLine: true,
  });
}

function processStdout(): Output {
  // A reader that goes away (a closed terminal, `| head`) mustn't take a replica with it.
  process.stdout.on("error", () => {});
  return process.stdout;
}
