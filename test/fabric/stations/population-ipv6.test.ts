/** Stations over IPv6: neighbor discovery, ICMPv6, the router, what is dropped and why; TCP and a load of clients. */
import { describe, expect, test } from 'vitest';
import { ClientLoad } from '../../../src/fabric/stations/client-load.ts';
import type { Population } from '../../../src/fabric/stations/population.ts';
import { StationGroup, type StationGroupOptions } from '../../../src/fabric/stations/station-group.ts';
import { CloseReason } from '../../../src/tcp/effects.ts';
import { AddressTable, isIpv6 } from '../../../src/wire/address-table.ts';
import { parseIpv6Address } from '../../../src/wire/ipv6-text.ts';
import { IpProtocol } from '../../../src/wire/ipv4.ts';
import { NextHeader } from '../../../src/wire/ipv6.ts';
import { emitNeighborAdvertisement, emitNeighborSolicitation, NaFlag, ND_HOP_LIMIT } from '../../../src/wire/nd.ts';
import { formatFrame } from '../../../src/wire/print.ts';
import { type Ends6, frame6, icmp6 } from '../../support/ipv6-frames.ts';
import {
  type Faults,
  FileServer,
  local,
  local6,
  makeFiles,
  Recorder,
  remote6,
  ROUTER6,
  SERVER6,
  serverGroup,
  serverGroup6,
  World,
} from './support.ts';

const STATION = 'fd00::100';
const REMOTE = 'fd01::1';
const SERVER_MAC: readonly [number, number] = [0x0273, 1];
const ROUTER_MAC: readonly [number, number] = [0x0272, 0xfe];
const PING = { identifier: 1, sequence: 1, length: 100 };

const worldOf = (groups: readonly StationGroupOptions[], faults: Faults = {}): World =>
  new World({ groups }, faults, { groups: [serverGroup6] });

/** The number of an address, which is kept for the rest of the test. */
const numberIn = (population: Population, text: string): number =>
  population.addresses.internWords(parseIpv6Address(text)!);

function ping(world: World, from: Population, to: string, station = 0): void {
  const number = numberIn(from, to);
  const { identifier, sequence, length } = PING;
  if (!from.ping(station, number, identifier, sequence, length)) {
    world.pass(5000);
    from.ping(station, number, identifier, sequence, length);
  }
  world.pass(10_000);
}

/** What went over the wire, in words. */
const texts = (world: World): string[] =>
  world.log.map(({ bytes }) => formatFrame(new DataView(bytes.buffer), 0, bytes.length));

function deliver(world: World, to: Population, write: (view: DataView) => number): void {
  const view = new DataView(new ArrayBuffer(1600));
  world.deliver(to, new Uint8Array(view.buffer, 0, write(view)));
}

const toGroup = (destination: string, source = SERVER6): Ends6 => ({
  source,
  destination,
  srcMac: SERVER_MAC,
  dstMac: [0x3333, parseIpv6Address(destination)![3]!],
  hopLimit: ND_HOP_LIMIT,
});

/** A solicitation by the server, or by somebody without an address. */
function solicit(world: World, target: string, source = SERVER6, hopLimit = ND_HOP_LIMIT): void {
  const words = parseIpv6Address(target)!;
  const ends = { ...toGroup('ff02::1:ff00:100', source), hopLimit };
  const mac = source === '::' ? -1 : SERVER_MAC[0];
  deliver(world, world.clients, view =>
    icmp6(view, 0, ends, at => emitNeighborSolicitation(view, at, words, 0, mac, SERVER_MAC[1])),
  );
}

function advertise(world: World, flags: number, macLo: number): void {
  const words = parseIpv6Address(SERVER6)!;
  deliver(world, world.clients, view =>
    icmp6(view, 0, toGroup('ff02::1'), at => emitNeighborAdvertisement(view, at, flags, words, 0, 0x0299, macLo)),
  );
}

describe('neighbor discovery (RFC 4861)', () => {
  test('asks the group of the address, every second, three times at most', () => {
    const world = worldOf([local6(1, { serverAddress: 'fd00::99' })]);
    world.keepLog = true;
    const app = new Recorder(world.memory);
    const { serverAddress } = world.clients.groups[0]!;
    world.clients.connect(0, serverAddress, 80, app);
    world.pass(2_500_000);
    expect(app.events).toEqual([]);
    world.pass(1_000_000);
    expect(app.events).toEqual([`ended ${CloseReason.TimedOut}`]);
    expect(world.clients.counters).toMatchObject({ solicitationsOut: 3, neighborsFailed: 1, arpRequestsOut: 0 });
    expect(new Set(texts(world))).toEqual(
      new Set([`${STATION} > ff02::1:ff00:99 icmpv6 neighbor solicitation fd00::99 (02:73:00:00:01:00)`]),
    );
  });

  test('answers for every local station and for the router, not for what lies behind it', () => {
    const world = worldOf([local6(5), remote6(5)]);
    world.keepLog = true;
    for (const target of [STATION, 'fd00::104', ROUTER6, 'fd00::105', REMOTE, SERVER6]) solicit(world, target);
    expect(texts(world)).toEqual([
      `${STATION} > ${SERVER6} icmpv6 neighbor advertisement ${STATION} (02:73:00:00:01:00) solicited override`,
      `fd00::104 > ${SERVER6} icmpv6 neighbor advertisement fd00::104 (02:73:00:00:01:04) solicited override`,
      `${ROUTER6} > ${SERVER6} icmpv6 neighbor advertisement ${ROUTER6} (02:72:00:00:00:fe) router solicited override`,
    ]);
    expect(world.clients.counters).toMatchObject({ solicitationsIn: 6, advertisementsOut: 3 });
    // Who asked is known now.
    expect(world.clients.ping(0, numberIn(world.clients, SERVER6), 1, 1, 1)).toBe(true);
  });

  test('tells everybody when somebody wants its address (RFC 4862 5.4.3)', () => {
    const world = worldOf([local6(1)]);
    world.keepLog = true;
    solicit(world, STATION, '::');
    expect(texts(world)).toEqual([
      `${STATION} > ff02::1 icmpv6 neighbor advertisement ${STATION} (02:73:00:00:01:00) override`,
    ]);
  });

  test('ignores what has crossed a router', () => {
    const world = worldOf([local6(1)]);
    solicit(world, STATION, SERVER6, 254);
    expect(world.clients.counters).toMatchObject({ solicitationsIn: 0, advertisementsOut: 0, droppedBroadcast: 1 });
  });

  test('learns from an advertisement that the server has moved, if it is to override what is known', () => {
    const world = worldOf([local6(2), remote6(2)]);
    ping(world, world.clients, SERVER6);
    ping(world, world.clients, SERVER6, 2);
    expect(world.clients.counters.echoReplies).toBe(2);
    advertise(world, 0, 6);
    expect(world.clients.counters.neighborsMoved).toBe(0);
    advertise(world, NaFlag.Override, 7);
    expect(world.clients.counters.neighborsMoved).toBe(2);
    world.keepLog = true;
    world.clients.ping(0, numberIn(world.clients, SERVER6), 1, 2, 10);
    expect(Buffer.from(world.log[0]!.bytes.subarray(0, 6)).toString('hex')).toBe('029900000007');
  });
});

describe('ICMPv6 (RFC 4443)', () => {
  test.each([
    ['a local station', 'fd00::103'],
    ['a station behind the router', 'fd01::4'],
    ['the router', ROUTER6],
  ])('%s answers a ping', (_name, address) => {
    const world = worldOf([local6(5), remote6(5)]);
    ping(world, world.server, address);
    expect(world.server.counters.echoReplies).toBe(1);
    expect(world.clients.counters.echoRequests).toBe(1);
    expect(world.server.counters.dropped + world.clients.counters.dropped).toBe(0);
  });

  test('the router takes one hop off the hop limit in both directions', () => {
    const world = worldOf([remote6(1)]);
    world.keepLog = true;
    ping(world, world.server, REMOTE);
    const echoes = world.log.filter((_frame, i) => texts(world)[i]!.includes('echo'));
    expect(echoes.map(({ bytes }) => bytes[14 + 7])).toEqual([64, 63]);
    expect(world.clients.counters.datagramsForwarded).toBe(2);
  });

  test('the router answers a packet whose hop limit is used up with time exceeded', () => {
    const world = new World({ groups: [remote6(1)] }, {}, { groups: [{ ...serverGroup6, ttl: 1 }] });
    world.keepLog = true;
    ping(world, world.server, REMOTE);
    expect(world.server.counters).toMatchObject({ echoReplies: 0, icmpErrorsIn: 1 });
    expect(world.clients.counters).toMatchObject({ ttlExpired: 1, icmpErrorsOut: 1, echoRequests: 0 });
    expect(texts(world).at(-1)).toContain(`${ROUTER6} > ${SERVER6} icmpv6 time exceeded hop limit`);
    ping(world, world.server, ROUTER6);
    expect(world.server.counters.echoReplies).toBe(1);
  });

  test.each([
    ['address unreachable for a station that is not there', 'fd01::99', 'unreachable address'],
    ['no route for another prefix', 'fd02::1', 'unreachable no route'],
  ])('the router answers %s', (_name, address, text) => {
    const world = worldOf([remote6(5)]);
    world.keepLog = true;
    ping(world, world.server, address);
    expect(world.server.counters).toMatchObject({ echoReplies: 0, icmpErrorsIn: 1 });
    expect(texts(world).at(-1)).toContain(`${ROUTER6} > ${SERVER6} icmpv6 ${text}`);
  });

  test.each([
    ['UDP, to which nobody listens', IpProtocol.Udp, 'icmpv6 unreachable port'],
    ['a protocol that nobody speaks', 200, 'icmpv6 parameter problem next header at 6'],
  ])('a station answers %s', (_name, protocol, text) => {
    const world = worldOf([remote6(1)]);
    world.keepLog = true;
    const ends = { source: SERVER6, destination: REMOTE, srcMac: SERVER_MAC, dstMac: ROUTER_MAC };
    deliver(world, world.clients, view => frame6(view, 0, ends, protocol, () => 8));
    expect(texts(world).at(-1)).toContain(`${REMOTE} > ${SERVER6} ${text}`);
    expect(world.clients.counters.droppedProtocol).toBe(1);
  });

  test.each([
    ['a fragment', NextHeader.Fragment, 'droppedFragment'],
    ['a damaged message', NextHeader.Icmpv6, 'droppedIcmp'],
    ['a damaged segment', IpProtocol.Tcp, 'droppedTcpChecksum'],
  ] as const)('%s is dropped', (_name, protocol, counter) => {
    const world = worldOf([remote6(1)]);
    const ends = { source: SERVER6, destination: REMOTE, srcMac: SERVER_MAC, dstMac: ROUTER_MAC };
    deliver(world, world.clients, view =>
      frame6(view, 0, ends, protocol, at => {
        // Of a fragment: what it is part of, that 8 bytes came before it, and that more will come.
        view.setInt32(at, (IpProtocol.Tcp << 24) | 9);
        return 24;
      }),
    );
    expect(world.clients.counters[counter]).toBe(1);
    expect(world.clients.counters.dropped).toBe(1);
  });
});

describe('TCP', () => {
  test.each([
    ['local', local6(2)],
    ['remote', remote6(2)],
  ])('a %s station and an echo server close in order; nobody is remembered', (_name, group) => {
    const world = worldOf([group]);
    const remembered = world.server.addresses.inUse;
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
    world.keepLog = true;
    world.clients.connect(1, world.clients.groups[0]!.serverAddress, 7, client);
    world.run(() => world.clients.timeWaits === 1 && world.server.connections === 0, 5e6);
    expect(client.received_).toBe(text);
    expect(server.received_).toBe(text);
    // What stays is the neighbor: the station itself, or its router, which was the gateway anyhow.
    expect(world.server.addresses.inUse - remembered).toBe(group.kind === 'local' ? 1 : 0);
    expect(Math.max(...world.log.map(({ bytes }) => bytes.length))).toBe(1514);
    const labelOf = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes.subarray(15, 18)).toString('hex');
    const labels = world.log.filter(({ bytes }) => bytes[20] === IpProtocol.Tcp).map(labelOf);
    // RFC 6437: one label a direction.
    expect(new Set(labels).size).toBe(2);
  });

  test('a station is a server to the other side too; where nobody listens it resets', () => {
    const world = worldOf([local6(2), remote6(2)]);
    const app = new Recorder(world.memory);
    world.clients.listen(numberIn(world.clients, 'fd01::2'), 8080, app);
    const caller = new Recorder(world.memory);
    for (const text of ['fd01::2', REMOTE]) world.server.connect(0, numberIn(world.server, text), 8080, caller);
    world.pass(100_000);
    expect(app.events).toEqual(['established']);
    expect(caller.events.sort()).toEqual([`ended ${CloseReason.Refused}`, 'established'].sort());
    expect(world.clients.counters.resetsOut).toBe(1);
  });
});

describe('a load of clients', () => {
  test.each([
    ['IPv6', [local6(20), remote6(50)], [serverGroup6], {}],
    [
      'IPv6 over a bad wire',
      [local6(20), remote6(50)],
      [serverGroup6],
      { loss: 0.03, reordering: 0.05, duplication: 0.02 },
    ],
  ] as const)('over %s fetches and checks every file', (_name, groups, servers, faults) => {
    const sizes = [10, 5000, 40_000];
    const spare = FileServer.spareBytes(sizes);
    const catalog = makeFiles(sizes).map(({ file }) => file);
    const load = { connections: 300, concurrency: 60, seed: 5, catalog };
    const world = new World({ groups, load }, faults, { groups: servers }, spare);
    const server = new FileServer(world, sizes);
    const clients = new ClientLoad(world.clients, world.memory, world.regions.load!, load);
    const isDone = world.run(() => clients.report().completed === 300, 300e6);
    expect(isDone).toBe(true);
    expect(clients.report()).toMatchObject({ completed: 300, failed: 0 });
    expect(server.errors).toEqual([]);
    expect(world.clients.counters.segmentsIn).toBeGreaterThan(300 * 4);
  });
});

describe('groups', () => {
  test('of both versions share a population', () => {
    const world = new World({ groups: [local(2), local6(2)] }, {}, { groups: [serverGroup, serverGroup6] });
    const server = new Recorder(world.memory);
    world.server.listen(0, 80, server);
    const client = new Recorder(world.memory);
    for (let station = 0; station < 4; station++) {
      world.clients.connect(station, world.clients.groupOf(station).serverAddress, 80, client);
    }
    world.pass(1e6);
    expect(client.events).toEqual(Array.from({ length: 4 }, () => 'established'));
    expect(world.clients.counters).toMatchObject({ arpRequestsOut: 1, solicitationsOut: 1 });
  });

  test('have consecutive numbers, or are refused', () => {
    const addresses = new AddressTable(100_000);
    const group = new StationGroup(local6(300), 0, 0, addresses);
    expect(isIpv6(group.addressOf(299))).toBe(true);
    expect(addresses.format(group.addressOf(299))).toBe('fd00::22b');
    const refused = (options: StationGroupOptions): (() => StationGroup) => {
      return () => new StationGroup(options, 1, 300, addresses);
    };
    expect(refused(local6(10, { firstAddress: 'fd00::fb' }))).toThrow(/fd00::100 is somebody else's/);
    expect(refused(local6(10, { firstAddress: 'fd03::fffe', prefixLength: 112 }))).toThrow(/do not fit the prefix/);
    expect(refused(local6(10, { firstAddress: 'station' }))).toThrow(/station is not an IPv6 address/);
    const { routerAddress: _left, ...withoutRouter } = remote6(1);
    expect(refused(withoutRouter)).toThrow(/routerAddress/);
  });
});
