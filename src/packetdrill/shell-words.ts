/**
 * The words of shell commands: quotes, comments, line continuation, `$((…))`, lists with `;`, `&&` and newlines, pipes,
 * redirections. What the commands mean is said in shell.ts.
 */
import { Unsupported } from './script-error.ts';

/** Commands, each of which reads what the one before it writes. */
export type Pipeline = readonly (readonly string[])[];

/** The words of each command. Redirections stay as words only where something is written to a file (`echo`). */
export function pipelinesOf(text: string, line: number): Pipeline[] {
  const pipelines: string[][][] = [];
  let commands: string[][] = [];
  let words: string[] = [];
  const endCommand = (): void => {
    const kept = withoutNoise(words);
    if (kept.length > 0) commands.push(kept);
    words = [];
  };
  const end = (): void => {
    endCommand();
    if (commands.length > 0) pipelines.push(commands);
    commands = [];
  };
  const pattern =
    /\\\n|[ \t\r]+|#[^\n]*|(\n|;|&&|\|\||\||&(?!>))|(\d?>&\d|&>|\d?>>?|<)|((?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|'[^']*'|\$\(\([\s\S]*?\)\)|\$\{\w+\}|[^\s;&|<>"'\\])+)/y;
  for (let at = 0; at < text.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new Unsupported(line, `shell text: ${text.slice(at, at + 40)}`);
    const [, separator, redirection, word] = match;
    if (separator === '|') endCommand();
    else if (separator !== undefined) end();
    else if (redirection === '>') words.push('>');
    else if (redirection !== undefined && !/&\d$/.test(redirection)) words.push('2>');
    else if (word !== undefined) words.push(expand(word, line));
  }
  end();
  return pipelines;
}

/** `2> file` and `> /dev/null` say nothing of what a command does. */
function withoutNoise(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const isNoise = words[i] === '2>' || (words[i] === '>' && (words[0] !== 'echo' || words[i + 1] === '/dev/null'));
    if (isNoise) i++;
    else kept.push(words[i]!);
  }
  return kept;
}

function expand(word: string, line: number): string {
  return word.replace(
    /"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'|\\([\s\S])|\$\(\(([\s\S]*?)\)\)/g,
    (_, double?: string, single?: string, escaped?: string, sum?: string) => {
      if (sum !== undefined) return arithmetic(sum, line);
      if (double !== undefined) return expand(double.replace(/'/g, ''), line);
      return single ?? escaped ?? '';
    },
  );
}

/** Products and sums of numbers. */
function arithmetic(text: string, line: number): string {
  if (!/^[\d\s+*-]+$/.test(text)) throw new Unsupported(line, `shell arithmetic: ${text}`);
  const terms = text.replace(/\s+/g, '').match(/[+-]?[\d*]+/g) ?? [];
  const sum = terms.reduce((total, term) => {
    const factors = term.replace(/^[+-]/, '').split('*').map(Number);
    const product = factors.reduce((a, b) => a * b, 1);
    return term.startsWith('-') ? total - product : total + product;
  }, 0);
  return String(sum);
}
