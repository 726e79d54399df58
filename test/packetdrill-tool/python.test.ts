/** The Python of code blocks. */
import { describe, expect, test } from 'vitest';
import { AssertionFailure, Python } from '../../src/packetdrill/python.ts';
import { PythonError } from '../../src/packetdrill/python-values.ts';
import { Unsupported } from '../../src/packetdrill/script-error.ts';

function python(names: Record<string, number> = {}): Python {
  const one = new Python();
  for (const [name, value] of Object.entries(names)) one.set(name, value);
  return one;
}

describe('code of scripts', () => {
  test.each([
    'assert 1 + 2 * 3 == 7',
    'assert -7 // 2 == -4 and -7 % 3 == 2 and 7 / 2 == 3.5',
    'assert 2 ** 3 ** 2 == 512',
    'assert 1 < 2 <= 2 != 3',
    'assert not (1 > 2 > 0)',
    'assert (0x10 | 3) & 0x1f == 0x13',
    'assert 1 << 40 >> 38 == 4',
    'assert ~0 == -1',
    'assert max(1, 5, 3) - abs(-2) == 3',
    'x = 5; x += 2; x *= 3\nassert x == 21, x',
    'assert (1 +\n 2) == 3 # a comment',
    "assert 'a' + \"b\" == 'ab'",
    'assert (1 if 0 else 2) == 2',
    'assert True and not False and None is None and 1 is not None',
    'if 0: assert False',
    'assert 0 or 5',
    'pass',
  ])('holds: %s', source => {
    python().run(source, 1);
  });

  test('fails with the condition and the message', () => {
    expect(() => python({ tcpi_snd_cwnd: 11 }).run("assert tcpi_snd_cwnd == 10, 'cwnd=%d' % tcpi_snd_cwnd", 1)).toThrow(
      new AssertionFailure('tcpi_snd_cwnd == 10: cwnd=11'),
    );
  });

  test('keeps names from block to block, and prints', () => {
    const one = python({ tcpi_rtt: 20_000 });
    one.run('before = tcpi_rtt', 1);
    one.set('tcpi_rtt', 30_000);
    one.run("print(before, tcpi_rtt, '%s' % 'x')", 2);
    expect(one.output).toEqual(['20000 30000 x']);
  });

  test('does not look at what the left side has decided', () => {
    python().run('assert 1 or unknown', 1);
    python().run('assert not (0 and unknown)', 1);
    expect(() => python().run('assert unknown', 1)).toThrow(PythonError);
  });

  test.each(['import os', 'for x in y: pass', 'x = [1]', 'f"{x}"', 'x.y()', 'def f(): pass', 'assert exec("1")'])(
    'is unsupported: %s',
    source => {
      expect(() => python({ x: 1, y: 1 }).check(source, 3)).toThrow(Unsupported);
    },
  );
});
