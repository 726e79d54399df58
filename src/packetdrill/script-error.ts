/**
 * How a script can go wrong before, or other than by, what the stack does: it is not written as the language has it, or it
 * wants what this tool or its stack does not have.
 */
export class ScriptError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** The script is sound but asks for what is not there; `message` says what. */
export class Unsupported extends ScriptError {}
