// Simulated time: a heap of things to do, each at its moment. Ties are broken by
// the order of scheduling, so that a run is the same every time.

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Scheduler {
  readonly #heap: Task[] = [];
  #order = 0;
  /** Milliseconds since the run began. */
  now = 0;
  executed = 0;

  /** Runs `run` after `delayMs`. */
  after(delayMs: number, run: () => void): void {
    const task = { at: this.now + Math.max(0, delayMs), order: this.#order, run };
    this.#order += 1;
    const heap = this.#heap;
    let index = heap.push(task) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(task, heap[parent] as Task)) break;
      heap[index] = heap[parent] as Task;
      index = parent;
    }
    heap[index] = task;
  }

  /** Runs everything due until `untilMs`; false when there was nothing left. */
  runUntil(untilMs: number): void {
    for (let task = this.#heap[0]; task && task.at <= untilMs; task = this.#heap[0]) {
      this.#pop();
      this.now = task.at;
      this.executed += 1;
      task.run();
    }
    this.now = Math.max(this.now, untilMs);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Task;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Task, heap[child] as Task))
        child += 1;
      if (!before(heap[child] as Task, last)) break;
      heap[index] = heap[child] as Task;
      index = child;
    }
    heap[index] = last;
  }
}

function before(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
