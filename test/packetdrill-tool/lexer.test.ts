/** Tokens of packetdrill scripts. */
import { describe, expect, test } from 'vitest';
import { tokenize } from '../../src/packetdrill/lexer.ts';

const kinds = (source: string): string[] =>
  tokenize(source)
    .slice(0, -1)
    .map(({ kind, text }) => `${kind}:${text}`);

describe('the lexer', () => {
  test('tells times, ranges and numbers apart', () => {
    expect(kinds('+.1 0...0.010 +0~+.01 * 0x1f -1')).toEqual([
      'mark:+',
      'float:.1',
      'integer:0',
      'ellipsis:...',
      'float:0.010',
      'mark:+',
      'integer:0',
      'mark:~',
      'mark:+',
      'float:.01',
      'mark:*',
      'hex:0x1f',
      'integer:-1',
    ]);
  });

  test('takes flags, sequence ranges and SACK blocks for no IPv6 addresses', () => {
    expect(kinds('S. 1:1001(1000)')).toEqual([
      'word:S',
      'mark:.',
      'integer:1',
      'mark::',
      'integer:1001',
      'mark:(',
      'integer:1000',
      'mark:)',
    ]);
    expect(kinds('fd3d:fa7b:d17d::0')).toEqual(['ipv6:fd3d:fa7b:d17d::0']);
    expect(kinds('192.0.2.1')).toEqual(['ipv4:192.0.2.1']);
  });

  test('passes over comments and counts their lines', () => {
    const tokens = tokenize('a // x\n/* y\n z */ b');
    expect(tokens.map(({ text, line }) => [text, line])).toEqual([
      ['a', 1],
      ['b', 3],
      ['the end of the script', 3],
    ]);
  });

  test('keeps commands, code, strings and options whole', () => {
    expect(kinds('`a\n b` %{ x = {1} }% "q\\"r" --define=CC="reno" --local_ip=1.2.3.4 // c')).toEqual([
      'command:a\n b',
      'code: x = {1} ',
      'string:q\\"r',
      'option:--define=CC="reno"',
      'option:--local_ip=1.2.3.4',
    ]);
  });

  test('says where a quote has no end', () => {
    expect(() => tokenize('a\n`b')).toThrow('` without an end');
  });
});
