/**
 * Values of the Python in scripts, and what its operators do to them: whole and other numbers, strings, truth.
 * Where Python and JavaScript differ — division, remainder, bits beyond 32 — Python is followed.
 */
export type PythonValue = number | string | boolean | null;

/** An error of the Python itself, as of a name that nobody has set. */
export class PythonError extends Error {}

export function isTrue(value: PythonValue): boolean {
  return value !== null && value !== false && value !== 0 && value !== '';
}

export function show(value: PythonValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

function toNumber(value: PythonValue): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new PythonError(`not a number: ${show(value)}`);
}

export function compare(operator: string, left: PythonValue, right: PythonValue): boolean {
  if (operator === 'is') return left === right;
  const bothText = typeof left === 'string' && typeof right === 'string';
  const a = bothText || left === null || typeof left === 'string' ? left : toNumber(left);
  const b = bothText || right === null || typeof right === 'string' ? right : toNumber(right);
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  if (typeof a !== typeof b || a === null || b === null) {
    throw new PythonError(`cannot compare ${show(left)} ${operator} ${show(right)}`);
  }
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

export function unary(operator: string, value: PythonValue): PythonValue {
  const number = toNumber(value);
  if (operator === '-') return -number;
  return operator === '~' ? -number - 1 : number;
}

export function binary(operator: string, left: PythonValue, right: PythonValue): PythonValue {
  if (operator === '%' && typeof left === 'string') return format(left, [right]);
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
  const a = toNumber(left);
  const b = toNumber(right);
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**':
      return a ** b;
    case '/':
    case '//':
    case '%':
      return divide(operator, a, b);
    default:
      return bitwise(operator, a, b);
  }
}

/** The remainder has the sign of the divisor. */
function divide(operator: string, a: number, b: number): number {
  if (b === 0) throw new PythonError('division by zero');
  if (operator === '/') return a / b;
  const quotient = Math.floor(a / b);
  return operator === '//' ? quotient : a - quotient * b;
}

/** On as many bits as it takes: rates have 64. */
function bitwise(operator: string, a: number, b: number): number {
  if (!Number.isInteger(a) || !Number.isInteger(b)) throw new PythonError(`${operator} of ${a} and ${b}`);
  const [x, y] = [BigInt(a), BigInt(b)];
  switch (operator) {
    case '&':
      return Number(x & y);
    case '|':
      return Number(x | y);
    case '^':
      return Number(x ^ y);
    case '<<':
      return Number(x << y);
    default:
      return Number(x >> y);
  }
}

/** printf-style formatting, for messages. */
export function format(text: string, values: readonly PythonValue[]): string {
  let next = 0;
  return text.replace(/%(?:%|[-+ 0#]*\d*(?:\.(\d+))?([diuxXsrfge]))/g, (whole, digits?: string, kind?: string) => {
    if (whole === '%%') return '%';
    const value = values[next++] ?? null;
    if (kind === 'x' || kind === 'X') return toNumber(value).toString(16);
    if (kind === 'f') return toNumber(value).toFixed(digits === undefined ? 6 : Number(digits));
    if (kind === 'd' || kind === 'i' || kind === 'u') return String(Math.trunc(toNumber(value)));
    return show(value);
  });
}
