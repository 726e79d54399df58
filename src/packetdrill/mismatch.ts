/**
 * The stack did something else than the script says: where, what was expected, what was seen.
 * The first one ends a script; its message is the report.
 */
export class Mismatch extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
