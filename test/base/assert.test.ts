import { expect, it } from 'vitest';
import { AssertionError, assert, broken, unreachable } from '../../src/base/assert.ts';
import { ChimneyError } from '../../src/base/errors.ts';

it('lets true pass and names the broken promise otherwise', () => {
  expect(() => assert(true, 'never said')).not.toThrow();
  expect(() => assert(1 > 2, 'one is more than two')).toThrow(new AssertionError('one is more than two'));
});

it('names a promise that was found broken', () => {
  expect(() => broken('slot 7 is in use')).toThrow(new AssertionError('slot 7 is in use'));
});

it('names the value that an exhaustive switch did not expect', () => {
  expect(() => unreachable('surprise' as never)).toThrow('unreachable: surprise');
});

it('gives a misuse a stable code, a message and its cause', () => {
  const cause = new RangeError('too many');
  const error = new ChimneyError('ERR_CHIMNEY_EXAMPLE', 'use fewer', { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(AssertionError);
  expect(error).toMatchObject({ name: 'ChimneyError', code: 'ERR_CHIMNEY_EXAMPLE', message: 'use fewer', cause });
});
