/** LLC/SNAP headers (RFC 1042, IEEE 802): told apart from EtherTypes, and blind to padding and rubbish. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EtherType } from '../../src/wire/ethernet.ts';
import { emitSnap, FramePayload, readPayload, SNAP } from '../../src/wire/llc-snap.ts';
import { hostileBytes, parseBlind, place, sharedView, u16 } from './support.ts';

const TYPE_AT = 12;

function read(view: DataView, typeAt: number, end: number): FramePayload {
  const payload = new FramePayload();
  readPayload(view, typeAt, end, payload);
  return payload;
}

describe('what a frame carries', () => {
  test('read inverts emit, whatever padding follows (RFC 1042, RFC 1122 2.3.3)', () => {
    const lengths = fc.integer({ min: 0, max: SNAP.lengthMax - SNAP.headerLength });
    fc.assert(
      fc.property(u16, lengths, place, fc.integer({ min: 0, max: 46 }), (etherType, length, at, padding) => {
        const view = sharedView(at + 2 + SNAP.headerLength + length + padding);
        expect(emitSnap(view, at, etherType, length)).toBe(SNAP.headerLength);
        const from = at + 2 + SNAP.headerLength;
        expect({ ...read(view, at, view.byteLength) }).toEqual({ etherType, at: from, end: from + length });
      }),
    );
  });

  test('of Ethernet II is behind the type, up to the end of the frame', () => {
    fc.assert(
      fc.property(fc.integer({ min: EtherType.LowestType, max: 0xffff }), place, (etherType, at) => {
        const view = sharedView(at + 20);
        view.setUint16(at, etherType);
        expect({ ...read(view, at, at + 20) }).toEqual({ etherType, at: at + 2, end: at + 20 });
      }),
    );
  });

  test.each([
    ['a length beyond the frame', (view: DataView) => view.setUint16(TYPE_AT, 60)],
    ['a length too small for the header', (view: DataView) => view.setUint16(TYPE_AT, 7)],
    ['another LLC protocol', (view: DataView) => view.setUint16(TYPE_AT + 2, 0x4242)],
    ['another organization', (view: DataView) => view.setUint8(TYPE_AT + 5, 0x08)],
  ])('is nothing that anybody knows, with %s', (_what, spoil) => {
    const view = sharedView(64);
    emitSnap(view, TYPE_AT, EtherType.Ipv4, 30);
    expect(read(view, TYPE_AT, 64).etherType).toBe(EtherType.Ipv4);
    spoil(view);
    expect(read(view, TYPE_AT, 64).etherType).toBe(0);
  });

  test('never reads beyond the frame', () => {
    const real = sharedView(64);
    emitSnap(real, 0, EtherType.Ipv4, 40);
    fc.assert(
      fc.property(
        hostileBytes([real], 64).filter(bytes => bytes.length >= 2),
        bytes => {
          const said = parseBlind(bytes, (view, at, end) => {
            const { etherType, at: from, end: to } = read(view, at, end);
            return etherType === 0 ? { etherType } : { etherType, from: from - at, to: to - at };
          });
          expect(said?.to ?? 0).toBeLessThanOrEqual(bytes.length);
        },
      ),
    );
  });
});
