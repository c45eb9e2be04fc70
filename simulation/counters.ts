// What happened in a run, counted, so that a quiet simulation is seen to be quiet.

export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  merge(other: Counters): void {
    for (const [name, count] of other.#counts) this.add(name, count);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  entries(): readonly (readonly [name: string, count: number])[] {
    return [...this.#counts];
  }

  /** `name count`, one a line, by name. */
  lines(): string[] {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${count.toLocaleString("en").padStart(14)}  ${name}`);
  }
}
