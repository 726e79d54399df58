/**
 * Tokens of the Python in scripts: numbers, strings, names, operators.
 * A newline or `;` outside of brackets ends a statement; indentation means nothing, since no block has a body.
 */
import { Unsupported } from './script-error.ts';

export interface PythonToken {
  readonly kind: 'number' | 'string' | 'name' | 'operator' | 'newline' | 'end';
  readonly text: string;
}

const PATTERN =
  /(?<skip>[ \t\r]+|#[^\n]*|\\\r?\n)|(?<newline>\n|;)|(?<number>0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?<string>[fru]?"(?:\\.|[^"\\\n])*"|[fru]?'(?:\\.|[^'\\\n])*')|(?<name>[A-Za-z_]\w*)|(?<operator>\*\*=|\/\/=|<<=|>>=|\*\*|\/\/|<<|>>|[=!<>+\-*/%&|^]=|[-+*/%&|^~<>=(),:.[\]{}])/y;

export function pythonTokens(text: string, line: number): PythonToken[] {
  const tokens: PythonToken[] = [];
  let depth = 0;
  for (let at = 0; at < text.length; at = PATTERN.lastIndex) {
    PATTERN.lastIndex = at;
    const groups = PATTERN.exec(text)?.groups;
    if (groups === undefined) throw new Unsupported(line, `Python: ${text.slice(at, at + 20).trim()}`);
    const { newline, number, string, name, operator } = groups;
    if (newline !== undefined && depth === 0) tokens.push({ kind: 'newline', text: newline });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (operator !== undefined) {
      if ('([{'.includes(operator)) depth++;
      if (')]}'.includes(operator)) depth--;
      tokens.push({ kind: 'operator', text: operator });
    }
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}
