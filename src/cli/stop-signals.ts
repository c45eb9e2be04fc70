// Signals that ask this process to stop: the first politely, a later one for good.

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/**
 * Signals this close together are one, milliseconds: on Ctrl-C the terminal
 * signals the whole group, and npm passes its own on besides.
 */
export const SAME_WISH_MS = 300;

export interface StopSignals {
  /** Settles with the name of the first signal. */
  readonly asked: Promise<NodeJS.Signals>;
  /** Settles with the name of a further one. */
  readonly insisted: Promise<NodeJS.Signals>;
}

/** From now on the signals no longer end the process by themselves. `now` is monotonic, in milliseconds. */
export function stopSignals(
  source: Pick<NodeJS.EventEmitter, "on"> = process,
  now: () => number = () => performance.now(),
): StopSignals {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  const insisted = Promise.withResolvers<NodeJS.Signals>();
  let askedAt: number | null = null;
  for (const signal of STOP_SIGNALS) {
    source.on(signal, () => {
      if (askedAt === null) {
        askedAt = now();
        asked.resolve(signal);
      } else if (now() - askedAt >= SAME_WISH_MS) {
        insisted.resolve(signal);
      }
    });
  }
  return { asked: asked.promise, insisted: insisted.promise };
}

/** The exit status by which a shell knows that `signal` ended a program. */
export function signalStatus(signal: NodeJS.Signals): number {
  return signal === "SIGINT" ? 130 : signal === "SIGHUP" ? 129 : 143;
}
