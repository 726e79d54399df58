/**
 * The filter `grep` over lines of text (POSIX grep), as scripts use it to look for a word in what a command reports.
 * Basic and extended expressions become JavaScript's.
 */
import { ScriptError, Unsupported } from './script-error.ts';

const FLAGS = /^-[EFGivqwe]+$/;
const LONG: Readonly<Record<string, string>> = {
  '--quiet': '-q',
  '--silent': '-q',
  '--invert-match': '-v',
  '--ignore-case': '-i',
  '--extended-regexp': '-E',
  '--fixed-strings': '-F',
  '--word-regexp': '-w',
};

/** The lines that it lets through. */
export function grep(words: readonly string[], lines: readonly string[], line: number): readonly string[] {
  const pattern = patternOf(words, line);
  const isInverted = flagsOf(words).includes('v');
  return lines.filter(each => pattern.test(each) !== isInverted);
}

/** What has to be in a line that it lets through; null: it looks for what is not there. */
export function soughtBy(words: readonly string[], line: number): string | null {
  const { source } = patternOf(words, line);
  return flagsOf(words).includes('v') ? null : source;
}

function patternOf(words: readonly string[], line: number): RegExp {
  if (words[0] !== 'grep' && words[0] !== 'egrep' && words[0] !== 'fgrep') {
    throw new Unsupported(line, `shell pipes to ${words[0]}`);
  }
  const texts = words.slice(1).filter(word => !isFlag(word));
  const unknown = texts.find(word => word.startsWith('-'));
  if (unknown !== undefined) throw new Unsupported(line, `grep ${unknown}`);
  const [text] = texts;
  if (text === undefined || texts.length > 1) throw new ScriptError(line, 'grep wants one pattern');
  const flags = flagsOf(words);
  const isFixed = flags.includes('F') || words[0] === 'fgrep';
  const isExtended = flags.includes('E') || words[0] === 'egrep';
  const source = isFixed ? text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : isExtended ? text : fromBasic(text);
  const bounded = flags.includes('w') ? `\\b(?:${source})\\b` : source;
  return new RegExp(bounded, flags.includes('i') ? 'i' : '');
}

function isFlag(word: string): boolean {
  return FLAGS.test(word) || Object.hasOwn(LONG, word);
}

function flagsOf(words: readonly string[]): string {
  return words
    .filter(isFlag)
    .map(word => LONG[word] ?? word)
    .join('');
}

/** Basic expressions have a backslash in front of what is an operator, and none in front of what is a character. */
function fromBasic(text: string): string {
  return text.replace(/\\([+?(){}|])|([+?(){}|])/g, (_, operator?: string, character?: string) =>
    operator === undefined ? `\\${character}` : operator,
  );
}
