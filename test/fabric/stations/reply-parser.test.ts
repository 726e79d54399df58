import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD_BAD, HEAD_INCOMPLETE, ReplyParser } from '../../../src/fabric/stations/reply-parser.ts';

/** Parses `text` in pieces that end at the given places; what the last piece gave, and what was found. */
function parse(text: string, ends: readonly number[] = []): { bodyAt: number; status: number; length: number } {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new ReplyParser(bytes, 2);
  parser.start(1);
  let from = 0;
  let bodyAt = HEAD_INCOMPLETE as number;
  for (const end of [...ends, bytes.length]) {
    bodyAt = parser.parse(1, from, end);
    from = end;
    if (bodyAt !== HEAD_INCOMPLETE) break;
  }
  return { bodyAt, status: parser.status[1]!, length: parser.contentLength[1]! };
}

describe('ReplyParser', () => {
  test.each([
    ['HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\nbody', 200, 500],
    ['HTTP/1.1 200\r\ncontent-LENGTH:0\r\n\r\n', 200, 0],
    ['HTTP/1.0 404 Not Found\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n', 404, -1],
    ['HTTP/1.0 200 OK\nContent-Length: 7\n\nbody', 200, 7],
    [
      'HTTP/1.0 200 OK\r\nX-Content-Length: 9\r\nContent-Lengthy: 8\r\nContent-Length: 2147483647 \r\n\r\n',
      200,
      2147483647,
    ],
    ['HTTP/1.0 200 OK\r\n\r\n', 200, -1],
  ])('reads %j', (text, status, length) => {
    const bodyAt = /\r?\n\r?\n/.exec(text)!;
    expect(parse(text)).toEqual({ bodyAt: bodyAt.index + bodyAt[0].length, status, length });
  });

  test('reads a head in any pieces', () => {
    const text = 'HTTP/1.0 200 OK\r\nServer: c\r\nContent-Length: 12345\r\nContent-Type: a\r\n\r\nbody';
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 10 }), cuts => {
        const ends = cuts.sort((a, b) => a - b);
        expect(parse(text, ends)).toEqual({ bodyAt: text.indexOf('body'), status: 200, length: 12345 });
      }),
    );
  });

  test.each([
    ['SMTP/1.0 200 OK\r\n\r\n'],
    ['HTTP/2.0 200 OK\r\n\r\n'],
    ['HTTP/1.x 200 OK\r\n\r\n'],
    ['HTTP/1.0 2000 OK\r\n\r\n'],
    ['HTTP/1.0 2x0 OK\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\nContent-Length: 12a\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\n\rx'],
    [`HTTP/1.0 200 OK\r\nX: ${'y'.repeat(9000)}`],
  ])('refuses %j', text => {
    expect(parse(text).bodyAt).toBe(HEAD_BAD);
  });

  test('takes any bytes without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        const text = `HTTP/1.0 200 OK\r\n${Buffer.from(bytes).toString('latin1')}`;
        const { bodyAt } = parse(text);
        expect(bodyAt === HEAD_BAD || bodyAt === HEAD_INCOMPLETE || bodyAt <= text.length).toBe(true);
      }),
    );
  });
});
