// One role in the foreground of this process: from its start to its last file.
//
// It stops by a signal, when the `up` that started it is gone, or when the role
// can't go on; and then its port, its locks and its pid file are free.
//
//   - The pid file is there only while the role holds its port or lock.
//   - What ends the process, an uncaught exception too, is in the log with its
//     reason, and is the last line on stderr.
//   - SIGTERM lets a role be left in peace: clients find others first. Ctrl-C, and
//     the end of its `up`, are in haste.
//   - SIGHUP has it read its certificates anew, where it has any and no terminal.
//   - A second signal ends it at once, and a close that hangs is not waited for.

import type { RoleOptions, RunningRole } from "../roles/role.ts";
import { tellParent } from "./misconfiguration.ts";
import { writePidFile } from "./pid-file.ts";
import { signalStatus, stopSignals } from "./stop-signals.ts";
import { errorLine } from "./user-error.ts";

/** A role that hasn't closed by then is left to the exit, milliseconds; less than `up` waits before it kills. */
export const CLOSE_LIMIT_MS = 4_000;

export interface RoleRun extends RoleOptions {
  readonly start: (options: RoleOptions) => Promise<RunningRole>;
}

/**
 * Runs the role until it has stopped. Returns the exit status: 0 when it was asked
 * to stop. Rejects with the reason, which is in the log, when it can't start.
 */
export async function runRole({ start, ...options }: RoleRun): Promise<number> {
  const { log, name, config } = options;
  const certificates = [options.credentials.certificates, options.https ?? null].filter(
    (one) => one !== null,
  );
  const stopAsked = whenAskedToStop(
    certificates.length > 0 && !process.stdin.isTTY
      ? () => {
          for (const each of certificates) each.reload();
        }
      : null,
  );
  let removePidFile = () => {};
  process.once("exit", () => removePidFile());
  /** A role that can't write its pid file has not started: it isn't found then by who has to end it. */
  const startWithPidFile = async (): Promise<RunningRole> => {
    const running = await start(options);
    try {
      removePidFile = writePidFile(config.data, name, process.pid);
      return running;
    } catch (error) {
      await running.close();
      throw error;
    }
  };
  const dieOf = (what: string) => (error: unknown) => {
    log.fatal({ err: error }, `${what}: ${errorLine(error)}`);
    say(errorLine(error));
    process.exit(1);
  };
  process.on("uncaughtException", dieOf("Uncaught exception"));
  process.on("unhandledRejection", dieOf("Unhandled rejection"));

  const starting = startWithPidFile().then(
    (running) => ({ kind: "running", running }) as const,
    (error: unknown) => ({ kind: "not-started", error }) as const,
  );
  const started = await Promise.race([starting, stopAsked]);
  // Not served yet: the start is left where it is, as a crash could leave it.
  if (started.kind === "asked") return 0;
  if (started.kind === "not-started") {
    log.fatal({ err: started.error }, `Cannot start: ${errorLine(started.error)}`);
    throw started.error;
  }
  const { running } = started;
  await tellParent({ kind: "ready" });

  const failed = running.failed.then((error) => ({ kind: "failed", error }) as const);
  let end = await Promise.race([stopAsked, failed]);
  if (end.kind === "asked") {
    log.info(`Stopping: ${end.why}`);
    end = await Promise.race([drained(running, end), failed]);
  }
  if (end.kind === "failed") {
    log.fatal({ err: end.error }, `Stopping: ${errorLine(end.error)}`);
    say(errorLine(end.error));
  }
  const isClosed = await closed(running);
  if (isClosed !== true) log.error({ err: isClosed }, `Stopped uncleanly: ${errorLine(isClosed)}`);
  return end.kind === "failed" ? 1 : 0;
}

interface Asked {
  readonly kind: "asked";
  readonly why: string;
  /** Aborted when nobody is to be waited for who isn't served already: a person waits, or the parent. */
  readonly haste: AbortSignal;
}

/** Settles at the first signal, or when the channel to the parent closes; a further signal ends the process. */
function whenAskedToStop(hangup: (() => void) | null): Promise<Asked> {
  const { asked, insisted } = stopSignals(process, undefined, hangup);
  void insisted.then((signal) => process.exit(signalStatus(signal)));
  const hurry = new AbortController();
  const haste = hurry.signal;
  return new Promise((resolve) => {
    void asked.then((signal) => {
      if (signal !== "SIGTERM") hurry.abort();
      resolve({ kind: "asked", why: `received ${signal}`, haste });
    });
    process.once("disconnect", () => {
      hurry.abort();
      resolve({ kind: "asked", why: "the process that started it asked, or is gone", haste });
    });
  });
}

/** Lets it serve those who need it still. */
async function drained(running: RunningRole, asked: Asked): Promise<Asked> {
  await running.drain?.(asked.haste);
  return asked;
}

/** True, or why it didn't close. */
async function closed(running: RunningRole): Promise<true | Error> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<Error>((resolve) => {
    const late = new Error(`closing took longer than ${CLOSE_LIMIT_MS} ms`);
    timer = setTimeout(() => resolve(late), CLOSE_LIMIT_MS);
  });
  const close = running.close().then(
    () => true as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  const result = await Promise.race([close, limit]);
  clearTimeout(timer);
  return result;
}

function say(line: string): void {
  process.stderr.write(`bazaar: ${line}\n`);
}
