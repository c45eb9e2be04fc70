// What recurs in a process: beats, ticks, looks at connections.
//
// A process that has nothing to do shouldn't be woken by each of them at a moment
// of its own. So they come at multiples of their periods on one clock, that of the
// machine: those of a process come in one turn of its event loop, and what the
// processes of a machine tell each other then arrives together.

/**
 * Calls `run` every `periodMs`, which is asked anew each time, until what it returns is called. It
 * comes behind the poll phase: after a pause, what arrived meanwhile is read first. Two calls are at
 * most a quarter more than a period apart, on time.
 */
export function recurring(periodMs: () => number, run: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const wait = (): void => {
    const period = periodMs();
    const leftMs = period - ((performance.timeOrigin + performance.now()) % period);
    const isEarly = leftMs < period / 4; // timers may be, by a moment
    timer = setTimeout(() => setImmediate(call), Math.ceil(isEarly ? leftMs + period : leftMs));
  };
  const call = (): void => {
    if (isOver) return;
    run();
    if (!isOver) wait();
  };
  wait();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
