/**
 * Misuse of the public API (style: the fourth kind of error). `code` is stable; the message names what was wrong and
 * what to do about it, in one line.
 */
export class ChimneyError extends Error {
  override readonly name: string = 'ChimneyError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
