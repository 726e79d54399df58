/**
 * The Python of `%{ … }%`: what scripts use to look at TCP_INFO. Assertions, printing, assignments, and expressions over
 * numbers and strings; names keep their values from block to block. A block that wants more of Python is unsupported.
 */
import { type PythonToken, pythonTokens } from './python-tokens.ts';
import { binary, compare, format, isTrue, PythonError, type PythonValue, show, unary } from './python-values.ts';
import { Unsupported } from './script-error.ts';

export class AssertionFailure extends Error {}

const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=', 'is']);
/** From the loosest to the tightest; all of them associate to the left. */
const LEVELS = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];
const ASSIGNMENTS = new Set(['+=', '-=', '*=', '/=', '//=', '%=', '&=', '|=', '^=', '<<=', '>>=', '**=']);
const CONSTANTS: Readonly<Record<string, PythonValue>> = { True: true, False: false, None: null };

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  int: Math.trunc,
  round: value => Math.round(value),
  float: value => value,
};

export class Python {
  readonly #names = new Map<string, PythonValue>();
  /** What `print` has printed. */
  readonly output: string[] = [];
  #tokens: PythonToken[] = [];
  #next = 0;
  #line = 0;
  /** False while what is read is not to be done. */
  #live = true;

  set(name: string, value: PythonValue): void {
    this.#names.set(name, value);
  }

  /** Throws AssertionFailure, PythonError or Unsupported. */
  run(text: string, line: number): void {
    this.#tokens = pythonTokens(text, line);
    this.#next = 0;
    this.#line = line;
    this.#live = true;
    while (this.#peek().kind !== 'end') {
      if (this.#peek().kind === 'newline') this.#next++;
      else this.#statement();
    }
  }

  /** Reads a block without doing it: Unsupported, if it is. */
  check(text: string, line: number): void {
    this.#tokens = pythonTokens(text, line);
    this.#next = 0;
    this.#line = line;
    this.#live = false;
    while (this.#peek().kind !== 'end') {
      if (this.#peek().kind === 'newline') this.#next++;
      else this.#statement();
    }
  }

  #statement(): void {
    const { kind, text } = this.#peek();
    if (kind !== 'name') throw this.#unsupported();
    if (text === 'assert') this.#assert();
    else if (text === 'print') this.#print();
    else if (text === 'pass') this.#next++;
    else if (text === 'if') this.#if();
    else this.#assign();
    if (this.#peek().kind !== 'newline' && this.#peek().kind !== 'end') throw this.#unsupported();
  }

  #assert(): void {
    const from = ++this.#next;
    const holds = isTrue(this.#expression());
    const to = this.#next;
    const message = this.#accept(',') ? show(this.#expression()) : '';
    if (holds || !this.#live) return;
    const source = this.#tokens
      .slice(from, to)
      .map(token => token.text)
      .join(' ');
    throw new AssertionFailure(message === '' ? source : `${source}: ${message}`);
  }

  #print(): void {
    this.#next++;
    const values: PythonValue[] = [];
    this.#expect('(');
    while (!this.#accept(')')) {
      values.push(this.#expression());
      if (!this.#is(')')) this.#expect(',');
    }
    if (this.#live) this.output.push(values.map(show).join(' '));
  }

  /** One statement behind a condition, on the same line. */
  #if(): void {
    this.#next++;
    const condition = isTrue(this.#expression());
    this.#expect(':');
    const { kind } = this.#peek();
    if (kind === 'newline' || kind === 'end') throw this.#unsupported();
    const before = this.#live;
    this.#live = before && condition;
    this.#statement();
    this.#live = before;
  }

  #assign(): void {
    const { text: name } = this.#take();
    const { text: operator } = this.#take();
    if (operator !== '=' && !ASSIGNMENTS.has(operator)) throw this.#unsupported();
    const value = this.#expression();
    if (!this.#live) return;
    const result = operator === '=' ? value : binary(operator.slice(0, -1), this.#valueOf(name), value);
    this.#names.set(name, result);
  }

  // --- expressions ---

  #expression(): PythonValue {
    const value = this.#or();
    if (!this.#accept('if')) return value;
    const condition = isTrue(this.#or());
    this.#expect('else');
    const other = this.#expression();
    return condition ? value : other;
  }

  #or(): PythonValue {
    let left = this.#and();
    while (this.#accept('or')) {
      const right = this.#unless(isTrue(left), () => this.#and());
      if (!isTrue(left)) left = right;
    }
    return left;
  }

  #and(): PythonValue {
    let left = this.#not();
    while (this.#accept('and')) {
      const right = this.#unless(!isTrue(left), () => this.#not());
      if (isTrue(left)) left = right;
    }
    return left;
  }

  /** The right side of what the left has decided is only read. */
  #unless(decided: boolean, read: () => PythonValue): PythonValue {
    const before = this.#live;
    this.#live = before && !decided;
    const value = read();
    this.#live = before;
    return value;
  }

  #not(): PythonValue {
    return this.#accept('not') ? !isTrue(this.#not()) : this.#comparison();
  }

  /** `a <= b <= c` holds when both do. */
  #comparison(): PythonValue {
    let left = this.#level(0);
    if (!COMPARISONS.has(this.#peek().text)) return left;
    let holds = true;
    while (COMPARISONS.has(this.#peek().text)) {
      const operator = this.#take().text;
      const negated = operator === 'is' && this.#accept('not');
      const right = this.#level(0);
      if (this.#live) holds &&= compare(operator, left, right) !== negated;
      left = right;
    }
    return holds;
  }

  #level(level: number): PythonValue {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#level(level + 1);
    while (this.#peek().kind === 'operator' && operators.includes(this.#peek().text)) {
      const operator = this.#take().text;
      if (operator === '%' && typeof left === 'string' && this.#is('(')) {
        left = format(left, this.#tuple());
        continue;
      }
      const right = this.#level(level + 1);
      left = this.#live ? binary(operator, left, right) : 0;
    }
    return left;
  }

  #tuple(): PythonValue[] {
    this.#expect('(');
    const values: PythonValue[] = [];
    while (!this.#accept(')')) {
      values.push(this.#expression());
      if (!this.#is(')')) this.#expect(',');
    }
    return values;
  }

  #unary(): PythonValue {
    const { text } = this.#peek();
    if (text === '-' || text === '+' || text === '~') {
      this.#next++;
      const value = this.#unary();
      return this.#live ? unary(text, value) : 0;
    }
    const base = this.#primary();
    if (!this.#accept('**')) return base;
    const power = this.#unary();
    return this.#live ? binary('**', base, power) : 0;
  }

  #primary(): PythonValue {
    const { kind, text } = this.#take();
    if (kind === 'number') return Number(text);
    if (kind === 'string') return this.#string(text);
    if (text === '(') {
      const value = this.#expression();
      this.#expect(')');
      return value;
    }
    if (kind !== 'name') throw this.#unsupported();
    return this.#is('(') ? this.#call(text) : this.#valueOf(text);
  }

  #string(text: string): string {
    if (text.startsWith('f')) throw this.#unsupported();
    let value = text.replace(/^[ru]?['"]|['"]$/g, '');
    while (this.#peek().kind === 'string') value += this.#string(this.#take().text);
    return value;
  }

  #call(name: string): PythonValue {
    const values = this.#tuple();
    if (name === 'str' || name === 'repr') return show(values[0] ?? null);
    const work = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (work === undefined) throw new Unsupported(this.#line, `Python: ${name}()`);
    return work(...values.map(Number));
  }

  #valueOf(name: string): PythonValue {
    if (Object.hasOwn(CONSTANTS, name)) return CONSTANTS[name]!;
    const value = this.#names.get(name);
    if (value !== undefined) return value;
    if (!this.#live) return 0;
    throw new PythonError(`name '${name}' is not defined`);
  }

  // --- tokens ---

  #peek(): PythonToken {
    return this.#tokens[this.#next]!;
  }

  #take(): PythonToken {
    const token = this.#peek();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.kind !== 'string' && token.text === text;
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#unsupported();
  }

  #unsupported(): Unsupported {
    const rest = this.#tokens.slice(Math.max(0, this.#next - 1), this.#next + 4).map(({ text }) => text);
    return new Unsupported(this.#line, `Python: … ${rest.join(' ').trim()} …`);
  }
}
