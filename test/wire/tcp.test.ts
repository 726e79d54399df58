/** TCP headers and options: RFC 9293 3.1 and 3.2, RFC 7323, RFC 2018, RFC 7413. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emitTcp,
  emitTcpHeader,
  fillTcpChecksum,
  isTcpChecksumValid,
  parseTcp,
  segLenOf,
  TCP,
  TcpFlag,
  TcpHeader,
  TcpParse,
} from '../../src/wire/tcp.ts';
import { emitTimestamps, tcpHeaderLengthFor } from '../../src/wire/tcp-options.ts';
import { ACK, DATA, FAST_OPEN_REQUEST, RST, SYN, TCP_FRAMES, TWO_SACK_BLOCKS, WINDOWS_SYN } from './captures.ts';
import {
  bytesOf,
  emitInside,
  hostileBytes,
  i32,
  L4_AT,
  parseBlind,
  place,
  sharedView,
  tail,
  u16,
  u8,
  viewOf,
} from './support.ts';

const SEGMENTS = TCP_FRAMES.map(frame => tail(frame, L4_AT));

/** The fields as a plain object; blocks beyond the count are leftovers of earlier segments. */
function fieldsOf(header: TcpHeader): Record<string, unknown> {
  const { sackLeft, sackRight, sackCount } = header;
  return {
    ...header,
    sackLeft: Array.from(sackLeft.subarray(0, sackCount)),
    sackRight: Array.from(sackRight.subarray(0, sackCount)),
  };
}

function parse(view: DataView, at = 0, end = view.byteLength): TcpHeader {
  const header = new TcpHeader();
  expect(parseTcp(view, at, end, header)).toBe(TcpParse.Ok);
  return header;
}

/** A segment with these option bytes, padded with EOL to a whole word, parsed. */
function withOptions(hex: string, flags: number = TcpFlag.Syn): TcpHeader {
  const options = hex.replace(/\s/g, '');
  const padded = options.padEnd(Math.ceil(options.length / 8) * 8, '0');
  const view = sharedView(TCP.headerLength + padded.length / 2);
  emitTcpHeader(view, 0, 1, 2, 3, 4, view.byteLength, flags, 5);
  bytesOf(view).set(Buffer.from(padded, 'hex'), TCP.options);
  return parse(view);
}

const absentOr = (value: fc.Arbitrary<number>): fc.Arbitrary<number> => fc.oneof(fc.constant(-1), value);

/** Any valid header whose options fit; a Fast Open cookie lies at offset 0 of the view. */
const anyHeader: fc.Arbitrary<TcpHeader> = fc
  .record({
    srcPort: u16,
    dstPort: u16,
    segSeq: i32,
    segAck: i32,
    flags: u8,
    window: u16,
    urgentPointer: u16,
    mss: absentOr(fc.integer({ min: 1, max: 0xffff })),
    windowScale: absentOr(fc.integer({ min: 0, max: 14 })),
    sackPermitted: fc.boolean(),
    hasTimestamp: fc.boolean(),
    tsVal: i32,
    tsEcr: i32,
    blocks: fc.array(fc.tuple(i32, i32), { maxLength: 4 }),
    fastOpenLength: fc.constantFrom(-1, -1, 0, 4, 6, 8, 10, 12, 14, 16),
  })
  .map(({ blocks, ...fields }) => {
    const header = Object.assign(new TcpHeader(), fields);
    if (!header.hasTimestamp) header.tsVal = header.tsEcr = 0;
    if ((header.flags & TcpFlag.Syn) === 0) header.fastOpenLength = -1;
    if (header.fastOpenLength >= 0) header.fastOpenAt = 0;
    header.sackCount = blocks.length;
    blocks.forEach(([left, right], i) => {
      header.sackLeft[i] = left;
      header.sackRight[i] = right;
    });
    return header;
  })
  .filter(h => lengthFor(h) > 0);

function lengthFor(h: TcpHeader): number {
  return tcpHeaderLengthFor(h.mss, h.windowScale, h.sackPermitted, h.hasTimestamp, h.sackCount, h.fastOpenLength);
}

describe('header', () => {
  test('parse inverts emit for every combination of options', () => {
    fc.assert(
      fc.property(anyHeader, place, fc.nat({ max: 50 }), (header, at, payloadLength) => {
        const { view, end } = emitInside((v, p) => emitTcp(v, p, header), at);
        expect(end - at).toBe(lengthFor(header));
        const out = parse(view, at, end + payloadLength);
        const { fastOpenAt, ...rest } = fieldsOf(out);
        const expected = { ...fieldsOf(header), headerLength: end - at, payloadAt: end, payloadLength };
        expect({ ...rest, fastOpenAt: header.fastOpenAt }).toEqual(expected);
        if (out.fastOpenLength < 0) expect(fastOpenAt).toBe(-1);
        else
          expect(bytesOf(view).slice(out.fastOpenAt, out.fastOpenAt + out.fastOpenLength)).toHaveLength(
            out.fastOpenLength,
          );
      }),
      { numRuns: 500 },
    );
  });

  test('a reused header keeps nothing of the segment before', () => {
    fc.assert(
      fc.property(anyHeader, anyHeader, (first, second) => {
        const reused = new TcpHeader();
        for (const header of [first, second]) {
          const { view, end } = emitInside((v, at) => emitTcp(v, at, header), 32);
          parseTcp(view, 32, end, reused);
          expect(fieldsOf(reused)).toEqual(fieldsOf(parse(view, 32, end)));
        }
      }),
    );
  });

  test('a cookie is copied byte by byte', () => {
    const view = sharedView(128);
    bytesOf(view).set(Buffer.from('0123456789abcdef', 'hex'), 100);
    const header = new TcpHeader();
    header.flags = TcpFlag.Syn;
    header.fastOpenAt = 100;
    header.fastOpenLength = 8;
    const out = parse(view, 4, 4 + emitTcp(view, 4, header));
    expect(Buffer.from(bytesOf(view).slice(out.fastOpenAt, out.fastOpenAt + 8)).toString('hex')).toBe(
      '0123456789abcdef',
    );
  });

  test.each<[string, number, keyof typeof TcpParse]>([
    ['nothing', 0, 'Short'],
    ['19 bytes', 19, 'Short'],
    ['a header cut off', 39, 'DataOffset'],
  ])('refuses %s', (_what, length, status) => {
    expect(parseTcp(SEGMENTS[0], 0, length, new TcpHeader())).toBe(TcpParse[status]);
  });

  test('refuses a data offset below 5', () => {
    for (let words = 0; words < 5; words += 1) {
      const view = viewOf(bytesOf(SEGMENTS[0]));
      view.setUint8(TCP.dataOffset, words << 4);
      expect(parseTcp(view, 0, view.byteLength, new TcpHeader())).toBe(TcpParse.DataOffset);
    }
  });

  test('ignores reserved bits', () => {
    const view = viewOf(bytesOf(SEGMENTS[0]));
    view.setUint8(TCP.dataOffset, view.getUint8(TCP.dataOffset) | 0x0f);
    expect(fieldsOf(parse(view))).toEqual(fieldsOf(parse(SEGMENTS[0])));
  });

  test('SEG.LEN counts SYN and FIN (RFC 9293 3.3.1)', () => {
    const header = new TcpHeader();
    header.payloadLength = 10;
    const cases: [number, number][] = [
      [0, 10],
      [TcpFlag.Syn, 11],
      [TcpFlag.Fin | TcpFlag.Ack, 11],
      [3, 12],
      [0xfc, 10],
    ];
    for (const [flags, length] of cases) {
      header.flags = flags;
      expect(segLenOf(header)).toBe(length);
    }
  });

  test('any bytes: never a throw, never a look outside, all parts within the segment', () => {
    fc.assert(
      fc.property(hostileBytes(SEGMENTS, 80), bytes => {
        parseBlind(bytes, (view, at, end) => {
          const out = new TcpHeader();
          const status = parseTcp(view, at, end, out);
          if (status === TcpParse.Ok) {
            expect(out.payloadAt + out.payloadLength).toBe(end);
            expect(out.payloadAt - at).toBe(out.headerLength);
            expect(out.sackCount).toBeLessThanOrEqual(4);
            expect(out.windowScale).toBeLessThanOrEqual(14);
            expect(out.mss).not.toBe(0);
            if (out.fastOpenLength >= 0) expect(out.fastOpenAt + out.fastOpenLength).toBeLessThanOrEqual(out.payloadAt);
          }
          return { status, out: fieldsOf(out) };
        });
      }),
      { numRuns: 1000 },
    );
  });
});

describe('segments of real senders', () => {
  test('checksums verify, and any flipped bit is found (RFC 9293 MUST-3)', () => {
    for (const frame of TCP_FRAMES) {
      const source = frame.getInt32(26);
      const destination = frame.getInt32(30);
      const length = frame.byteLength - L4_AT;
      expect(isTcpChecksumValid(frame, L4_AT, length, source, destination)).toBe(true);
      expect(isTcpChecksumValid(frame, L4_AT, length, source + 1, destination)).toBe(false);
      const broken = viewOf(bytesOf(frame));
      broken.setUint8(frame.byteLength - 1, broken.getUint8(frame.byteLength - 1) ^ 0x10);
      expect(isTcpChecksumValid(broken, L4_AT, length, source, destination)).toBe(false);
    }
  });

  test('emit reproduces them bit for bit, options in the order of Linux (RFC 9293 MUST-2)', () => {
    for (const frame of TCP_FRAMES.filter(f => f !== WINDOWS_SYN)) {
      const copy = viewOf(bytesOf(frame));
      const header = parse(copy, L4_AT);
      bytesOf(copy).fill(0, L4_AT, header.payloadAt);
      expect(emitTcp(copy, L4_AT, header)).toBe(header.headerLength);
      fillTcpChecksum(copy, L4_AT, copy.byteLength - L4_AT, frame.getInt32(26), frame.getInt32(30));
      expect(bytesOf(copy)).toEqual(bytesOf(frame));
    }
  });

  test('fields are what tcpdump says', () => {
    expect(parse(SYN, L4_AT)).toMatchObject({
      dstPort: 80,
      flags: TcpFlag.Syn,
      window: 64240,
      mss: 1460,
      windowScale: 10,
      sackPermitted: true,
      hasTimestamp: true,
      tsVal: 0xb283b09a | 0,
      tsEcr: 0,
    });
    expect(parse(ACK, L4_AT)).toMatchObject({ headerLength: 32, hasTimestamp: true, tsEcr: 7, segAck: 1001 });
    expect(parse(DATA, L4_AT)).toMatchObject({ flags: TcpFlag.Psh | TcpFlag.Ack, payloadLength: 18 });
    expect(parse(RST, L4_AT)).toMatchObject({ flags: TcpFlag.Rst | TcpFlag.Ack, window: 0, headerLength: 20 });
    expect(parse(FAST_OPEN_REQUEST, L4_AT)).toMatchObject({ fastOpenLength: 0, unknownOptions: 0 });
    expect(parse(WINDOWS_SYN, L4_AT)).toMatchObject({ mss: 1460, sackPermitted: true, windowScale: -1 });
    expect(fieldsOf(parse(TWO_SACK_BLOCKS, L4_AT))).toMatchObject({ sackLeft: [1301, 1101], sackRight: [1351, 1151] });
  });
});

describe('options', () => {
  test('the usual layout and the general parser agree', () => {
    fc.assert(
      fc.property(i32, i32, (tsVal, tsEcr) => {
        const view = sharedView(36);
        emitTcpHeader(view, 0, 1, 2, 3, 4, 32, TcpFlag.Ack, 5);
        emitTimestamps(view, 20, tsVal, tsEcr);
        const fast = fieldsOf(parse(view, 0, 32));
        // One more word of padding takes the header off the fast path.
        view.setUint8(TCP.dataOffset, 9 << 4);
        expect({ ...fieldsOf(parse(view)), headerLength: 32, payloadAt: 32 }).toEqual(fast);
        expect(fast).toMatchObject({ hasTimestamp: true, tsVal, tsEcr });
      }),
    );
  });

  test('32 bytes of header that only resemble the usual layout go the general way', () => {
    expect(withOptions('01010809 0000000000000000')).toMatchObject({ hasTimestamp: false, unknownOptions: 1 });
    expect(withOptions('0101080b 0000000000000000')).toMatchObject({ hasTimestamp: false, malformedOptions: true });
    expect(withOptions('080a 00000001 00000002 0101')).toMatchObject({ hasTimestamp: true, tsVal: 1, tsEcr: 2 });
    expect(withOptions('0101 0512 0000000100000002')).toMatchObject({ sackCount: 0, malformedOptions: true });
  });

  test('need not begin on a word boundary (RFC 9293 MUST-64)', () => {
    expect(withOptions('01 020405b4 01 030307')).toMatchObject({ mss: 1460, windowScale: 7, malformedOptions: false });
  });

  test('may come in any segment (RFC 9293 MUST-5)', () => {
    expect(withOptions('020405b4', TcpFlag.Ack).mss).toBe(1460);
  });

  test('unknown kinds are skipped by their length (RFC 9293 MUST-6, MUST-68)', () => {
    expect(withOptions('fd06aabbccdd 1e02 020405b4')).toMatchObject({
      mss: 1460,
      unknownOptions: 2,
      malformedOptions: false,
    });
  });

  test('nothing behind the end of the list is read', () => {
    expect(withOptions('00 020405b4')).toMatchObject({ mss: -1, malformedOptions: false });
    expect(withOptions('01 00 ff 00')).toMatchObject({ unknownOptions: 0, malformedOptions: false });
  });

  test('the last one of a kind counts', () => {
    expect(withOptions('020405b4 02040200').mss).toBe(512);
  });

  test('a shift count above 14 is taken for 14 (RFC 7323 2.3)', () => {
    expect(withOptions('03030e').windowScale).toBe(14);
    expect(withOptions('03030f').windowScale).toBe(14);
    expect(withOptions('0303ff').windowScale).toBe(14);
  });

  test('an MSS of zero is ignored', () => {
    expect(withOptions('02040000')).toMatchObject({ mss: -1, unknownOptions: 1 });
  });

  test('a cookie counts only with SYN and with an even length of 4 to 16 (RFC 7413 4.1.1)', () => {
    const cookie = (length: number): string => `22${(length + 2).toString(16).padStart(2, '0')}${'ab'.repeat(length)}`;
    for (let length = 0; length <= 20; length += 1) {
      const valid = length === 0 || (length >= 4 && length <= 16 && length % 2 === 0);
      expect(withOptions(cookie(length)).fastOpenLength).toBe(valid ? length : -1);
      expect(withOptions(cookie(length), TcpFlag.Ack).fastOpenLength).toBe(-1);
    }
  });

  /** Kind, its length byte, and how many bytes stand there in all; 12 bytes of NOP follow unless the list ends. */
  const KINDS: [string, number, number][] = [
    ['MSS', 2, 4],
    ['window scale', 3, 3],
    ['SACK permitted', 4, 2],
    ['SACK', 5, 10],
    ['timestamps', 8, 10],
    ['an unknown kind', 253, 4],
  ];

  describe.each(KINDS)('malformed %s', (_name, kind, length) => {
    const bytes = (size: number, claimed: number): string =>
      Buffer.from([kind, claimed, ...new Array<number>(Math.max(0, size - 2)).fill(0x11)]).toString('hex');

    test.each([0, 1])('a length of %i ends the list, keeps the header and what came before (RFC 9293 MUST-7)', bad => {
      const out = withOptions(`020405b4 ${bytes(length, bad)}`);
      expect(out).toMatchObject({ mss: 1460, malformedOptions: true, srcPort: 1, payloadLength: 0 });
      expect(out).toMatchObject({ windowScale: -1, sackPermitted: false, hasTimestamp: false, sackCount: 0 });
    });

    test('a length past the header ends the list', () => {
      for (const claimed of [24, 41, 255]) {
        const out = withOptions(`020405b4 ${bytes(length, claimed)}`);
        expect(out).toMatchObject({ mss: 1460, malformedOptions: true, hasTimestamp: false, sackCount: 0 });
      }
    });

    test('a kind as the last byte of the header, without its length, ends the list', () => {
      const last = kind.toString(16).padStart(2, '0');
      expect(withOptions(`020405b4 010101${last}`)).toMatchObject({ mss: 1460, malformedOptions: true });
    });

    test('a wrong length inside the header skips just this option', () => {
      for (const claimed of [length + 1, length + 3]) {
        const out = withOptions(`${bytes(claimed, claimed)} 020405b4`);
        const isUnknown = kind === 253;
        expect(out).toMatchObject({ mss: 1460, malformedOptions: false, unknownOptions: 1 });
        if (!isUnknown)
          expect(out).toMatchObject({ windowScale: -1, hasTimestamp: false, sackCount: 0, sackPermitted: false });
      }
    });
  });

  test('SACK without blocks or with part of a block is skipped (RFC 2018 3)', () => {
    expect(withOptions('0502')).toMatchObject({ sackCount: 0, unknownOptions: 1 });
    expect(withOptions(`0509${'00'.repeat(7)}`)).toMatchObject({ sackCount: 0, unknownOptions: 1 });
  });

  test('four blocks fit, five do not', () => {
    const out = withOptions(`0522${'0000000100000002'.repeat(4)}`);
    expect(fieldsOf(out)).toMatchObject({ sackCount: 4, sackLeft: [1, 1, 1, 1], sackRight: [2, 2, 2, 2] });
    expect(withOptions(`052a${'0000000100000002'.repeat(4)}`)).toMatchObject({ sackCount: 0, malformedOptions: true });
  });

  test('options that do not fit in 40 bytes are refused and nothing is written', () => {
    expect(tcpHeaderLengthFor(-1, -1, false, true, 3, -1)).toBe(60);
    expect(tcpHeaderLengthFor(-1, -1, false, true, 4, -1)).toBe(-1);
    expect(tcpHeaderLengthFor(1460, 7, true, true, 0, 16)).toBe(60);
    expect(tcpHeaderLengthFor(-1, -1, false, false, 0, -1)).toBe(20);
    const header = new TcpHeader();
    header.hasTimestamp = true;
    header.sackCount = 4;
    const view = sharedView(100);
    expect(emitTcp(view, 0, header)).toBe(-1);
    expect(bytesOf(view).every(byte => byte === 0)).toBe(true);
  });
});
