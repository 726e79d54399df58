/**
 * The parser's place in the tokens of a script: looking, taking, and complaining about what is not there. Words that the
 * script or the command line defines (`--define NAME=value`) are replaced as they are taken.
 */
import { ScriptError } from './script-error.ts';
import { type Token, tokenize, type TokenKind } from './lexer.ts';

export class TokenStream {
  readonly source: string;
  readonly #tokens: Token[];
  readonly #defined = new Map<string, Token>();
  #next = 0;

  constructor(source: string) {
    this.source = source;
    this.#tokens = tokenize(source);
  }

  define(name: string, value: string): void {
    const [token] = tokenize(value);
    this.#defined.set(name, token!);
  }

  /** The token `ahead` of the next one. */
  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)]!;
    const defined = token.kind === 'word' ? this.#defined.get(token.text) : undefined;
    return defined === undefined ? token : { ...token, kind: defined.kind, text: defined.text };
  }

  get line(): number {
    return this.peek().line;
  }

  /** Where the last token that was taken ends. */
  get takenEnd(): number {
    return this.#next === 0 ? 0 : this.#tokens[this.#next - 1]!.end;
  }

  take(): Token {
    const token = this.peek();
    this.#next++;
    return token;
  }

  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return (token.kind === 'mark' || token.kind === 'word') && token.text === text;
  }

  isKind(kind: TokenKind, ahead = 0): boolean {
    return this.peek(ahead).kind === kind;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.#next++;
    return true;
  }

  expect(text: string): Token {
    if (!this.is(text)) throw this.wrong(`'${text}'`);
    return this.take();
  }

  expectKind(kind: TokenKind, what: string = kind): Token {
    if (!this.isKind(kind)) throw this.wrong(what);
    return this.take();
  }

  /** A number without a point, in [least, most]. */
  integer(what: string, least: number, most: number): number {
    const token = this.peek();
    if (token.kind !== 'integer' && token.kind !== 'hex') throw this.wrong(what);
    const value = Number(token.text);
    if (value < least || value > most) throw new ScriptError(token.line, `${what} out of range: ${token.text}`);
    this.#next++;
    return value;
  }

  wrong(expected: string): ScriptError {
    const { text, line } = this.peek();
    return new ScriptError(line, `syntax error: expected ${expected}, found '${text.slice(0, 40)}'`);
  }
}
