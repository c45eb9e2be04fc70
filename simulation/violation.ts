// A promise of the system was broken in a run.

export class Violation extends Error {
  override readonly name = "Violation";
}
