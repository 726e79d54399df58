/** 802.1Q tags: reading, inserting into headroom, removing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import {
  deiOfTci,
  etherTypeAt,
  insertTag,
  isTpid,
  pcpOfTci,
  readTci,
  removeTag,
  tciOf,
  Vid,
  VLAN,
  vidOf,
  vidOfTci,
} from '../../src/wire/vlan.ts';
import { SYN } from './captures.ts';
import { bytesOf, hexOf, hostileBytes, parseBlind, sharedView, u16, viewOf } from './support.ts';

const tpid = fc.constantFrom(EtherType.CustomerVlan, EtherType.ServiceVlan);

/** The capture in a view with headroom for two tags. */
function withHeadroom(): { view: DataView; at: number; length: number } {
  const view = sharedView(8 + SYN.byteLength);
  bytesOf(view).set(bytesOf(SYN), 8);
  return { view, at: 8, length: SYN.byteLength };
}

describe('TCI', () => {
  test('is PCP, DEI and VID (802.1Q 9.6)', () => {
    expect(tciOf(7, 1, 0xfff)).toBe(0xffff);
    expect(tciOf(3, 0, 5)).toBe(0x6005);
    fc.assert(
      fc.property(u16, tci => {
        expect(tciOf(pcpOfTci(tci), deiOfTci(tci), vidOfTci(tci))).toBe(tci);
      }),
    );
  });

  test('tells VID 0 (priority-tagged) from untagged', () => {
    const { view, at, length } = withHeadroom();
    expect(vidOf(view, at, at + length)).toBe(-1);
    const tagged = insertTag(view, at, length, tciOf(5, 0, Vid.Null));
    expect(vidOf(view, tagged, tagged + length + 4)).toBe(Vid.Null);
    expect(readTci(view, tagged, tagged + length + 4)).toBe(0xa000);
  });
});

describe('insert and remove', () => {
  test('writes the tag behind the addresses and leaves the rest', () => {
    const { view, at, length } = withHeadroom();
    expect(insertTag(view, at, length, tciOf(3, 0, 5))).toBe(at - 4);
    expect(hexOf(view, at - 4, length + 4)).toBe(hexOf(SYN, 0, 12) + '81006005' + hexOf(SYN, 12, SYN.byteLength - 12));
  });

  test('remove inverts insert, for any frame, TCI, TPID and place', () => {
    const frame = fc.uint8Array({ minLength: ETHERNET.headerLength, maxLength: 80 });
    fc.assert(
      fc.property(frame, u16, tpid, fc.integer({ min: 4, max: 20 }), (bytes, tci, type, at) => {
        const view = sharedView(at + bytes.length + 8);
        bytesOf(view).fill(0xa5);
        bytesOf(view).set(bytes, at);
        const before = bytesOf(view).slice(at);
        const tagged = insertTag(view, at, bytes.length, tci, type);
        expect(tagged).toBe(at - VLAN.tagLength);
        expect(readTci(view, tagged, at + bytes.length)).toBe(tci);
        expect(
          bytesOf(view)
            .slice(0, tagged)
            .every(byte => byte === 0xa5),
        ).toBe(true);
        expect(removeTag(view, tagged, bytes.length + 4)).toBe(at);
        expect(bytesOf(view).slice(at)).toEqual(before);
      }),
    );
  });

  test('nests: the last tag inserted is the outermost', () => {
    const { view, at, length } = withHeadroom();
    const inner = insertTag(view, at, length, tciOf(0, 0, 5));
    const outer = insertTag(view, inner, length + 4, tciOf(0, 0, 100), EtherType.ServiceVlan);
    const end = at + length;
    expect(vidOf(view, outer, end)).toBe(100);
    expect(etherTypeAt(view, outer, end)).toBe(outer + 20);
    expect(view.getUint16(outer + 20)).toBe(EtherType.Ipv4);
    expect(vidOf(view, removeTag(view, outer, length + 8), end)).toBe(5);
  });

  test('refuses runts, missing headroom and frames without a tag, and writes nothing', () => {
    const view = viewOf(bytesOf(SYN));
    const before = bytesOf(view).slice();
    expect(insertTag(view, 8, 13, 1)).toBe(-1);
    expect(insertTag(view, 3, 50, 1)).toBe(-1);
    expect(removeTag(view, 0, SYN.byteLength)).toBe(-1);
    expect(bytesOf(view)).toEqual(before);
  });

  test('a frame that ends within the tag counts as untagged', () => {
    const view = viewOf('ffffffffffff020000000002810000050800');
    expect(vidOf(view, 0, 18)).toBe(5);
    expect(vidOf(view, 0, 17)).toBe(-1);
    expect(removeTag(view, 0, 17)).toBe(-1);
    expect(etherTypeAt(view, 0, 17)).toBe(-1);
    expect(etherTypeAt(view, 0, 18)).toBe(16);
  });
});

test('any bytes: never a throw, never a look outside', () => {
  const tagged = viewOf('ffffffffffff02000000000288a80005810000070800' + '00'.repeat(20));
  fc.assert(
    fc.property(hostileBytes([SYN, tagged], 60), bytes => {
      const seen = parseBlind(bytes, (view, at, end) => {
        const typeAt = etherTypeAt(view, at, end);
        return { tci: readTci(view, at, end), vid: vidOf(view, at, end), typeAt: typeAt < 0 ? -1 : typeAt - at };
      });
      const isTagged = bytes.length >= 18 && isTpid(bytes[12] * 256 + bytes[13]);
      expect(seen.vid).toBe(isTagged ? (bytes[14] & 15) * 256 + bytes[15] : -1);
    }),
  );
});
