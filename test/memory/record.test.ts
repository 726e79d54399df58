import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Field, bytes, record, u16, u8, word } from '../../src/memory/record.ts';

function memory(byteLength = 256) {
  const buffer = new SharedArrayBuffer(byteLength);
  return { u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), i32: new Int32Array(buffer) };
}

const Example = record('EXAMPLE', 24, {
  state: u8('one byte', 'delegated', 'device'),
  flags: u8('another', 'delegated', 'device'),
  port: u16('half a word', 'delegated', 'device'),
  sequence: word('a word', 'delegated', 'device'),
  mtu: word('a word that only the host writes', 'const', 'host'),
  address: bytes(8, 'a range', 'const'),
  reserved: bytes(4),
});

describe('record()', () => {
  it('lays fields out in the order of their declaration', () => {
    expect(Example.offset).toEqual({ state: 0, flags: 1, port: 2, sequence: 4, mtu: 8, address: 12, reserved: 20 });
    expect(Example.byteLength).toBe(24);
    expect(Example.name).toBe('EXAMPLE');
  });

  it('counts an index in units of the field itself', () => {
    expect(Example.index).toEqual({ state: 0, flags: 1, port: 1, sequence: 1, mtu: 2, address: 3, reserved: 5 });
  });

  it('keeps what was declared about a field: the documentation is made of it', () => {
    expect(Example.fields.sequence).toEqual({
      width: 4,
      kind: 'word',
      meaning: 'a word',
      fieldClass: 'delegated',
      writer: 'device',
    });
    expect(bytes(60)).toMatchObject({ meaning: 'reserved, zero', fieldClass: 'control', writer: 'owner' });
  });

  it.each<[string, number, Record<string, Field>, string]>([
    ['a word at 1', 8, { a: u8(''), b: word('') }, 'BAD.b is misaligned at 1'],
    ['a word at 2', 8, { a: u16(''), b: word('') }, 'BAD.b is misaligned at 2'],
    ['a half word at 1', 4, { a: u8(''), b: u16('') }, 'BAD.b is misaligned at 1'],
    ['a byte range at 2', 8, { a: u16(''), b: bytes(6) }, 'BAD.b is misaligned at 2'],
  ])('refuses %s: padding must be named', (_, byteLength, fields, why) => {
    expect(() => record('BAD', byteLength, fields)).toThrow(why);
  });

  it.each([3, 5, 0, 8])('refuses 4 bytes of fields declared as %i', byteLength => {
    expect(() => record('BAD', byteLength, { a: word('') })).toThrow(`BAD is 4 bytes long, declared ${byteLength}`);
  });

  it('refuses a class whose fields are not contiguous', () => {
    const fields = { a: word('', 'const'), b: word('', 'cached'), c: word('', 'const') };
    expect(() => record('BAD', 12, fields)).toThrow('BAD.c: fields of class const are not contiguous');
  });

  it.each(['base', 'at', 'w', 'u8', 'u16', 'i32'])('refuses a field named %s: the cursor has one', name => {
    expect(() => record('BAD', 4, { [name]: word('') })).toThrow("the name is the cursor's own");
  });
});

describe('range()', () => {
  it('spans the fields of a class', () => {
    expect(Example.range('delegated')).toEqual({ start: 0, end: 8 });
    expect(Example.range('const')).toEqual({ start: 8, end: 20 });
    expect(Example.range('control')).toEqual({ start: 20, end: 24 });
  });

  it('refuses a class that the record has not', () => {
    expect(() => Example.range('cached')).toThrow('EXAMPLE has no cached fields');
  });
});

describe('fingerprint', () => {
  const base = record('F', 8, { a: word(''), b: u16(''), c: u16('') }).fingerprint;

  it('is the same for the same layout, whatever is said about it', () => {
    expect(record('F', 8, { a: word('said otherwise'), b: u16(''), c: u16('') }).fingerprint).toBe(base);
  });

  it.each([
    ['the name of the record', record('G', 8, { a: word(''), b: u16(''), c: u16('') })],
    ['the name of a field', record('F', 8, { a: word(''), b: u16(''), d: u16('') })],
    ['the order of fields', record('F', 8, { a: word(''), c: u16(''), b: u16('') })],
    ['a width', record('F', 8, { a: word(''), b: u16(''), c: u8(''), d: u8('') })],
    ['an offset', record('F', 12, { z: word(''), a: word(''), b: u16(''), c: u16('') })],
    ['the length', record('F', 12, { a: word(''), b: u16(''), c: u16(''), d: word('') })],
  ])('changes with %s', (_, layout) => {
    expect(layout.fingerprint).not.toBe(base);
  });
});

describe('cursor', () => {
  it('reads and writes each width where the layout says, and nowhere else', () => {
    const shared = memory();
    const cursor = Example.view(shared).at(64);
    const view = new DataView(shared.u8.buffer);
    cursor.state = 0x11;
    cursor.flags = 0x22;
    cursor.port = 0x3344;
    cursor.sequence = 0xdeadbeef;
    cursor.mtu = 1500;
    expect(view.getUint8(64)).toBe(0x11);
    expect(view.getUint8(65)).toBe(0x22);
    expect(view.getUint16(66, true)).toBe(0x3344);
    expect(view.getInt32(68, true)).toBe(0xdeadbeef | 0);
    expect(view.getInt32(72, true)).toBe(1500);
    const written = new Set([64, 65, 66, 67, 68, 69, 70, 71, 72, 73]);
    expect(shared.u8.every((byte, at) => byte === 0 || written.has(at))).toBe(true);
    expect([cursor.state, cursor.flags, cursor.port, cursor.sequence]).toEqual([0x11, 0x22, 0x3344, 0xdeadbeef | 0]);
  });

  it('reads unsigned bytes and half words, and words as int32', () => {
    const cursor = Example.view(memory()).at(0);
    cursor.state = -1;
    cursor.port = -1;
    cursor.sequence = 0xffffffff;
    expect([cursor.state, cursor.port, cursor.sequence]).toEqual([255, 65535, -1]);
  });

  it('gives the address of a byte range', () => {
    const cursor = Example.view(memory()).at(64);
    expect(cursor.address).toBe(76);
    expect(cursor.base).toBe(64);
  });

  it('agrees with a DataView for any values at any record', () => {
    const shared = memory(24 * 8);
    const view = new DataView(shared.u8.buffer);
    const cursor = Example.view(shared);
    fc.assert(
      fc.property(fc.nat(7), fc.nat(255), fc.nat(65535), fc.integer(), (nth, state, port, sequence) => {
        const base = nth * Example.byteLength;
        cursor.at(base).state = state;
        cursor.port = port;
        cursor.sequence = sequence;
        expect(view.getUint8(base)).toBe(state);
        expect(view.getUint16(base + Example.offset.port, true)).toBe(port);
        expect(view.getInt32(base + Example.offset.sequence, true)).toBe(sequence);
        expect([cursor.state, cursor.port, cursor.sequence]).toEqual([state, port, sequence]);
      }),
    );
  });

  it('stands alone: two cursors over one memory see the same record from where each stands', () => {
    const shared = memory();
    const [a, b] = [Example.view(shared).at(0), Example.view(shared).at(24)];
    a.mtu = 1;
    b.mtu = 2;
    expect([a.mtu, b.mtu, b.at(0).mtu, a.mtu]).toEqual([1, 2, 1, 1]);
  });
});
