/** The filter `grep` of scripts. */
import { describe, expect, test } from 'vitest';
import { grep, soughtBy } from '../../src/packetdrill/grep.ts';
import { ScriptError, Unsupported } from '../../src/packetdrill/script-error.ts';

const LINES = ['TcpInSegs 3', 'TcpOutSegs 10', 'a+b (c)', '192.0.2.1:80'];
const found = (...words: string[]): readonly string[] => grep(['grep', ...words], LINES, 1);

describe('grep', () => {
  test.each([
    [['Segs'], ['TcpInSegs 3', 'TcpOutSegs 10']],
    [
      ['-v', 'Segs'],
      ['a+b (c)', '192.0.2.1:80'],
    ],
    [['-qi', 'tcpin'], ['TcpInSegs 3']],
    // Basic expressions, extended ones, and none.
    [['a+b (c)'], ['a+b (c)']],
    [['In\\|Out'], ['TcpInSegs 3', 'TcpOutSegs 10']],
    [['-E', '(In|Out)Segs +[0-9]{2}'], ['TcpOutSegs 10']],
    [['-F', '192.0.2.1:8'], ['192.0.2.1:80']],
    [['-F', '.*'], []],
    [['--word-regexp', 'Tcp'], []],
  ])('%j', (words, lines) => expect(found(...words)).toEqual(lines));

  test('says what it looks for, unless it is for what is not there', () => {
    expect(soughtBy(['grep', '-q', 'TcpInSegs'], 1)).toBe('TcpInSegs');
    expect(soughtBy(['grep', '-v', 'TcpInSegs'], 1)).toBeNull();
  });

  test('is the only filter, and has the usual flags', () => {
    expect(() => grep(['awk', '{print}'], LINES, 1)).toThrow(Unsupported);
    expect(() => found('-A', '3', 'x')).toThrow('grep -A');
    expect(() => found('-q')).toThrow(ScriptError);
  });
});
