/**
 * Values of options: text to number, checked at once. Commander puts option and value in front of the message, which
 * says what the option takes.
 */
import { InvalidArgumentError } from 'commander';

export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max.toLocaleString('en-US')}.`);
  };
}

export function decimalNumber(min: number, max: number, unit: string): (text: string) => number {
  return text => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a number from ${min} to ${max} (${unit}).`);
  };
}

export function oneOf(choices: readonly string[]): (text: string) => string {
  return text => {
    if (choices.includes(text)) return text;
    throw new InvalidArgumentError(`It takes ${choices.join(', ')}.`);
  };
}

/** A name or path; one that looks like an option is a value that was forgotten. */
export function name(text: string): string {
  if (text === '' || text.startsWith('--')) throw new InvalidArgumentError('It takes a name, which is missing.');
  return text;
}

/** Several, with commas. */
export function listOf<T>(parse: (text: string) => T): (text: string) => T[] {
  return text => text.split(',').map(part => parse(part.trim()));
}
