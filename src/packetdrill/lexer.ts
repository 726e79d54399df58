/**
 * Tokens of the packetdrill language: numbers, words, strings, shell commands in backticks, code between `%{` and `}%`,
 * options `--name=value`, addresses and punctuation. Comments are C's and C++'s.
 */
import { ScriptError } from './script-error.ts';

export type TokenKind =
  | 'option'
  | 'float'
  | 'integer'
  | 'hex'
  | 'word'
  | 'string'
  | 'command'
  | 'code'
  | 'ipv4'
  | 'ipv6'
  | 'ellipsis'
  | 'mark'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Without quotes and brackets; punctuation as it is. */
  readonly text: string;
  readonly line: number;
  /** Where it begins and ends in the script. */
  readonly at: number;
  readonly end: number;
}

const IPV6_GROUPS =
  /(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?(?::\d+\.\d+\.\d+\.\d+)?/;

/** In the order in which they are tried; of those that match at a place the longest counts, as with flex. */
const RULES: readonly (readonly [TokenKind | 'skip', RegExp])[] = [
  ['skip', /[ \t\r\n\f]+/y],
  ['skip', /\/\/[^\n]*/y],
  ['skip', /\/\*[\s\S]*?\*\//y],
  ['code', /%\{[\s\S]*?\}%/y],
  ['option', /--[a-zA-Z0-9_]+(?:[ \t]*=[ \t]*(?:[a-zA-Z0-9_]+=)?(?:"[^"]*"|`[^`]*`|[^\s"`]+))?/y],
  ['ellipsis', /\.\.\./y],
  ['ipv6', new RegExp(IPV6_GROUPS.source, 'y')],
  ['ipv4', /\d+\.\d+\.\d+\.\d+/y],
  ['float', /-?\d*\.\d+/y],
  ['hex', /0x[0-9a-fA-F]+/y],
  ['integer', /-?\d+/y],
  ['word', /[a-zA-Z0-9_]+/y],
  ['string', /"(?:\\.|[^"\\])*"/y],
  ['command', /`(?:\\[\s\S]|[^`\\])*`/y],
  ['mark', /\S/y],
];

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  while (at < source.length) {
    const [kind, text] = longestAt(source, at);
    if (kind === 'mark' && (text === '`' || text === '"')) throw new ScriptError(line, `${text} without an end`);
    if (kind !== 'skip') tokens.push({ kind, text: inside(kind, text), line, at, end: at + text.length });
    for (const character of text) if (character === '\n') line++;
    at += text.length;
  }
  tokens.push({ kind: 'end', text: 'the end of the script', line, at, end: at });
  return tokens;
}

function longestAt(source: string, at: number): [TokenKind | 'skip', string] {
  let best: [TokenKind | 'skip', string] = ['mark', ''];
  for (const [kind, pattern] of RULES) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0] ?? '';
    if (text.length > best[1].length) best = [kind, text];
    // A command or a comment may hold anything, also what another rule would take further.
    if (text !== '' && (kind === 'skip' || kind === 'code' || kind === 'option')) break;
  }
  return best;
}

function inside(kind: TokenKind, text: string): string {
  if (kind === 'string' || kind === 'command') return text.slice(1, -1);
  return kind === 'code' ? text.slice(2, -2) : text;
}
