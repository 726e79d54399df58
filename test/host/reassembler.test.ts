/** Reassembly against a model that is obviously right, and against those who send fragments to do harm (RFC 8900 3.7). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Interface } from '../../src/host/interface.ts';
import {
  Fragment,
  type PartialDatagram,
  Reassembler,
  Reassembly,
  REASSEMBLY_BYTES,
} from '../../src/host/reassembler.ts';
import { BufferPool, poolBytes } from '../../src/memory/buffer-pool.ts';
import { createMemory, RegionPlan } from '../../src/memory/memory.ts';
import { AddressTable } from '../../src/wire/address-table.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';

const HEADER = 20;
const SHAPE = { count: 200, dataBytes: 1600 };

/** A reassembler with a device's receive pool below it. */
class Rig {
  readonly #plan = new RegionPlan();
  readonly #room = this.#plan.add('room', REASSEMBLY_BYTES);
  readonly #receive = this.#plan.add('receive', poolBytes(SHAPE));
  readonly memory = createMemory(this.#plan.byteLength);
  readonly pool = new BufferPool(this.memory, this.#receive, SHAPE, 0);
  readonly timedOut: number[] = [];
  readonly reassembler = new Reassembler(this.memory, new AddressTable(1), this.#room, (datagram: PartialDatagram) => {
    this.timedOut.push(datagram.identification);
  });
  readonly #bytes = new Uint8Array(this.memory.view.buffer);
  readonly #descriptor = NetBuffer.view(this.memory);
  readonly #fragment = new Fragment();
  readonly #iface = {
    adapter: { down: { returnBuffer: (buffer: number) => this.pool.free(buffer) } },
  } as unknown as Interface;

  /** Adds a fragment; the bytes of the whole when it completed one. */
  add(source: number, id: number, offset: number, bytes: Uint8Array, more: boolean, ecn = 0): Uint8Array | Reassembly {
    const buffer = this.pool.allocate();
    expect(buffer).not.toBe(0);
    const at = this.pool.dataOf(buffer) + 32;
    this.#bytes.fill(id, at, at + HEADER);
    this.#bytes.set(bytes, at + HEADER);
    const fragment = this.#fragment;
    fragment.source = source;
    fragment.destination = 1;
    fragment.protocol = 17;
    fragment.identification = id;
    fragment.offset = offset;
    fragment.more = more;
    fragment.headerAt = at;
    fragment.payloadAt = at + HEADER;
    fragment.payloadEnd = at + HEADER + bytes.length;
    fragment.ecn = ecn;
    fragment.lifetimeTicks = 30_000;
    const outcome = this.reassembler.add(this.#iface, buffer, fragment);
    if (outcome === Reassembly.Refused) this.pool.free(buffer);
    if (outcome !== Reassembly.Complete) return outcome;
    const { headerAt, payloadAt, payloadEnd, buffers } = this.reassembler;
    expect(payloadAt - headerAt).toBe(HEADER);
    for (let at = buffers; at !== 0;) {
      const { next } = this.#descriptor.at(at);
      this.pool.free(at);
      at = next;
    }
    return this.#bytes.slice(payloadAt, payloadEnd);
  }
}

/** Bytes of a datagram: no two of them alike at the same place. */
function content(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 131 + (i >> 8)) & 0xff);
}

/** The same in bytes: what is there, and where it ends. Undefined once it was dropped. */
class Model {
  #there = new Set<number>();
  #end = -1;
  #last = 0;

  /** What becomes of the fragment [from, to). */
  add(from: number, to: number, more: boolean): 'kept' | 'complete' | 'refused' | 'dropped' {
    if (this.#end >= 0 ? (more ? to >= this.#end : to !== this.#end) : !more && this.#last > to) return this.#drop();
    if (!more) this.#end = to;
    let known = 0;
    for (let i = from; i < to; i++) if (this.#there.has(i)) known++;
    if (known === to - from) return 'refused';
    if (known > 0) return this.#drop();
    for (let i = from; i < to; i++) this.#there.add(i);
    this.#last = Math.max(this.#last, to);
    if (this.#there.size !== this.#end) return 'kept';
    this.#drop();
    return 'complete';
  }

  #drop(): 'dropped' {
    this.#there.clear();
    this.#end = -1;
    this.#last = 0;
    return 'dropped';
  }
}

const NAMES = ['kept', 'complete', 'refused'] as const;

describe('a datagram in fragments (RFC 791 3.2)', () => {
  test('whatever their order, and however often they come, the bytes are those that were sent', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(
        cuts,
        fc.integer({ min: 481, max: 600 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (at, length, draws) => {
          const rig = new Rig();
          const whole = content(1, length);
          const edges = [0, ...at.map(unit => unit * 8).sort((a, b) => a - b), length];
          const pieces = edges.slice(1).map((to, i) => [edges[i]!, to] as const);
          let result: Uint8Array | Reassembly = Reassembly.Kept;
          // Drawn pieces first, duplicates among them; then all, so that none is missing.
          const order = [...draws.map(draw => pieces[draw % pieces.length]!), ...pieces.toReversed()];
          for (const [from, to] of order) {
            result = rig.add(7, 1, from, whole.subarray(from, to), to < length);
            if (typeof result !== 'number') break;
          }
          expect(result).toEqual(whole);
          expect(rig.pool.inUse).toBe(0);
          expect(rig.reassembler.buffersHeld).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('agrees with a model of bytes, fragment by fragment: duplicates, overlaps, ends that contradict each other', () => {
    const fragment = fc.record({
      id: fc.integer({ min: 1, max: 2 }),
      from: fc.integer({ min: 0, max: 10 }),
      units: fc.integer({ min: 1, max: 4 }),
      more: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 60 }), fragments => {
        const rig = new Rig();
        const models = [new Model(), new Model(), new Model()];
        for (const { id, from, units, more } of fragments) {
          const expected = models[id]!.add(from * 8, (from + units) * 8, more);
          const whole = content(id, 200);
          const answer = rig.add(7, id, from * 8, whole.subarray(from * 8, (from + units) * 8), more);
          if (typeof answer !== 'number') {
            expect(expected).toBe('complete');
            expect(answer).toEqual(whole.subarray(0, answer.length));
          } else {
            expect(NAMES[answer]).toBe(expected === 'dropped' ? 'refused' : expected);
          }
          expect(rig.pool.inUse).toBe(rig.reassembler.buffersHeld);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('an overlap takes the whole datagram with it (RFC 5722 4); bytes that are there already are a duplicate', () => {
    const rig = new Rig();
    const whole = content(3, 64);
    expect(rig.add(7, 1, 0, whole.subarray(0, 24), true)).toBe(Reassembly.Kept);
    expect(rig.add(7, 1, 24, whole.subarray(24, 48), true)).toBe(Reassembly.Kept);
    // Within what two fragments hold together.
    expect(rig.add(7, 1, 16, whole.subarray(16, 40), true)).toBe(Reassembly.Refused);
    expect([rig.reassembler.duplicates, rig.reassembler.datagrams]).toEqual([1, 1]);
    // Half of it is new: the classic way to write over a header that a filter has seen.
    expect(rig.add(7, 1, 40, whole.subarray(40, 56), true)).toBe(Reassembly.Refused);
    expect([rig.reassembler.overlaps, rig.reassembler.datagrams, rig.pool.inUse]).toEqual([1, 0, 0]);
    // What still comes of it completes nothing.
    expect(rig.add(7, 1, 48, whole.subarray(48), false)).toBe(Reassembly.Kept);
  });

  test('no fragment reaches beyond 65,535 bytes; none is empty; only the last is no multiple of 8', () => {
    const rig = new Rig();
    expect(rig.add(7, 1, 0xfff8, content(1, 100), false)).toBe(Reassembly.Refused);
    expect(rig.add(7, 1, 8, new Uint8Array(0), true)).toBe(Reassembly.Refused);
    expect(rig.add(7, 1, 8, content(1, 13), true)).toBe(Reassembly.Refused);
    expect([rig.reassembler.malformed, rig.pool.inUse]).toEqual([3, 0]);
  });

  test('a mark of congestion on one fragment is one on the whole; marked and not capable is dropped (RFC 3168 5.3)', () => {
    const rig = new Rig();
    const ecnOf = (...fields: number[]): number | undefined => {
      fields.forEach((field, i) => rig.add(7, 1, i * 8, content(1, 8), i < fields.length - 1, field));
      return rig.pool.inUse === 0 ? rig.reassembler.ecn : undefined;
    };
    expect([ecnOf(2, 3), ecnOf(1, 2), ecnOf(1, 1), ecnOf(2, 0)]).toEqual([3, 2, 1, 0]);
    const { completed } = rig.reassembler;
    ecnOf(0, 3);
    expect([rig.reassembler.completed, rig.reassembler.malformed, rig.pool.inUse]).toEqual([completed, 1, 0]);
  });
});

describe('time', () => {
  test('half a minute after its first fragment came the datagram is given up', () => {
    const rig = new Rig();
    expect(rig.reassembler.ticksUntilNext()).toBe(-1);
    rig.add(7, 1, 0, content(1, 8), true);
    rig.reassembler.now = 10_000;
    rig.add(7, 2, 8, content(1, 8), true);
    expect(rig.reassembler.ticksUntilNext()).toBe(20_000);
    rig.reassembler.now = 29_999;
    expect(rig.reassembler.expire()).toBe(0);
    // A later fragment buys no time (RFC 791 3.2: the first that comes sets the timer).
    rig.add(7, 1, 16, content(1, 8), true);
    rig.reassembler.now = 30_000;
    expect(rig.reassembler.expire()).toBe(1);
    rig.reassembler.now = 40_000;
    expect(rig.reassembler.expire()).toBe(1);
    // Only of the one whose first fragment came can anything be told to its sender.
    expect(rig.timedOut).toEqual([1]);
    expect([rig.pool.inUse, rig.reassembler.datagrams, rig.reassembler.ticksUntilNext()]).toEqual([0, 0, -1]);
  });
});

describe('attack: a flood of fragments that never make a datagram', () => {
  const LEGITIMATE = 99;

  function floodAround(rig: Rig, source: (i: number) => number): void {
    const whole = content(5, 3000);
    let id = 1000;
    const flood = (count: number): void => {
      for (let i = 0; i < count; i++) rig.add(source(i), id++, (i % 3) * 8, content(1, 8), true);
    };
    flood(2000);
    expect(rig.reassembler.buffersHeld).toBeLessThanOrEqual(rig.reassembler.buffersMax);
    expect(rig.add(LEGITIMATE, 1, 0, whole.subarray(0, 1480), true)).toBe(Reassembly.Kept);
    flood(20);
    expect(rig.add(LEGITIMATE, 1, 2960, whole.subarray(2960), false)).toBe(Reassembly.Kept);
    flood(20);
    expect(rig.add(LEGITIMATE, 1, 1480, whole.subarray(1480, 2960), true)).toEqual(whole);
    expect(rig.reassembler.datagrams).toBeLessThanOrEqual(128);
  }

  test('from one source: memory is bounded, others get through, and it starves only itself', () => {
    const rig = new Rig();
    floodAround(rig, () => 7);
    expect(rig.reassembler.buffersHeld).toBeLessThanOrEqual(rig.reassembler.buffersMax >> 1);
  });

  test('from sources without number: the oldest goes, what comes together gets through', () => {
    const rig = new Rig();
    let source = 1 << 20;
    floodAround(rig, () => source++);
  });

  test('one datagram without end holds half of the room at most, and then none of it', () => {
    const rig = new Rig();
    for (let i = 0; i < 300; i++) {
      rig.add(7, 1, i * 16, content(1, 8), true);
      expect(rig.reassembler.buffersHeld).toBeLessThanOrEqual(rig.reassembler.buffersMax >> 1);
    }
    expect(rig.pool.inUse).toBe(rig.reassembler.buffersHeld);
  });
});
