/** Link and network layer of the stations: ARP, ping, the router, what is dropped and why; and TCP through callbacks. */
import { describe, expect, test } from 'vitest';
import { createMemory, RegionPlan } from '../../../src/memory/memory.ts';
import { CloseReason } from '../../../src/tcp/effects.ts';
import { TcpState } from '../../../src/tcp/tcb.ts';
import { emitArp, emitArpAnnouncement, emitArpProbe } from '../../../src/wire/arp.ts';
import { AddressTable } from '../../../src/wire/address-table.ts';
import { emitEthernet } from '../../../src/wire/ethernet.ts';
import { StationGroup } from '../../../src/fabric/stations/station-group.ts';
import { Population } from '../../../src/fabric/stations/population.ts';
import { populationRegions, populationShape } from '../../../src/fabric/stations/population-regions.ts';
import { FileServer, ip, local, makeFiles, Recorder, remote, ROUTER, SERVER, serverGroup, World } from './support.ts';

const STATION = ip('10.0.1.0');
const REMOTE = ip('172.16.0.1');
const addresses = new AddressTable(10);
const SERVER_MAC = { hi: 0x0253, lo: SERVER };

/** A frame with whatever `write` puts behind its Ethernet header. */
function frame(
  dst: { hi: number; lo: number },
  etherType: number,
  write: (view: DataView, at: number) => number,
  src = SERVER_MAC,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(1600));
  emitEthernet(view, 0, dst.hi, dst.lo, src.hi, src.lo, etherType);
  const length = write(view, 14);
  return new Uint8Array(view.buffer, 0, 14 + length);
}

const BROADCAST = { hi: 0xffff, lo: -1 };

/** Pings until the neighbor's address is known and the echo is back, or time runs out. */
function ping(world: World, from: Population, to: number, station = 0): void {
  if (!from.ping(station, to, 1, 1, 100)) {
    world.pass(5000);
    from.ping(station, to, 1, 1, 100);
  }
  world.pass(10_000);
}

describe('ARP', () => {
  test('is asked once, and every second again, three times at most', () => {
    const world = new World({ groups: [local(1, { serverAddress: ip('10.0.0.99') })] });
    world.keepLog = true;
    const app = new Recorder(world.memory);
    world.clients.connect(0, ip('10.0.0.99'), 80, app);
    world.clients.connect(0, ip('10.0.0.99'), 80, app);
    world.pass(2_500_000);
    expect(world.clients.counters.arpRequestsOut).toBe(3);
    expect(app.events).toEqual([]);
    world.pass(1_000_000);
    expect(app.events).toEqual([`ended ${CloseReason.TimedOut}`, `ended ${CloseReason.TimedOut}`]);
    expect(world.log.every(({ bytes }) => bytes.length === 60)).toBe(true);
    expect(world.clients.connections).toBe(0);
    expect(world.clients.counters.neighborsFailed).toBe(1);
    // A new connection asks anew.
    world.clients.connect(0, ip('10.0.0.99'), 80, app);
    expect(world.clients.counters.arpRequestsOut).toBe(4);
  });

  test('is answered for every local station and for the router, not for what lies behind it', () => {
    const world = new World({ groups: [local(5), remote(5)] });
    world.keepLog = true;
    const ask = (address: number): number => {
      const before = world.clients.counters.arpRepliesOut;
      const request = frame(BROADCAST, 0x806, (view, at) =>
        emitArp(view, at, 1, 0x0253, SERVER, SERVER, 0, 0, address),
      );
      world.deliver(world.clients, request);
      return world.clients.counters.arpRepliesOut - before;
    };
    expect([STATION, STATION + 4, ROUTER].map(ask)).toEqual([1, 1, 1]);
    expect([STATION + 5, REMOTE, SERVER, ip('10.0.0.2')].map(ask)).toEqual([0, 0, 0, 0]);
    const macs = world.log.map(({ bytes }) => Buffer.from(bytes.subarray(22, 28)).toString('hex'));
    expect(macs).toEqual(['02530a000100', '02530a000104', '02520a0000fe']);
  });

  test('answers a probe without learning from it', () => {
    const world = new World({ groups: [local(1)] });
    world.deliver(
      world.clients,
      frame(BROADCAST, 0x806, (view, at) => emitArpProbe(view, at, 0x0253, SERVER, STATION)),
    );
    expect(world.clients.counters.arpRepliesOut).toBe(1);
    expect(world.clients.ping(0, 0, 1, 1, 1)).toBe(false);
  });

  test('learns from an announcement that the server has moved', () => {
    const world = new World({ groups: [local(2), remote(2)] });
    ping(world, world.clients, SERVER);
    ping(world, world.clients, SERVER, 2);
    expect(world.clients.counters.echoReplies).toBe(2);
    world.deliver(
      world.clients,
      frame(BROADCAST, 0x806, (view, at) => emitArpAnnouncement(view, at, 0x0299, 7, SERVER)),
    );
    expect(world.clients.counters.neighborsMoved).toBe(2);
    world.keepLog = true;
    world.clients.ping(0, SERVER, 1, 2, 10);
    world.clients.ping(2, SERVER, 1, 2, 10);
    for (const { bytes } of world.log) {
      expect(Buffer.from(bytes.subarray(0, 6)).toString('hex')).toBe('029900000007');
    }
    expect(world.log).toHaveLength(2);
  });

  test('is asked again after half a minute, while the old answer is used', () => {
    const world = new World({ groups: [local(1)] });
    ping(world, world.clients, SERVER);
    expect(world.clients.counters.arpRequestsOut).toBe(1);
    world.pass(29e6);
    ping(world, world.clients, SERVER);
    expect(world.clients.counters.arpRequestsOut).toBe(1);
    world.pass(2e6);
    ping(world, world.clients, SERVER);
    ping(world, world.clients, SERVER);
    expect(world.clients.counters).toMatchObject({ arpRequestsOut: 2, echoReplies: 4 });
  });

  test('goes on asking for others after one has been heard of twice', () => {
    const world = new World({ groups: [local(1)] });
    ping(world, world.clients, SERVER);
    const announcement = frame(BROADCAST, 0x806, (view, at) => emitArpAnnouncement(view, at, 0x0253, SERVER, SERVER));
    for (let i = 0; i < 2; i++) world.deliver(world.clients, announcement);
    const app = new Recorder(world.memory);
    world.clients.connect(0, ip('10.0.0.99'), 80, app);
    world.pass(5e6);
    expect(world.clients.counters.arpRequestsOut).toBe(1 + 3);
    expect(app.events).toEqual([`ended ${CloseReason.TimedOut}`]);
  });

  test('an announcement resolves what connections wait for', () => {
    const world = new World({ groups: [local(1)] }, { loss: 1 });
    const app = new Recorder(world.memory);
    world.clients.connect(0, SERVER, 80, app);
    world.pass(100_000);
    world.faults = {};
    world.server.listen(SERVER, 80, new Recorder(world.memory));
    world.deliver(
      world.clients,
      frame(BROADCAST, 0x806, (view, at) => emitArpAnnouncement(view, at, 0x0253, SERVER, SERVER)),
    );
    world.pass(100_000);
    expect(app.events).toEqual(['established']);
  });

  test('asks again for a neighbor that has fallen silent, and finds it elsewhere', () => {
    const world = new World({ groups: [local(1)] });
    const serverApp = new Recorder(world.memory);
    world.server.listen(SERVER, 80, serverApp);
    const app = new Recorder(world.memory);
    const connection = world.clients.connect(0, SERVER, 80, app);
    world.pass(10_000);
    // Somebody claims the server's address for a MAC that is not there.
    world.deliver(
      world.clients,
      frame(BROADCAST, 0x806, (view, at) => emitArpAnnouncement(view, at, 0x0299, 7, SERVER)),
    );
    world.clients.sendBytes(connection, Buffer.from('hello'));
    world.pass(10_000_000);
    expect(serverApp.received_).toBe('hello');
    expect(world.clients.counters.neighborsMoved).toBe(2);
  });
});

describe('ICMP', () => {
  test.each([
    ['a local station', STATION + 3, 0],
    ['a station behind the router', REMOTE + 3, 0],
    ['the router', ROUTER, 0],
  ])('%s answers a ping', (_name, address) => {
    const world = new World({ groups: [local(5), remote(5)] });
    ping(world, world.server, address);
    expect(world.server.counters.echoReplies).toBe(1);
    expect(world.clients.counters.echoRequests).toBe(1);
    expect(world.server.counters.dropped + world.clients.counters.dropped).toBe(0);
  });

  test('every station can ping', () => {
    const world = new World({ groups: [local(2), remote(2)] });
    for (let station = 0; station < 4; station++) ping(world, world.clients, SERVER, station);
    expect(world.clients.counters.echoReplies).toBe(4);
  });

  test('the router takes one hop off the TTL in both directions', () => {
    const world = new World({ groups: [remote(1)] });
    world.keepLog = true;
    ping(world, world.server, REMOTE);
    const ttls = world.log.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0).map(({ bytes }) => bytes[22]);
    expect(ttls).toEqual([64, 63]);
    expect(world.clients.counters.datagramsForwarded).toBe(2);
  });

  test('the router answers a datagram whose TTL is used up with time exceeded', () => {
    const world = new World({ groups: [remote(1)] }, {}, { groups: [{ ...serverGroup, ttl: 1 }] });
    world.keepLog = true;
    ping(world, world.server, REMOTE);
    expect(world.server.counters).toMatchObject({ echoReplies: 0, icmpErrorsIn: 1 });
    expect(world.clients.counters).toMatchObject({ ttlExpired: 1, icmpErrorsOut: 1, echoRequests: 0 });
    const error = world.log.at(-1)!.bytes;
    // From the router: type 11, code 0, quoting the datagram as it came.
    expect([...error.subarray(26, 30)]).toEqual([10, 0, 0, 254]);
    expect([...error.subarray(34, 36)]).toEqual([11, 0]);
    expect(error[42 + 8]).toBe(1);
    // The router itself is reached with a TTL of 1.
    ping(world, world.server, ROUTER);
    expect(world.server.counters.echoReplies).toBe(1);
  });

  test('a station that sends with a TTL of 1 does not get beyond its router', () => {
    const world = new World({ groups: [remote(1, { ttl: 1 })] });
    ping(world, world.clients, SERVER);
    expect(world.clients.counters).toMatchObject({ ttlExpired: 1, icmpErrorsIn: 1, echoReplies: 0 });
  });

  test.each([
    ['host unreachable for a station that is not there', ip('172.16.9.9'), 1],
    ['net unreachable for another prefix', ip('192.168.0.1'), 0],
  ])('the router answers %s', (_name, address, code) => {
    const world = new World({ groups: [remote(5)] });
    world.keepLog = true;
    ping(world, world.server, address);
    expect(world.server.counters).toMatchObject({ echoReplies: 0, icmpErrorsIn: 1 });
    expect([...world.log.at(-1)!.bytes.subarray(34, 36)]).toEqual([3, code]);
  });
});

describe('what is not for a station is dropped and counted', () => {
  /** An echo request of the server's to the first local station, as it was on the wire. */
  const captured = (): { world: World; bytes: Uint8Array } => {
    const world = new World({ groups: [local(2)] });
    world.keepLog = true;
    ping(world, world.server, STATION);
    const bytes = world.log.find(({ from, bytes: [, , , , , , , , , , , , hi, lo] }) => {
      return from === 'server' && hi === 8 && lo === 0;
    })!.bytes;
    return { world, bytes };
  };

  test.each([
    ['too short', 'droppedShort', (bytes: Uint8Array) => bytes.subarray(0, 13)],
    ['another MAC', 'droppedNotForUs', (bytes: Uint8Array) => bytes.fill(9, 0, 6)],
    ['another EtherType', 'droppedEtherType', (bytes: Uint8Array) => bytes.fill(0x86, 12, 13)],
    ['IP version 5', 'droppedIpHeader', (bytes: Uint8Array) => bytes.fill(0x55, 14, 15)],
    ['a wrong IP checksum', 'droppedIpChecksum', (bytes: Uint8Array) => bytes.fill(0x99, 22, 23)],
    ['a broadcast MAC', 'droppedBroadcast', (bytes: Uint8Array) => bytes.fill(0xff, 0, 6)],
    ['a wrong ICMP checksum', 'droppedIcmp', (bytes: Uint8Array) => bytes.fill(0x99, 60, 61)],
  ] as const)('%s', (_name, counter, change) => {
    const { world, bytes } = captured();
    const { echoRequests } = world.clients.counters;
    world.deliver(world.clients, change(bytes));
    expect(world.clients.counters[counter]).toBe(1);
    expect(world.clients.counters).toMatchObject({ dropped: 1, echoRequests });
  });

  test('a malformed ARP packet', () => {
    const world = new World({ groups: [local(1)] });
    world.deliver(
      world.clients,
      frame(BROADCAST, 0x806, () => 27),
    );
    expect(world.clients.counters.droppedArp).toBe(1);
  });

  test('a segment whose TCP checksum is wrong', () => {
    const world = new World({ groups: [local(1)] }, { corruption: 0 });
    world.server.listen(SERVER, 80, new Recorder(world.memory));
    world.keepLog = true;
    world.clients.connect(0, SERVER, 80, new Recorder(world.memory));
    world.pass(10_000);
    const bytes = world.log.at(-1)!.bytes.slice();
    bytes[47]! ^= 1;
    world.deliver(world.server, bytes);
    expect(world.server.counters.droppedTcpChecksum).toBe(1);
  });
});

describe('TCP through callbacks', () => {
  test.each([
    ['local', local(2)],
    ['remote', remote(2)],
  ])('a %s station and an echo server close in order', (_name, group) => {
    const world = new World({ groups: [group] });
    const server = new Recorder(world.memory);
    server.onReceived = (connection, bytes) => expect(world.server.sendBytes(connection, bytes)).toBe(bytes.length);
    server.onPeerClosed = connection => world.server.close(connection);
    world.server.listen(0, 7, server);
    const client = new Recorder(world.memory);
    const text = 'abcdefghij'.repeat(1000);
    client.onEstablished = connection => {
      world.clients.sendBytes(connection, Buffer.from(text));
      world.clients.close(connection);
    };
    const connection = world.clients.connect(1, SERVER, 7, client);
    expect(world.clients.stateOf(connection)).toBe(TcpState.SynSent);
    world.run(() => world.clients.timeWaits === 1 && world.server.connections === 0, 5e6);
    expect(client.received_).toBe(text);
    expect(server.received_).toBe(text);
    expect(client.events.at(-1)).toBe(`ended ${CloseReason.Normal}`);
    expect(server.events.at(-1)).toBe(`ended ${CloseReason.Normal}`);
    expect(client.events.filter(event => event === 'sendCompleted')).toHaveLength(7);
    expect(world.clients.buffersInUse + world.server.buffersInUse).toBe(0);
    expect(world.server.connections).toBe(0);
    world.pass(61e6);
    expect(world.clients.timeWaits).toBe(0);
  });

  test('a station is a server to the other side too', () => {
    const world = new World({ groups: [local(2), remote(2)] });
    const app = new Recorder(world.memory);
    world.clients.listen(REMOTE + 1, 8080, app);
    const caller = new Recorder(world.memory);
    world.server.connect(0, REMOTE + 1, 8080, caller);
    world.server.connect(0, REMOTE, 8080, caller);
    world.pass(100_000);
    expect(app.events).toEqual(['established']);
    expect(caller.events.sort()).toEqual([`ended ${CloseReason.Refused}`, 'established'].sort());
    expect(world.clients.counters.resetsOut).toBe(1);
  });

  test('an abort resets the peer; queued bytes come back', () => {
    const world = new World({ groups: [local(1)] });
    const server = new Recorder(world.memory);
    world.server.listen(SERVER, 80, server);
    const client = new Recorder(world.memory);
    client.onEstablished = connection => {
      world.clients.sendBytes(connection, Buffer.alloc(50_000));
      world.clients.abort(connection);
    };
    world.clients.connect(0, SERVER, 80, client);
    world.pass(1e6);
    expect(client.events).toEqual(['established', `ended ${CloseReason.Aborted}`]);
    expect(server.events).toEqual(['established', `ended ${CloseReason.Reset}`]);
    expect(world.clients.buffersInUse).toBe(0);
    expect(world.clients.connections + world.server.connections).toBe(0);
  });

  test('an abort gives back text that arrived out of order', () => {
    const world = new World({ groups: [local(1)] });
    let accepted = -1;
    const server = new Recorder(world.memory);
    server.onEstablished = connection => (accepted = connection);
    world.server.listen(SERVER, 80, server);
    const client = new Recorder(world.memory);
    const connection = world.clients.connect(0, SERVER, 80, client);
    world.pass(10_000);
    world.faults = { loss: 1 };
    world.clients.sendBytes(connection, Buffer.alloc(1000));
    world.faults = {};
    world.clients.sendBytes(connection, Buffer.alloc(1400));
    world.clients.sendBytes(connection, Buffer.alloc(1400));
    world.pass(1000);
    expect(world.server.buffersInUse).toBeGreaterThan(0);
    expect(server.received_).toBe('');
    world.server.abort(accepted);
    expect(world.server.buffersInUse).toBe(0);
    world.pass(1e6);
    expect(client.events.at(-1)).toBe(`ended ${CloseReason.Reset}`);
    expect(world.clients.buffersInUse).toBe(0);
  });

  test('a connection that is aborted while it waits leaves no trace', () => {
    const world = new World({ groups: [local(1)] }, { noRoom: 1 });
    const app = new Recorder(world.memory);
    for (let i = 0; i < 3; i++) world.clients.abort(world.clients.connect(0, SERVER, 80, app));
    expect(app.events).toEqual(Array.from({ length: 3 }, () => `ended ${CloseReason.Aborted}`));
    world.clients.connect(0, SERVER, 80, app);
    world.faults = {};
    world.server.listen(SERVER, 80, new Recorder(world.memory));
    world.pass(10_000);
    expect(app.events.at(-1)).toBe('established');
    expect(world.server.connections).toBe(1);
  });

  test('an application that holds what it received closes the window until it has read', () => {
    const world = new World({ groups: [local(1)] }, {}, { tcp: { rcvBuffer: 20_000 } });
    const server = new Recorder(world.memory, true);
    let peer = -1;
    server.onEstablished = connection => (peer = connection);
    world.server.listen(SERVER, 80, server);
    const client = new Recorder(world.memory);
    client.onEstablished = connection => world.clients.sendBytes(connection, Buffer.alloc(60_000, 'x'));
    world.clients.connect(0, SERVER, 80, client);
    world.pass(3e6);
    const held = server.received_.length;
    expect(held).toBeGreaterThan(15_000);
    expect(held).toBeLessThanOrEqual(20_000);
    for (let i = 0; i < 10; i++) {
      const { length } = server.received_;
      world.server.consumed(peer, length - (i === 0 ? 0 : held));
      world.pass(5e6);
    }
    expect(server.received_).toHaveLength(60_000);
  });

  test('calls on a connection that is over are refused', () => {
    const world = new World({ groups: [local(1)] });
    expect(world.clients.send(5, 0)).toBe(false);
    expect(world.clients.sendAndClose(5, 0)).toBe(false);
    expect(world.clients.close(5)).toBe(false);
    expect(world.clients.sendBytes(5, Buffer.from('x'))).toBe(0);
    world.clients.abort(5);
    world.clients.consumed(5, 1);
    expect(world.clients.stateOf(5)).toBe(TcpState.Closed);
    expect(world.clients.buffersInUse).toBe(0);
  });

  test('a full table refuses a SYN, and takes one when there is room again', () => {
    const world = new World({ groups: [local(1)] }, {}, { slots: 2 });
    world.server.listen(SERVER, 80, new Recorder(world.memory));
    const app = new Recorder(world.memory);
    for (let i = 0; i < 3; i++) world.clients.connect(0, SERVER, 80, app);
    world.pass(10_000);
    expect(app.events).toEqual(['established', 'established']);
    expect(world.server.counters.droppedNoTcb).toBe(1);
  });
});

describe('populations that are wired straight to one another', () => {
  test('never enter each other while they are sending', () => {
    const plan = new RegionPlan();
    const options = { name: 'a', groups: [local(20), remote(20)], seed: 1 };
    const other = { name: 'b', groups: [serverGroup], seed: 2 };
    const regions = [populationRegions(plan, options), populationRegions(plan, other)] as const;
    const memory = createMemory(plan.byteLength);
    const a = new Population(memory, regions[0], options, 0);
    const b = new Population(memory, regions[1], other, 0);
    a.attach({ hasRoom: true, input: (at, length) => void b.deliver(at, length) });
    b.attach({ hasRoom: true, input: (at, length) => void a.deliver(at, length) });
    const server = new Recorder(memory);
    server.onReceived = (connection, bytes) => b.sendBytes(connection, bytes);
    server.onPeerClosed = connection => b.close(connection);
    b.listen(SERVER, 7, server);
    const client = new Recorder(memory);
    client.onEstablished = connection => {
      a.sendBytes(connection, Buffer.alloc(20_000, 'y'));
      a.close(connection);
    };
    for (let station = 0; station < 40; station++) a.connect(station, SERVER, 7, client);
    for (let now = 0; now < 3e6 && a.connections > 0; now += 1000) {
      a.step(now);
      b.step(now);
    }
    expect(client.received_).toHaveLength(40 * 20_000);
    expect(a.timeWaits).toBe(40);
    expect(a.buffersInUse + b.buffersInUse).toBe(0);
    expect(a.counters.droppedBacklog + b.counters.droppedBacklog).toBe(0);
  });
});

describe('what a population is made of', () => {
  test('a group whose stations do not fit its prefix is refused', () => {
    expect(() => new StationGroup(local(70_000), 0, 0, addresses)).toThrow(/do not fit the prefix/);
    const { routerAddress: _left, ...withoutRouter } = remote(1);
    expect(() => new StationGroup(withoutRouter, 0, 0, addresses)).toThrow(/routerAddress/);
  });

  test('has TCBs for its concurrency and for TIME-WAIT, and no more than connections', () => {
    const catalog = [makeFiles([10])[0]!.file];
    const shape = (connections: number, concurrency: number, timeWaitTicks = 1000): number => {
      const load = { connections, concurrency, catalog, seed: 1, timeWaitTicks };
      return populationShape({ name: 'x', groups: [local(1)], seed: 1, load }).slots;
    };
    expect(shape(10, 10)).toBe(4096);
    expect(shape(10_000, 1000)).toBe(12_000);
    expect(shape(1_000_000, 1000)).toBe(18_384);
    expect(shape(1_000_000, 1000, 2000)).toBe(34_768);
    expect(FileServer.spareBytes([1])).toBeGreaterThan(0);
  });
});
