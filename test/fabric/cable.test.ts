import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { Capture, type FrameTap } from '../../src/fabric/capture.ts';
import { TraceHash } from '../../src/fabric/trace-hash.ts';
import { WireFlag } from '../../src/ring/wire-slot.ts';
import { Ipv4Header, Ipv4Parse, parseIpv4 } from '../../src/wire/ipv4.ts';
import { isTcpChecksumValid } from '../../src/wire/tcp.ts';
import {
  type CableEnds,
  RecordingUplink,
  arpFrame,
  nicReceives,
  nicSends,
  place,
  rawFrame,
  setUpCable,
  tcpFrame,
} from './fixture.ts';

const RAW_NUMBER_AT = 14;

function deliver(ends: CableEnds, bytes: Buffer): boolean {
  return ends.cable.deliver(place(ends, bytes), bytes.length);
}

function numbersAtNic(ends: CableEnds): number[] {
  return nicReceives(ends).map(({ bytes }) => bytes.readInt32BE(RAW_NUMBER_AT));
}

function connect(ends: CableEnds): RecordingUplink {
  const uplink = new RecordingUplink(ends.memory);
  ends.cable.uplink = uplink;
  return uplink;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Runs both directions with the faults for `count` frames each, 10 us apart, until nothing is on its way. */
function exchange(
  ends: CableEnds,
  count: number,
  startUs = 0,
): { atNic: Buffer[]; flags: number[]; atFabric: Buffer[] } {
  const uplink = connect(ends);
  const atNic: Buffer[] = [];
  const flags: number[] = [];
  let now = startUs;
  const turn = (): void => {
    ends.cable.step(now);
    ends.cable.poll(64);
    ends.cable.flush();
    for (const received of nicReceives(ends)) {
      atNic.push(received.bytes);
      flags.push(received.flags);
    }
    now += 10;
  };
  for (const number of range(count)) {
    expect(deliver(ends, tcpFrame({}, number))).toBe(true);
    expect(nicSends(ends, tcpFrame({ from: 2, to: 1 }, number))).toBe(true);
    turn();
  }
  for (const left of range(1000)) if (left < 300 || ends.cable.usUntilNext(now) >= 0) turn();
  expect(ends.pool.inUse).toBe(0);
  return { atNic, flags, atFabric: uplink.take() };
}

/** Sequence number of the segment. */
function segSeqOf(frame: Buffer): number {
  return frame.readUInt32BE(14 + 20 + 4);
}

function isIntact(frame: Buffer): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const ip = new Ipv4Header();
  if (parseIpv4(view, 14, frame.length, ip) !== Ipv4Parse.Ok) return false;
  return isTcpChecksumValid(view, ip.payloadAt, ip.payloadEnd - ip.payloadAt, ip.source, ip.destination);
}

describe('a good cable', () => {
  it('carries frames both ways, unchanged and in order', () => {
    const ends = setUpCable();
    const uplink = connect(ends);
    const out = range(5).map(number => rawFrame({}, number, 40 + number * 300));
    const back = range(5).map(number => rawFrame({ from: 9 }, number, 1500 - number));
    for (const frame of out) expect(deliver(ends, frame)).toBe(true);
    for (const frame of back) nicSends(ends, frame);
    expect(nicReceives(ends)).toEqual([]);
    ends.cable.flush();
    expect(nicReceives(ends).map(({ bytes }) => bytes)).toEqual(out);
    expect(ends.cable.hasWork()).toBe(true);
    expect(ends.cable.poll(3)).toBe(3);
    expect(ends.cable.poll(3)).toBe(2);
    expect(ends.cable.hasWork()).toBe(false);
    expect(uplink.take()).toEqual(back);
    const bytes = (frames: Buffer[]): number => frames.reduce((sum, frame) => sum + frame.length, 0);
    expect(ends.cable.toNic).toMatchObject({ frames: 5, bytes: bytes(out), noRoom: 0 });
    expect(ends.cable.fromNic).toMatchObject({ frames: 5, bytes: bytes(back), malformed: 0 });
    expect(ends.pool.lowestAvailable).toBe(ends.pool.count);
  });

  it('leaves frames in the ring while there is no uplink', () => {
    const ends = setUpCable();
    nicSends(ends, rawFrame({}, 1));
    expect(ends.cable.poll(10)).toBe(0);
    const uplink = connect(ends);
    expect(ends.cable.poll(10)).toBe(1);
    expect(uplink.frames).toHaveLength(1);
  });

  it('rings the doorbell of a sleeping NIC once for both rings, of an awake one never', () => {
    const ends = setUpCable();
    connect(ends);
    for (const asleep of [false, true]) {
      if (asleep) ends.nicSleeper.announce();
      deliver(ends, rawFrame({}));
      deliver(ends, rawFrame({}));
      for (let filled = true; filled;) filled = nicSends(ends, rawFrame({}));
      ends.nicTx.setWaiting(true);
      ends.cable.poll(64);
      ends.cable.flush();
      expect(ends.nicBell.rings).toBe(asleep ? 1 : 0);
    }
    ends.cable.flush();
    expect(ends.nicBell.rings).toBe(1);
    // Nothing sent, but room made.
    for (let filled = true; filled;) filled = nicSends(ends, rawFrame({}));
    ends.cable.poll(64);
    ends.cable.flush();
    expect(ends.nicBell.rings).toBe(2);
  });

  it('drops what is no frame, or does not fit', () => {
    const ends = setUpCable();
    const uplink = connect(ends);
    const max = ends.nicRx.slotBytes - 16;
    expect(ends.cable.deliver(ends.scratchAt, 13)).toBe(false);
    expect(ends.cable.deliver(ends.scratchAt, max + 1)).toBe(false);
    expect(ends.cable.deliver(ends.scratchAt, max)).toBe(true);
    for (const length of [0, 13, max + 1, -1, 0x7fffffff]) {
      const slot = ends.nicTx.reserve();
      ends.memory.i32[slot >> 2] = length;
      ends.nicTx.commit();
    }
    nicSends(ends, rawFrame({}), WireFlag.FcsError);
    expect(ends.cable.poll(10)).toBe(6);
    expect(uplink.frames).toEqual([]);
    expect(ends.cable.toNic).toMatchObject({ malformed: 2, frames: 1 });
    expect(ends.cable.fromNic).toMatchObject({ malformed: 5, frames: 1, fcsErrors: 1 });
  });
});

describe('a busy NIC', () => {
  it('makes frames queue, then be refused; all that were accepted arrive in order', () => {
    const ends = setUpCable({ slots: 8 }, { queueFrames: 4 });
    const accepted = range(20).filter(number => deliver(ends, rawFrame({}, number)));
    expect(accepted).toEqual(range(12));
    expect(ends.cable.toNic).toMatchObject({ frames: 12, noRoom: 8 });
    expect(ends.cable.hasRoom).toBe(false);
    ends.cable.flush();
    expect(numbersAtNic(ends)).toEqual(range(8));
    // Room again, but the queue comes first.
    expect(deliver(ends, rawFrame({}, 12))).toBe(true);
    ends.cable.flush();
    expect(numbersAtNic(ends)).toEqual([8, 9, 10, 11, 12]);
    expect(ends.cable.hasRoom).toBe(true);
  });

  it('is told of frames that wait unpublished before its ring is called full', () => {
    const ends = setUpCable({ slots: 4 });
    for (const number of range(4)) deliver(ends, rawFrame({}, number));
    expect(nicReceives(ends)).toEqual([]);
    deliver(ends, rawFrame({}, 4));
    expect(numbersAtNic(ends)).toEqual(range(4));
  });

  it('is asked to ring when it has made room', () => {
    const ends = setUpCable({ slots: 4 });
    expect(ends.cable.usUntilNext(0)).toBe(-1);
    for (const number of range(5)) deliver(ends, rawFrame({}, number));
    ends.cable.flush();
    expect(ends.cable.usUntilNext(0)).toBe(1000);
    expect(ends.cable.hasWork()).toBe(false);
    expect(nicReceives(ends)).toHaveLength(4);
    expect(ends.cable.hasWork()).toBe(true);
    expect(ends.cable.usUntilNext(0)).toBe(0);
    expect(ends.cable.step(0)).toBe(1);
    expect(ends.cable.usUntilNext(0)).toBe(-1);
    ends.cable.flush();
    expect(numbersAtNic(ends)).toEqual([4]);
  });

  it('keeps some slots in reserve before the ring is full', () => {
    const ends = setUpCable({ slots: 8 });
    const seen = range(8).map(number => (deliver(ends, rawFrame({}, number)), ends.cable.hasRoom));
    expect(seen).toEqual([true, true, true, true, true, false, false, false]);
    expect(ends.cable.usUntilNext(0)).toBe(1000);
  });

  it('that takes nothing for long is not waited for, until it takes something', () => {
    const ends = setUpCable({ slots: 4 }, { stallUs: 100 });
    for (const number of range(4)) deliver(ends, rawFrame({}, number));
    ends.cable.flush();
    const hasRoomAt = (now: number): boolean => {
      ends.cable.step(now);
      return ends.cable.hasRoom;
    };
    expect([0, 50, 99].map(hasRoomAt)).toEqual([false, false, false]);
    expect([100, 200, 1000].map(hasRoomAt)).toEqual([true, true, true]);
    expect(nicReceives(ends)).toHaveLength(4);
    for (const number of range(4)) deliver(ends, rawFrame({}, number));
    expect([1001, 1100].map(hasRoomAt)).toEqual([false, false]);
    expect(hasRoomAt(1101)).toBe(true);
  });

  it('that is busy but not dead is waited for, however long', () => {
    const ends = setUpCable({ slots: 4 }, { stallUs: 100 });
    for (const turn of range(50)) {
      while (ends.cable.hasRoom) deliver(ends, rawFrame({}));
      ends.cable.flush();
      ends.cable.step(turn * 60);
      expect(ends.cable.hasRoom).toBe(false);
      expect(nicReceives(ends).length).toBeGreaterThan(0);
    }
    expect(ends.cable.toNic.noRoom).toBe(0);
  });
});

describe('a pulled cable', () => {
  it('loses frames of both directions, those on their way included, and says so', () => {
    const ends = setUpCable({}, { toNic: { delayUs: 100 }, fromNic: { delayUs: 100 } });
    const uplink = connect(ends);
    const states: boolean[] = [];
    ends.cable.linkChanged = up => states.push(up);
    for (const number of range(3)) deliver(ends, rawFrame({}, number));
    for (const number of range(2)) nicSends(ends, rawFrame({}, number));
    ends.cable.poll(10);
    ends.cable.pull();
    ends.cable.pull();
    expect(ends.pool.inUse).toBe(0);
    deliver(ends, rawFrame({}, 7));
    nicSends(ends, rawFrame({}, 8));
    expect(ends.cable.poll(10)).toBe(1);
    expect(ends.cable).toMatchObject({ up: false, hasRoom: true });
    expect(ends.cable.toNic.linkDown).toBe(4);
    expect(ends.cable.fromNic.linkDown).toBe(3);
    ends.cable.plug();
    ends.cable.plug();
    expect(states).toEqual([false, true]);
    deliver(ends, rawFrame({}, 9));
    ends.cable.step(1000);
    ends.cable.flush();
    expect(numbersAtNic(ends)).toEqual([9]);
    expect(uplink.frames).toEqual([]);
  });
});

describe('a bad cable', () => {
  it('does what the seed says, exactly', () => {
    const faults = { lossPercent: 10, duplicatePercent: 4, corruptPercent: 5 };
    const ends = setUpCable({ seed: 7 }, { toNic: faults, fromNic: faults });
    const { atNic, atFabric } = exchange(ends, 1000);
    const counts = ({ faults: f, frames }: CableEnds['cable']['toNic']): object => {
      return { frames, lost: f.lost, duplicated: f.duplicated, corrupted: f.corrupted, fcsErrors: f.fcsErrors };
    };
    expect({
      toNic: { ...counts(ends.cable.toNic), arrived: atNic.length },
      fromNic: { ...counts(ends.cable.fromNic), arrived: atFabric.length },
    }).toMatchInlineSnapshot(`
      {
        "fromNic": {
          "arrived": 927,
          "corrupted": 34,
          "duplicated": 30,
          "fcsErrors": 0,
          "frames": 1000,
          "lost": 103,
        },
        "toNic": {
          "arrived": 943,
          "corrupted": 46,
          "duplicated": 34,
          "fcsErrors": 0,
          "frames": 1000,
          "lost": 91,
        },
      }
    `);
    for (const [direction, arrived] of [
      [ends.cable.toNic, atNic],
      [ends.cable.fromNic, atFabric],
    ] as const) {
      expect(arrived).toHaveLength(1000 - direction.faults.lost + direction.faults.duplicated);
      expect(arrived.filter(frame => !isIntact(frame))).toHaveLength(direction.faults.corrupted);
    }
  });

  it('delivers duplicates unharmed, beside the original', () => {
    const ends = setUpCable({ frames: 256 }, { toNic: { duplicatePercent: 100, corruptPercent: 100 } });
    const { atNic } = exchange(ends, 20);
    expect(atNic).toHaveLength(40);
    const intact = atNic.filter(isIntact);
    expect(intact.map(segSeqOf)).toEqual(range(20));
  });

  it('gives the caller its frame back as it was', () => {
    const ends = setUpCable({}, { toNic: { corruptPercent: 100, duplicatePercent: 50, reorderPercent: 50 } });
    const frame = tcpFrame({}, 5);
    for (const _ of range(30)) {
      deliver(ends, frame);
      ends.cable.step(0);
      expect(ends.memory.u8.slice(ends.scratchAt, ends.scratchAt + frame.length)).toEqual(new Uint8Array(frame));
      ends.cable.step(1e6);
      ends.cable.flush();
      nicReceives(ends);
    }
  });

  it('marks what has no checksum as an FCS error: the NIC gets the flag, the fabric drops it', () => {
    const all = { corruptPercent: 100 };
    const ends = setUpCable({}, { toNic: all, fromNic: all });
    const uplink = connect(ends);
    deliver(ends, arpFrame({}));
    nicSends(ends, arpFrame({}));
    ends.cable.poll(10);
    ends.cable.flush();
    expect(nicReceives(ends)).toEqual([{ bytes: arpFrame({}), flags: WireFlag.FcsError }]);
    expect(uplink.frames).toEqual([]);
    expect(ends.cable.fromNic).toMatchObject({ fcsErrors: 1, faults: { fcsErrors: 1, corrupted: 0 } });
  });

  it('reorders and loses nothing', () => {
    const ends = setUpCable({ frames: 256 }, { toNic: { reorderPercent: 20 }, fromNic: { reorderPercent: 20 } });
    const { atNic, atFabric } = exchange(ends, 400);
    for (const arrived of [atNic, atFabric]) {
      const order = arrived.map(segSeqOf);
      expect(order.toSorted((a, b) => a - b)).toEqual(range(400));
      const early = order.filter((seq, at) => at > 0 && seq < Math.max(...order.slice(0, at)));
      expect(early.length).toBeGreaterThan(40);
      expect(arrived.every(isIntact)).toBe(true);
    }
  });

  it('delays without reordering, jitter included', () => {
    const plan = { delayUs: 300, jitterUs: 500 };
    const ends = setUpCable({ frames: 512 }, { toNic: plan, fromNic: plan });
    deliver(ends, rawFrame({}, 0));
    expect(ends.cable.usUntilNext(0)).toBeGreaterThanOrEqual(300);
    expect(ends.cable.usUntilNext(0)).toBeLessThanOrEqual(800);
    ends.cable.step(299);
    ends.cable.flush();
    expect(nicReceives(ends)).toEqual([]);
    ends.cable.step(800);
    ends.cable.flush();
    expect(nicReceives(ends)).toHaveLength(1);
    const { atNic, atFabric } = exchange(ends, 200, 800);
    expect(atNic.map(segSeqOf)).toEqual(range(200));
    expect(atFabric.map(segSeqOf)).toEqual(range(200));
  });

  it('that is mended lets nothing overtake what is on its way', () => {
    const ends = setUpCable({}, { toNic: { delayUs: 1000 } });
    deliver(ends, rawFrame({}, 0));
    ends.cable.toNic.faults.set({});
    deliver(ends, rawFrame({}, 1));
    ends.cable.flush();
    expect(nicReceives(ends)).toEqual([]);
    ends.cable.step(1000);
    deliver(ends, rawFrame({}, 2));
    ends.cable.flush();
    expect(numbersAtNic(ends)).toEqual([0, 1, 2]);
  });

  it('makes the NIC wait when its line is full, and refuses the fabric; nothing is lost silently', () => {
    const ends = setUpCable({ frames: 8 }, { toNic: { delayUs: 50 }, fromNic: { delayUs: 50 } });
    const uplink = connect(ends);
    for (const number of range(8)) nicSends(ends, rawFrame({}, number));
    expect(ends.cable.poll(64)).toBe(7);
    expect(deliver(ends, rawFrame({}))).toBe(false);
    expect(ends.cable.hasRoom).toBe(false);
    ends.cable.step(50);
    expect(ends.cable.poll(64)).toBe(1);
    ends.cable.step(100);
    expect(uplink.frames).toHaveLength(8);
    expect(ends.cable.fromNic.line.overflows + ends.cable.toNic.line.overflows).toBe(0);
    expect(ends.cable.toNic.noRoom).toBe(1);
  });

  it('accounts for every frame whatever the faults (property)', () => {
    const percent = fc.constantFrom(0, 10, 50);
    const plan = fc.record({
      lossPercent: percent,
      duplicatePercent: percent,
      reorderPercent: percent,
      corruptPercent: percent,
      delayUs: fc.constantFrom(0, 100),
      jitterUs: fc.constantFrom(0, 70),
    });
    fc.assert(
      fc.property(plan, plan, fc.integer(), (toNic, fromNic, seed) => {
        const ends = setUpCable({ frames: 1024, seed }, { toNic, fromNic });
        const { atNic, atFabric, flags } = exchange(ends, 60);
        const expected = ({ faults }: CableEnds['cable']['toNic']): number => 60 - faults.lost + faults.duplicated;
        expect(atNic).toHaveLength(expected(ends.cable.toNic));
        expect(atFabric).toHaveLength(expected(ends.cable.fromNic) - ends.cable.fromNic.fcsErrors);
        expect(flags.filter(flag => flag !== 0)).toHaveLength(ends.cable.toNic.faults.fcsErrors);
        expect(atNic.filter(frame => !isIntact(frame))).toHaveLength(ends.cable.toNic.faults.corrupted);
      }),
      { numRuns: 25 },
    );
  });
});

describe('taps', () => {
  it('give a run its fingerprint: same seed, same hash', () => {
    const run = (seed: number): { digest: string; captured: number } => {
      const plan = { lossPercent: 10, reorderPercent: 10, corruptPercent: 10, duplicatePercent: 10, jitterUs: 90 };
      const ends = setUpCable({ frames: 256, seed }, { toNic: plan, fromNic: plan });
      const hash = new TraceHash(ends.memory);
      const capture = new Capture(ends.memory, () => {});
      ends.cable.addTap(hash, 0);
      ends.cable.addTap(capture, capture.addInterface('nic0'));
      const { atNic } = exchange(ends, 100);
      capture.close();
      expect(capture.frames).toBe(hash.frames);
      // Outbound frames as the NIC sent them, inbound as they reached it.
      expect(capture.frames).toBe(100 + atNic.length);
      return { digest: hash.digest(), captured: capture.frames };
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1).digest).not.toBe(run(2).digest);
  });

  it('see the cable as the NIC does, with the time of the turn', () => {
    const seen: string[] = [];
    const tap: FrameTap = {
      frame(interfaceId, nowUs, frameAt, length, outbound, fcsError) {
        const first = ends.memory.u8[frameAt + 5];
        seen.push([interfaceId, nowUs, first, length, outbound ? 'out' : 'in', fcsError ? 'fcs' : ''].join(' '));
      },
    };
    const ends: CableEnds = setUpCable({}, { toNic: { lossPercent: 100 }, fromNic: { lossPercent: 100 } });
    connect(ends);
    ends.cable.addTap(tap, 3);
    ends.cable.step(10);
    deliver(ends, rawFrame({ to: 5 }));
    nicSends(ends, rawFrame({ to: 6 }));
    ends.cable.poll(1, 20);
    expect(seen).toEqual(['3 20 6 60 out ']);
    ends.cable.toNic.faults.set({ corruptPercent: 100 });
    deliver(ends, rawFrame({ to: 7 }));
    expect(seen.splice(0)).toEqual(['3 20 6 60 out ', '3 20 7 60 in fcs']);
    ends.cable.removeTap(tap);
    deliver(ends, rawFrame({ to: 7 }));
    expect(seen).toEqual([]);
  });

  it('draws of one cable do not depend on another of the same fabric', () => {
    const losses = (name: string): number[] => {
      const ends = setUpCable({}, { name, prng: new Prng(3), toNic: { lossPercent: 50 } });
      return range(8).filter(number => {
        deliver(ends, rawFrame({}, number));
        ends.cable.flush();
        return nicReceives(ends).length === 0;
      });
    };
    expect(losses('nic0')).toEqual(losses('nic0'));
    expect(losses('nic0')).not.toEqual(losses('nic1'));
  });
});
