/**
 * Arguments of a system call as numbers and structures; names become what they stand for.
 * Structures of scripts have named fields or values in a row; both are read here and nowhere else.
 */
import type { CallAction, Expression } from './ast.ts';
import { numberOf } from './constants.ts';
import { ScriptError, Unsupported } from './script-error.ts';

/** What a structure has under the name; undefined where it is not there, or the expression is something else. */
export function memberOf(struct: Expression | undefined, name: string): Expression | undefined {
  return struct?.t === 'struct' ? struct.fields.get(name) : undefined;
}

export class CallArguments {
  readonly call: CallAction;
  readonly line: number;

  constructor(call: CallAction, line: number) {
    this.call = call;
    this.line = line;
  }

  get count(): number {
    return this.call.args.length;
  }

  at(index: number): Expression {
    const argument = this.call.args[index];
    if (argument === undefined) throw this.wrong(`${this.call.name} wants more than ${this.count} arguments`);
    return argument;
  }

  isEllipsis(index: number): boolean {
    return this.at(index).t === 'ellipsis';
  }

  number(index: number): number {
    return this.value(this.at(index));
  }

  /** `[5]`, as where a call takes the address of a number. */
  boxed(index: number): number {
    return this.unboxed(this.at(index));
  }

  unboxed(expression: Expression): number {
    if (expression.t !== 'list' || expression.items.length !== 1) throw this.wrong('expected [number]');
    return this.value(expression.items[0]!);
  }

  value(expression: Expression): number {
    switch (expression.t) {
      case 'number':
        return expression.value;
      case 'word':
        return numberOf(expression.name, this.line);
      case 'or':
        return (this.value(expression.left) | this.value(expression.right)) >>> 0;
      case 'call':
        if (expression.name === 'htons' || expression.name === 'htonl') return this.value(expression.argument);
        throw new Unsupported(this.line, `${expression.name}()`);
      case 'ellipsis':
      case 'string':
      case 'list':
      case 'struct':
        throw this.wrong('expected a number');
    }
  }

  /** A field of a structure as a number; `otherwise` where it is not there. */
  field(struct: Expression, name: string, otherwise: number): number {
    const value = memberOf(struct, name);
    return value === undefined || value.t === 'ellipsis' ? otherwise : this.value(value);
  }

  /** Bytes in the buffers of the msghdr that is the second argument. */
  messageLength(): number {
    const message = this.at(1);
    if (message.t !== 'struct') throw this.wrong('expected a msghdr');
    return this.vectorLength(message.fields.get('msg_iov'));
  }

  /** Bytes in the buffers of an iovec array `[{..., 1000}, {..., 2000}]`. */
  vectorLength(expression: Expression | undefined): number {
    if (expression?.t !== 'list') throw this.wrong('expected an array of buffers');
    return expression.items.reduce((sum, item) => {
      const length = memberOf(item, 'iov_len');
      if (length !== undefined) return sum + this.value(length);
      if (item.t !== 'list' || item.items.length !== 2) throw this.wrong('expected {..., length}');
      return sum + this.value(item.items[1]!);
    }, 0);
  }

  wrong(message: string): ScriptError {
    return new ScriptError(this.line, `${this.call.name}: ${message}`);
  }
}
