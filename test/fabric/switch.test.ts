import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Learned, MacTable } from '../../src/fabric/mac-table.ts';
import { type PortMode, Switch, type SwitchPort } from '../../src/fabric/switch.ts';
import { tciOf } from '../../src/wire/vlan.ts';
import { RecordingPort, type TestMemory, arpFrame, place, rawFrame, setUpCable, testMemory } from './fixture.ts';

interface Attached {
  readonly port: RecordingPort;
  readonly uplink: SwitchPort;
}

let memory: TestMemory;
let lan: Switch;
let attached: Attached[];

beforeEach(() => {
  memory = testMemory();
  lan = new Switch(memory.memory);
  attached = [];
});

function attach(...modes: PortMode[]): Attached[] {
  for (const mode of modes) {
    const port = new RecordingPort(`port ${attached.length}`, memory.memory);
    attached.push({ port, uplink: lan.attach(port, mode) });
  }
  return attached;
}

/** Puts the frame in by a port; the bytes come out of the switch as they went in. */
function input(port: number, frame: Buffer): void {
  const at = place(memory, frame);
  attached[port]!.uplink.input(at, frame.length);
  expect(Buffer.from(memory.memory.u8.slice(at, at + frame.length))).toEqual(frame);
}

/** Which ports got the frame, by number. */
function outputs(): number[] {
  return attached.flatMap(({ port }, at) => (port.take().length > 0 ? [at] : []));
}

const ACCESS: PortMode = { mode: 'access' };
const RESERVED = Buffer.from('0180c2000002', 'hex');

describe('learning', () => {
  it('floods what it does not know, to all but where it came from', () => {
    attach(ACCESS, ACCESS, ACCESS);
    const frame = rawFrame({ from: 1, to: 2 });
    input(0, frame);
    expect(attached.map(({ port }) => port.take())).toEqual([[], [frame], [frame]]);
    expect(lan).toMatchObject({ flooded: 1, unicast: 0, learned: 1 });
  });

  it('sends to the one port where the address was heard', () => {
    attach(ACCESS, ACCESS, ACCESS);
    input(2, rawFrame({ from: 2, to: 9 }));
    outputs();
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([2]);
    input(2, rawFrame({ from: 2, to: 1 }));
    expect(outputs()).toEqual([0]);
    expect(lan).toMatchObject({ flooded: 1, unicast: 2, addresses: 2 });
  });

  it('floods broadcast and multicast always', () => {
    attach(ACCESS, ACCESS, ACCESS);
    input(1, arpFrame({ from: 1 }));
    expect(outputs()).toEqual([0, 2]);
    const multicast = rawFrame({ from: 2 });
    multicast.set(Buffer.from('01005e000001', 'hex'));
    input(0, multicast);
    expect(outputs()).toEqual([1, 2]);
  });

  it('keeps frames between two stations of one port from the others', () => {
    attach(ACCESS, ACCESS);
    input(0, rawFrame({ from: 1, to: 9 }));
    input(0, rawFrame({ from: 2, to: 9 }));
    outputs();
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([]);
    expect(lan.filtered).toBe(1);
  });

  it('follows an address that moves at once: the gratuitous ARP after a failover', () => {
    attach(ACCESS, ACCESS, ACCESS);
    input(0, arpFrame({ from: 1 }));
    input(2, rawFrame({ from: 3, to: 1 }));
    outputs();
    expect(lan.moves).toBe(0);
    input(1, arpFrame({ from: 1 }));
    outputs();
    input(2, rawFrame({ from: 3, to: 1 }));
    expect(outputs()).toEqual([1]);
    expect(lan).toMatchObject({ moves: 1, learned: 2 });
  });

  it('forgets after 300 s of silence', () => {
    attach(ACCESS, ACCESS, ACCESS);
    lan.step(0);
    input(1, arpFrame({ from: 2 }));
    outputs();
    lan.step(300e6);
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([1]);
    lan.step(300e6 + 1);
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([1, 2]);
    expect(lan.usUntilNext()).toBe(-1);
  });

  it('forgets a port whose link went down', () => {
    attach(ACCESS, ACCESS, ACCESS);
    input(1, arpFrame({ from: 2 }));
    outputs();
    attached[1]!.uplink.forget();
    expect(lan.addresses).toBe(0);
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([1, 2]);
  });

  it('learns nothing from a group address as source, and drops it, as it does runts', () => {
    attach(ACCESS, ACCESS);
    const bad = rawFrame({});
    bad[6] = 0x03;
    input(0, bad);
    input(0, rawFrame({}).subarray(0, 13));
    input(0, rawFrame({ vid: 1 }).subarray(0, 17));
    expect(outputs()).toEqual([]);
    expect(lan).toMatchObject({ invalid: 3, addresses: 0 });
  });

  it('keeps link-local protocols on their link, and has the port speak them', () => {
    attach(ACCESS, ACCESS);
    const lacpdu = rawFrame({ from: 1 });
    lacpdu.set(RESERVED);
    input(0, lacpdu);
    expect(lan).toMatchObject({ reserved: 1, addresses: 0 });
    const heard: number[] = [];
    attached[0]!.uplink.reserved = (_frameAt, length) => heard.push(length);
    input(0, lacpdu);
    expect(heard).toEqual([60]);
    lacpdu[5] = 0x10;
    expect(outputs()).toEqual([]);
    input(0, lacpdu);
    expect(outputs()).toEqual([1]);
    expect(lan.reserved).toBe(1);
  });
});

describe('VLANs', () => {
  const blue: PortMode = { mode: 'access', vid: 10 };
  const red: PortMode = { mode: 'access', vid: 20 };
  const trunk: PortMode = { mode: 'trunk', vids: [10, 20] };
  const blueTrunk: PortMode = { mode: 'trunk', vids: [10] };

  it('are separate: ports of others see nothing, not even of a known address', () => {
    attach(blue, blue, red, blueTrunk);
    input(2, arpFrame({ from: 2 }));
    expect(outputs()).toEqual([]);
    input(0, rawFrame({ from: 1, to: 2 }));
    expect(outputs()).toEqual([1, 3]);
  });

  it('put tags on and take them off', () => {
    attach(blue, trunk, red, blue);
    input(0, rawFrame({ from: 1, to: 2 }, 5));
    expect(attached.map(({ port }) => port.take())).toEqual([
      [],
      [rawFrame({ from: 1, to: 2, vid: 10 }, 5)],
      [],
      [rawFrame({ from: 1, to: 2 }, 5)],
    ]);
    input(1, rawFrame({ from: 2, to: 1, tci: tciOf(5, 1, 10) }, 6));
    expect(attached[0]!.port.take()).toEqual([rawFrame({ from: 2, to: 1 }, 6)]);
  });

  it('keep priority and tag between trunks', () => {
    attach(trunk, trunk, blue);
    const frame = rawFrame({ tci: tciOf(6, 0, 10) });
    input(0, frame);
    expect(attached[1]!.port.take()).toEqual([frame]);
    expect(attached[2]!.port.take()).toEqual([rawFrame({})]);
  });

  it('give priority-tagged frames the VLAN of the port', () => {
    attach(blue, trunk);
    input(0, rawFrame({ tci: tciOf(6, 0, 0) }));
    expect(attached[1]!.port.take()).toEqual([rawFrame({ tci: tciOf(6, 0, 10) })]);
  });

  it('are 1 where nothing is said, which 0 stands for, and which trunks send untagged', () => {
    attach({ mode: 'trunk' }, ACCESS, { mode: 'access', vid: 0 }, { mode: 'trunk', native: 0, vids: [] }, blue);
    const frame = rawFrame({});
    input(0, frame);
    expect(attached.map(({ port }) => port.take())).toEqual([[], [frame], [frame], [frame], []]);
    input(4, frame);
    expect(attached.map(({ port }) => port.take())).toEqual([[rawFrame({ vid: 10 })], [], [], [], []]);
  });

  it('let a trunk have another native VLAN', () => {
    attach({ mode: 'trunk', native: 20, vids: [10] }, trunk);
    input(0, rawFrame({}, 1));
    expect(attached[1]!.port.take()).toEqual([rawFrame({ vid: 20 }, 1)]);
    input(1, rawFrame({ from: 2, to: 1, vid: 20 }, 2));
    expect(attached[0]!.port.take()).toEqual([rawFrame({ from: 2, to: 1 }, 2)]);
  });

  it('refuse frames of a VLAN that the port is no member of, before anything is learned', () => {
    attach(blue, trunk, blueTrunk);
    input(0, rawFrame({ vid: 20 }));
    input(2, rawFrame({ vid: 20 }));
    input(1, rawFrame({ vid: 4095 }));
    expect(outputs()).toEqual([]);
    expect(lan).toMatchObject({ foreignVlan: 3, addresses: 0 });
    input(0, rawFrame({ vid: 10 }));
    expect(outputs()).toEqual([1, 2]);
  });

  it('learn the same address apart: one MAC on two ports in two VLANs moves nothing', () => {
    attach(blue, red, trunk);
    input(0, arpFrame({ from: 1 }));
    input(1, arpFrame({ from: 1 }));
    outputs();
    input(2, rawFrame({ from: 2, to: 1, vid: 10 }));
    expect(outputs()).toEqual([0]);
    input(2, rawFrame({ from: 2, to: 1, vid: 20 }));
    expect(outputs()).toEqual([1]);
    expect(lan.moves).toBe(0);
  });

  it.each([-1, 4095, 1.5])('refuse VID %s by the name of the port', vid => {
    expect(() => attach({ mode: 'access', vid })).toThrow(`switch port port 0: VLAN ${vid} is not one of 1 to 4094`);
  });

  it('never leak, and always hand out the form that the port speaks (property)', () => {
    const vid = fc.constantFrom(1, 10, 20);
    const mode = fc.oneof(
      fc.record({ mode: fc.constant('access' as const), vid }),
      fc.record({ mode: fc.constant('trunk' as const), native: vid, vids: fc.uniqueArray(vid) }),
    );
    const frame = fc.record({
      port: fc.nat(4),
      from: fc.integer({ min: 1, max: 4 }),
      to: fc.integer({ min: 1, max: 4 }),
    });
    const tagged = fc.tuple(frame, fc.option(fc.tuple(fc.nat(7), fc.constantFrom(0, 1, 10, 20))));
    fc.assert(
      fc.property(
        fc.array(mode, { minLength: 5, maxLength: 5 }),
        fc.array(tagged, { maxLength: 30 }),
        (modes, frames) => {
          memory = testMemory();
          lan = new Switch(memory.memory);
          attached = [];
          attach(...modes);
          for (const [number, [{ port, from, to }, tag]] of frames.entries()) {
            const tci = tag === null ? -1 : tciOf(tag[0], 0, tag[1]);
            input(port, rawFrame(tci < 0 ? { from, to } : { from, to, tci }, number));
            const into = modes[port]!;
            const own = into.mode === 'access' ? into.vid : into.native;
            const vlan = tag === null || tag[1] === 0 ? own : tag[1];
            for (const [at, { port: out }] of attached.entries()) {
              const got = out.take();
              if (got.length === 0) continue;
              const leaves = modes[at]!;
              const native = leaves.mode === 'access' ? leaves.vid : leaves.native;
              expect(at).not.toBe(port);
              if (leaves.mode === 'access') expect(vlan).toBe(native);
              else expect([native, ...leaves.vids]).toContain(vlan);
              const outTci = tciOf(tag === null ? 0 : tag[0], 0, vlan);
              expect(got).toEqual([rawFrame(vlan === native ? { from, to } : { from, to, tci: outTci }, number)]);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('ports', () => {
  it('count, also what they refuse', () => {
    attach(ACCESS, ACCESS);
    attached[1]!.port.accepts = false;
    input(0, rawFrame({}));
    attached[1]!.port.accepts = true;
    input(0, rawFrame({}));
    expect(attached[0]!.uplink).toMatchObject({ framesIn: 2, bytesIn: 120, framesOut: 0 });
    expect(attached[1]!.uplink).toMatchObject({ framesIn: 0, framesOut: 1, bytesOut: 60, noRoom: 1 });
  });

  it('may answer before they return', () => {
    attach(ACCESS, { mode: 'trunk', native: 10 }, ACCESS);
    const { port, uplink } = attached[0]!;
    const replyAt = memory.pool.dataOf(memory.pool.allocate()) + 16;
    const reply = rawFrame({ from: 9, to: 1 }, 2);
    memory.memory.u8.set(reply, replyAt);
    port.deliver = () => {
      uplink.input(replyAt, reply.length);
      return true;
    };
    const request = rawFrame({ from: 1, vid: 1 });
    input(1, request);
    expect(attached[1]!.port.take()).toEqual([rawFrame({ from: 9, to: 1, vid: 1 }, 2)]);
    expect(attached[2]!.port.take()).toEqual([rawFrame({ from: 1 })]);
  });

  it('have no room while a cable is busy', () => {
    const ends = setUpCable({ slots: 4 });
    const [station] = attach(ACCESS);
    expect(station!.uplink.hasRoom).toBe(true);
    ends.cable.uplink = lan.attach(ends.cable);
    expect(station!.uplink.hasRoom).toBe(true);
    for (let i = 0; i < 4; i++) ends.cable.deliver(ends.scratchAt, 60);
    expect(station!.uplink.hasRoom).toBe(false);
    ends.cable.pull();
    expect(station!.uplink.hasRoom).toBe(true);
  });
});

describe('the learning table', () => {
  it('agrees with a map while there is room (property)', () => {
    const operation = fc.record({
      kind: fc.constantFrom('learn', 'find', 'forget'),
      mac: fc.nat(40),
      vid: fc.integer({ min: 1, max: 2 }),
      port: fc.nat(3),
      advance: fc.constantFrom(0, 0, 30, 101),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), operations => {
        const table = new MacTable(1024, 100);
        const model = new Map<string, { port: number; seen: number }>();
        let now = 0;
        for (const { kind, mac, vid, port, advance } of operations) {
          now += advance;
          const key = `${mac} ${vid}`;
          const entry = model.get(key);
          const alive = entry !== undefined && now - entry.seen <= 100;
          if (kind === 'forget') {
            for (const [other, { port: at }] of model) if (at === port) model.delete(other);
            table.forget(port);
          } else if (kind === 'find') {
            expect(table.find(0x200, mac, vid, now)).toBe(alive ? entry.port : -1);
          } else {
            const expected = !alive ? Learned.New : entry.port === port ? Learned.Refreshed : Learned.Moved;
            expect(table.learn(0x200, mac, vid, port, now)).toBe(expected);
            model.set(key, { port, seen: now });
          }
          expect(table.used).toBe(model.size);
        }
        expect(table.evictions).toBe(0);
      }),
    );
  });

  it('makes room for a new address at the cost of the oldest, and counts it', () => {
    const table = new MacTable(64, 1000);
    for (let mac = 0; mac < 65; mac++) table.learn(0x200, mac, 1, 0, mac);
    expect(table).toMatchObject({ used: 64, evictions: 1 });
    expect(table.find(0x200, 0, 1, 65)).toBe(-1);
    for (let mac = 1; mac < 65; mac++) expect(table.find(0x200, mac, 1, 65)).toBe(0);
    // An aged one costs nothing.
    table.learn(0x200, 99, 1, 0, 1002);
    expect(table.evictions).toBe(1);
  });

  it('holds 4,096 addresses of a population without losing one', () => {
    const table = new MacTable(8192, 1000);
    for (let mac = 0; mac < 4096; mac++) table.learn(0x200, mac * 0x10001, 1 + (mac & 1), 3, 0);
    expect(table).toMatchObject({ used: 4096, evictions: 0 });
  });
});
