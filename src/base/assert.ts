/**
 * Assertions for promises inside our own code (style: "broken promise inside our code").
 *
 * A failed assertion is a defect of Chimney, never a consequence of what a peer sent. In a device worker it becomes a
 * device fault that the host reports.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, why: string): asserts condition {
  if (!condition) throw new AssertionError(why);
}

/**
 * Throws as a failed `assert` does, `why` being the promise. Where this happens often and the message is made of values,
 * test first and then call this: `assert` would make the message each time (22 ns), whether it is wanted or not.
 */
export function broken(why: string): never {
  throw new AssertionError(why);
}

/** For the end of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
