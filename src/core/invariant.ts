// The one way to say "this can't happen": a broken invariant stops the process
// with the numbers that broke it, because going on could lose an order.

/** A rule of the protocol or of a data structure does not hold; the process must stop. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/**
 * Throws {@link InvariantViolation} unless `condition` holds.
 * `message` states the rule; `numbers` are the values it was broken with.
 */
export function invariant(
  condition: boolean,
  message: string,
  numbers?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) {
    throw new InvariantViolation(numbers ? `${message} ${JSON.stringify(numbers)}` : message);
  }
}
