// Signals that ask this process to stop: the first politely, a later one for good.
//
// `npx` runs a shell that runs us, and passes a SIGTERM on to that shell only,
// which dies of it. So under npx, and only there, the end of the parent counts
// as the signal that didn't come; elsewhere it may be a terminal that was closed
// on purpose. SIGHUP is what a terminal sends when it is closed, and what a service is
// sent that is to read its files anew: which of them, who runs without a terminal knows.

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/**
 * Signals this close together are one, milliseconds: on Ctrl-C the terminal
 * signals the whole group, and npm passes its own on besides.
 */
export const SAME_WISH_MS = 300;

/** How often the parent is looked for under npx, milliseconds. */
const PARENT_POLL_MS = 250;

/** What this is told by: the process, or a test. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  readonly ppid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface StopSignals {
  /** Settles with the name of the first signal. */
  readonly asked: Promise<NodeJS.Signals>;
  /** Settles with the name of a further one. */
  readonly insisted: Promise<NodeJS.Signals>;
}

/**
 * From now on the signals no longer end the process by themselves. `now` is monotonic, in milliseconds.
 * SIGHUP calls `hangup`, where it is given, and stops nothing.
 */
export function stopSignals(
  source: SignalSource = process,
  now: () => number = () => performance.now(),
  hangup: (() => void) | null = null,
): StopSignals {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  const insisted = Promise.withResolvers<NodeJS.Signals>();
  let askedAt: number | null = null;
  const receive = (signal: NodeJS.Signals) => {
    if (askedAt === null) {
      askedAt = now();
      asked.resolve(signal);
    } else if (now() - askedAt >= SAME_WISH_MS) {
      insisted.resolve(signal);
    }
  };
  for (const signal of STOP_SIGNALS) {
    source.on(signal, () => {
      if (signal === "SIGHUP" && hangup !== null) hangup();
      else receive(signal);
    });
  }
  if (source.env.npm_command === "exec") {
    const parent = source.ppid;
    const poll = setInterval(() => {
      if (source.ppid === parent) return;
      clearInterval(poll);
      if (askedAt === null) receive("SIGTERM");
    }, PARENT_POLL_MS);
    poll.unref();
  }
  return { asked: asked.promise, insisted: insisted.promise };
}

/** The exit status by which a shell knows that `signal` ended a program. */
export function signalStatus(signal: NodeJS.Signals): number {
  return signal === "SIGINT" ? 130 : signal === "SIGHUP" ? 129 : 143;
}
