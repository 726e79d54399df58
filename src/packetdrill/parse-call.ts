/**
 * System call lines: `+0...0.1 read(4, ..., 1000) = 1000`, `connect(3, ..., ...) = -1 EINPROGRESS (Operation now in
 * progress)`. Arguments are numbers, words, strings, arrays, structures `{name=value, …}`, and values joined with `|`.
 */
import type { CallAction, Expression } from './ast.ts';
import { Unsupported } from './script-error.ts';
import type { TokenStream } from './token-stream.ts';

/** `endUs`: when it returns, or -1. */
export function parseCall(tokens: TokenStream, endUs: number): CallAction {
  const name = tokens.expectKind('word', 'a packet, a system call, a command or code').text;
  tokens.expect('(');
  const args = tokens.is(')') ? [] : parseList(tokens);
  tokens.expect(')');
  tokens.expect('=');
  const result = parseExpression(tokens);
  let errno = '';
  if (tokens.isKind('word')) {
    errno = tokens.take().text;
    skipNote(tokens);
  }
  if (tokens.is('(')) skipNote(tokens);
  return { kind: 'call', name, args, endUs, result, errno };
}

/** What strace says about an error, in parentheses. */
function skipNote(tokens: TokenStream): void {
  if (!tokens.accept('(')) return;
  while (!tokens.is(')')) {
    if (tokens.isKind('end')) throw tokens.wrong("')'");
    tokens.take();
  }
  tokens.expect(')');
}

function parseList(tokens: TokenStream): Expression[] {
  const items: Expression[] = [];
  do items.push(parseExpression(tokens));
  while (tokens.accept(','));
  return items;
}

function parseExpression(tokens: TokenStream): Expression {
  let left = parsePrimary(tokens);
  while (tokens.accept('|')) left = { t: 'or', left, right: parsePrimary(tokens) };
  return left;
}

function parsePrimary(tokens: TokenStream): Expression {
  const { kind, line } = tokens.peek();
  if (kind === 'ellipsis') {
    tokens.take();
    return { t: 'ellipsis' };
  }
  if (kind === 'integer' || kind === 'hex') return { t: 'number', value: Number(tokens.take().text) };
  if (kind === 'string') return parseString(tokens);
  if (tokens.accept('[')) {
    const items = tokens.is(']') ? [] : parseList(tokens);
    tokens.expect(']');
    return { t: 'list', items };
  }
  if (tokens.accept('{')) return parseBraces(tokens, line);
  const name = tokens.expectKind('word', 'an expression').text;
  if (tokens.accept('(')) {
    const argument = parseExpression(tokens);
    tokens.expect(')');
    return { t: 'call', name, argument };
  }
  return { t: 'word', name };
}

/** Strings that stand side by side are one. */
function parseString(tokens: TokenStream): Expression {
  let value = '';
  while (tokens.isKind('string')) value += unescape(tokens.take().text);
  if (tokens.isKind('ellipsis')) tokens.take();
  return { t: 'string', value };
}

function unescape(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/g, (_, code: string) => {
    if (code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    return { n: '\n', t: '\t', r: '\r' }[code] ?? code;
  });
}

/** A structure with named fields — `msg_iov(2)=[…]` has a count — or values in a row. */
function parseBraces(tokens: TokenStream, line: number): Expression {
  if (tokens.is('(') || tokens.is('flags')) throw new Unsupported(line, 'MPLS and GRE structures');
  const isNamed = tokens.isKind('word') && (tokens.is('=', 1) || tokens.is('(', 1));
  if (!isNamed) {
    const items = parseList(tokens);
    tokens.expect('}');
    return { t: 'list', items };
  }
  const fields = new Map<string, Expression>();
  do {
    const name = tokens.expectKind('word', 'a field').text;
    if (tokens.accept('(')) {
      parseExpression(tokens);
      tokens.expect(')');
    }
    tokens.expect('=');
    fields.set(name, parseExpression(tokens));
  } while (tokens.accept(','));
  tokens.expect('}');
  return { t: 'struct', fields };
}
