/** Connections over IPv6 on a device: its paths carry whole addresses, its segments IPv6 headers (digest §1.3, §6.1). */
import { describe, expect, test } from 'vitest';
import { OffloadStatsReader } from '../../src/host/offload-stats-reader.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { BLOCK_HEADER_BYTES, BlockRole, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, OffloadStatsFamily, Submission } from '../../src/offload/descriptors.ts';
import { PathState } from '../../src/offload/state-objects.ts';
import { ResourceNeeds } from '../../src/offload/resource-needs.ts';
import { TcbLayout, TcpConstFlag } from '../../src/tcp/tcb.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import { emitIcmpv6Error, Icmpv6Type } from '../../src/wire/icmpv6.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { NextHeader } from '../../src/wire/ipv6.ts';
import { parseIpv6Address } from '../../src/wire/ipv6-text.ts';
import { type Ends6, fillTcp6Checksum, frame6, icmp6, tcp6, tcp6Sum } from '../support/ipv6-frames.ts';
import { Bench, type BenchOptions, LOCAL_PORT } from './bench.ts';
import { CONTEXT, of, PORT } from './one-connection.ts';

const { Success, Failure, NotSupported } = NdisStatus;
const LOCAL = 'fd00::1';
const REMOTE = 'fd00::2';
const PSH = TcpFlag.Psh | TcpFlag.Ack;

/** One offloaded connection over IPv6: [fd00::1]:80 with [fd00::2]:5001, SND.NXT 1000, RCV.NXT 5000. */
class Connection6 {
  readonly bench: Bench;
  readonly blocks: number[];
  readonly handles: number[];

  constructor(options: BenchOptions = {}, change: Partial<Record<string, number>> = {}) {
    this.bench = new Bench(options);
    const tcp = this.bench.tcp(PORT, CONTEXT, { constFlags: TcpConstFlag.Ipv6, remoteMss: 1440, ...change });
    const path = path6(this.bench, LOCAL, REMOTE, [tcp]);
    this.blocks = [this.bench.neighbor(1, [path]), path, tcp];
    this.bench.submit(Submission.InitiateOffload, this.blocks[0]!);
    this.bench.step();
    this.handles = this.blocks.map(at => this.bench.handleOf(at));
  }

  get statuses(): number[] {
    return this.blocks.map(at => this.bench.statusOf(at));
  }

  get tcb() {
    const { table } = this.bench.nic.firmware;
    return table.cursor().at(table.addressOf(table.slotOfHandle(this.handles[2]!)));
  }

  get ends(): Ends6 {
    const { macHi, macLo } = this.bench.nic.boot.config;
    return { source: REMOTE, destination: LOCAL, srcMac: [0x0250, 1], dstMac: [macHi, macLo] };
  }

  arrive(seq: number, ack: number, text = '', flags = PSH): void {
    const { memory } = this.bench;
    const segment = { srcPort: PORT, dstPort: LOCAL_PORT, seq, ack, flags, text };
    this.bench.arriveFrame(at => tcp6(memory.view, at, this.ends, segment));
  }

  send(text: string): void {
    this.bench.submit(Submission.TcpSend, this.handles[2]!, this.bench.buffer(text));
  }

  terminate(): { tcp: number; path: number } {
    const { bench } = this;
    const [neighbor, path, tcp] = this.handles as [number, number, number];
    const tcpBlock = bench.named(OffloadStateType.Tcp, tcp);
    const pathBlock = bench.named(OffloadStateType.Ip6, path, [tcpBlock]);
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Neighbor, neighbor, [pathBlock]));
    bench.step();
    return { tcp: tcpBlock, path: pathBlock };
  }
}

function path6(bench: Bench, source: string, destination: string, dependents: readonly number[], mtu = 1500): number {
  const at = bench.named(OffloadStateType.Ip6, 0, dependents);
  bench.memory.i32.set(parseIpv6Address(source)!, (at + BLOCK_HEADER_BYTES + PathState.offset.sourceAddress) >> 2);
  const to = at + BLOCK_HEADER_BYTES + PathState.offset.destinationAddress;
  bench.memory.i32.set(parseIpv6Address(destination)!, to >> 2);
  PathState.view(bench.memory).at(at + BLOCK_HEADER_BYTES).pathMtu = mtu;
  return at;
}

describe('the life of a connection', () => {
  test('what is sent has an IPv6 header with the addresses of its path, flow label, class and hop limit', () => {
    const it = new Connection6({}, { ttl: 55, tos: 0x28, flowLabel: 0x12345 });
    expect(it.statuses).toEqual([Success, Success, Success]);
    it.send('hello');
    it.bench.step();
    const [frame] = it.bench.rawFrames();
    expect(frame!.text).toMatch(/^\[fd00::1\]:80 > \[fd00::2\]:5001 P\. 1000:1005\(5\) ack 5000 win 65535$/);
    expect(tcp6Sum(frame!.view, 14, frame!.view.byteLength)).toBe(0xffff);
    expect(frame!.view.getUint32(14)).toBe(0x62812345);
    expect(frame!.view.getUint8(14 + 7)).toBe(55);
  });

  test('what arrives is found by its addresses and delivered', () => {
    const it = new Connection6();
    it.arrive(5000, 1000, 'ping');
    const [indicated] = of(it.bench.step(), Completion.TcpIndicateReceive);
    expect(it.bench.textOf(indicated!.a1)).toBe('ping');
    it.bench.step(100);
    expect(it.bench.rawFrames().map(({ text }) => text)).toEqual([
      expect.stringMatching(/^\[fd00::1\]:80 > \[fd00::2\]:5001 \. 1000:1000\(0\) ack 5004 /),
    ]);
    expect(it.bench.nic.stats.ipv6.inOctets).toBe(40 + 20 + 4);
  });

  test('it counts for TCP6_OFFLOAD_STATS and IP6_OFFLOAD_STATS, which are zeroed apart from those of IPv4 (E28)', () => {
    const it = new Connection6();
    const read = () => new OffloadStatsReader(it.bench.memory, it.bench.nic.boot.regions.offloadStats).read(false);
    it.send('hello');
    it.arrive(5000, 1000, 'ping');
    it.bench.step();
    const { tcp4, ip4, tcp6, ip6 } = read();
    expect(tcp6).toMatchObject({ inSegments: 1, outSegments: 1, currentlyEstablished: 1 });
    expect(ip6).toMatchObject({ inReceives: 1, inOctets: 64, outRequests: 1, outOctets: 65 });
    expect([...Object.values(tcp4), ...Object.values(ip4)].every(count => count === 0)).toBe(true);
    it.bench.submit(Submission.SetStatistics, OffloadStatsFamily.Ip6);
    it.bench.step();
    expect(read().ip6).toMatchObject({ inReceives: 0, outOctets: 0 });
    expect(read().tcp6).toEqual(tcp6);
    it.arrive(5004, 1005, '', TcpFlag.Rst);
    it.bench.step();
    expect(read().tcp6).toMatchObject({ currentlyEstablished: 0, resetEstablished: 1 });
  });

  test('its segments leave room for the longer header: MSS is path MTU - 60', () => {
    const it = new Connection6({}, { remoteMss: 9000, effectiveMss: 9000 });
    expect(it.tcb.effectiveMss).toBe(1440);
    const block = it.bench.named(OffloadStateType.Ip6Cached, it.handles[1]!);
    PathState.view(it.bench.memory).at(block + BLOCK_HEADER_BYTES).pathMtu = 1280;
    it.bench.submit(Submission.UpdateOffload, block);
    it.bench.step();
    expect(it.tcb.effectiveMss).toBe(1220);
  });

  test('no path is narrower than RFC 8200 5 allows', () => {
    const it = new Connection6();
    const block = it.bench.named(OffloadStateType.Ip6Cached, it.handles[1]!);
    PathState.view(it.bench.memory).at(block + BLOCK_HEADER_BYTES).pathMtu = 1279;
    it.bench.submit(Submission.UpdateOffload, block);
    it.bench.step();
    expect(it.bench.statusOf(block)).toBe(Failure);
  });

  test('query shows the addresses; terminate gives them back, and the state as it is', () => {
    const it = new Connection6();
    it.arrive(5000, 1000, 'ping');
    it.bench.step();
    const query = it.bench.named(OffloadStateType.Ip6, it.handles[1]!);
    it.bench.submit(Submission.QueryOffload, query);
    it.bench.step();
    const to = (query + BLOCK_HEADER_BYTES + PathState.offset.destinationAddress) >> 2;
    expect(it.bench.memory.i32.slice(to, to + 4)).toEqual(parseIpv6Address(REMOTE));
    expect(it.bench.nic.objects.addresses.inUse).toBe(2);
    const { tcp, path } = it.terminate();
    expect([tcp, path].map(at => it.bench.statusOf(at))).toEqual([Success, Success]);
    expect(TcbLayout.view(it.bench.memory).at(tcp + BLOCK_HEADER_BYTES).rcvNxt).toBe(5004);
    expect(it.bench.nic.tree).toEqual({ paths: 0, neighbors: 0, connections: 0 });
    expect(it.bench.nic.objects.addresses.inUse).toBe(0);
  });

  test('the seed’s form: room first, addresses with the state (Figure 3)', () => {
    const bench = new Bench();
    const tcp = bench.tcp(PORT, CONTEXT, { constFlags: TcpConstFlag.Ipv6 });
    const path = path6(bench, LOCAL, REMOTE, [tcp]);
    const neighbor = bench.neighbor(1, [path]);
    const state = new Map([neighbor, path, tcp].map(at => [at, bench.stateOf(at)]));
    for (const at of [neighbor, path, tcp]) {
      bench.block(at).role = BlockRole.Reserve;
      bench.memory.u8.fill(0, at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + 256);
    }
    ResourceNeeds.view(bench.memory).at(path + BLOCK_HEADER_BYTES).pathMtu = 1500;
    ResourceNeeds.view(bench.memory).at(tcp + BLOCK_HEADER_BYTES).constFlags = TcpConstFlag.Ipv6;
    bench.submit(Submission.InitiateOffload, neighbor);
    bench.step();
    expect(bench.nic.objects.addresses.inUse).toBe(0);
    for (const at of [neighbor, path, tcp]) {
      bench.memory.u8.set(state.get(at)!, at + BLOCK_HEADER_BYTES);
      bench.block(at).nextBlock = 0;
      bench.block(at).dependentBlockList = 0;
      bench.submit(Submission.LoadOffloadState, at);
      bench.step();
      expect(bench.statusOf(at)).toBe(Success);
    }
    bench.submit(Submission.TcpSend, bench.handleOf(tcp), bench.buffer('late'));
    bench.step();
    expect(bench.rawFrames()[0]!.text).toContain('[fd00::1]:80 > [fd00::2]:5001 P. 1000:1004(4)');
    // A path's state goes in once.
    bench.submit(Submission.LoadOffloadState, path);
    bench.step();
    expect(bench.statusOf(path)).toBe(Failure);
    expect(bench.nic.objects.addresses.inUse).toBe(2);
  });
});

describe('what is not its own goes up the normal path', () => {
  const up = (it: Connection6): number =>
    of(it.bench.step(), Completion.FramesReceived).flatMap(a => a.addresses).length;

  test('from an address that no path has: looking up remembers nobody', () => {
    const it = new Connection6();
    const segment = { srcPort: PORT, dstPort: LOCAL_PORT, seq: 5000, ack: 1000, flags: PSH, text: 'x' };
    it.bench.arriveFrame(at => tcp6(it.bench.memory.view, at, { ...it.ends, source: 'fd00::3' }, segment));
    expect(up(it)).toBe(1);
    expect(it.bench.nic.objects.addresses.inUse).toBe(2);
    expect(it.tcb.rcvNxt).toBe(5000);
  });

  test('behind an extension header: the host reads it and forwards the segment', () => {
    const it = new Connection6();
    const { view } = it.bench.memory;
    const segment = { srcPort: PORT, dstPort: LOCAL_PORT, seq: 5000, ack: 1000, flags: PSH, text: 'x' };
    it.bench.arriveFrame(at => {
      const inner = tcp6(view, at + 8, it.ends, segment) - 54;
      const length = frame6(view, at, it.ends, NextHeader.DestinationOptions, to => {
        view.setUint16(to, IpProtocol.Tcp << 8);
        view.setUint16(to + 2, 0x0104);
        view.setUint32(to + 4, 0);
        return 8 + inner;
      });
      return length;
    });
    expect(up(it)).toBe(1);
    expect(it.tcb.rcvNxt).toBe(5000);
  });

  test('IPv4 from class E, whose addresses stand for those of IPv6 inside (RFC 1112 4)', () => {
    const it = new Connection6();
    const { localAddress, remoteAddress } = it.tcb;
    it.bench.arrive(remoteAddress, PORT, 5000, 1000, 'forged', PSH, 0, localAddress);
    expect(up(it)).toBe(1);
    expect(it.tcb.rcvNxt).toBe(5000);
  });

  test('a damaged segment is counted and dropped', () => {
    const it = new Connection6();
    const { view } = it.bench.memory;
    const segment = { srcPort: PORT, dstPort: LOCAL_PORT, seq: 5000, ack: 1000, flags: PSH, text: 'x' };
    it.bench.arriveFrame(at => {
      const length = tcp6(view, at, it.ends, segment);
      fillTcp6Checksum(view, at + 14, at + length);
      view.setUint8(at + length - 1, 0x79);
      return length;
    });
    expect(up(it)).toBe(0);
    expect(it.bench.nic.stats.ipv6.inErrors).toBe(1);
  });
});

describe('ICMPv6 errors about its connections (RFC 5927 4.1)', () => {
  test.each([
    ['of what is in flight goes up, from whatever router', 1000, 1, 0],
    ['of anything else is forged', 77, 0, 1],
  ])('one %s', (_what, seq, goesUp, dropped) => {
    const it = new Connection6();
    it.send('hello');
    it.bench.step();
    const { view } = it.bench.memory;
    const { macHi, macLo } = it.bench.nic.boot.config;
    const router: Ends6 = { ...it.ends, source: 'fe80::99' };
    const quotedEnds: Ends6 = { source: LOCAL, destination: REMOTE, srcMac: [macHi, macLo], dstMac: [0x0250, 1] };
    it.bench.arriveFrame(at => {
      const segment = { srcPort: LOCAL_PORT, dstPort: PORT, seq, ack: 5000, flags: PSH, text: 'hello' };
      const quote = tcp6(view, at + 300, quotedEnds, segment) - 14;
      return icmp6(view, at, router, to =>
        emitIcmpv6Error(view, to, Icmpv6Type.PacketTooBig, 0, 1280, at + 314, quote),
      );
    });
    const up = of(it.bench.step(), Completion.FramesReceived).flatMap(answer => answer.addresses).length;
    expect([up, it.bench.nic.stats.dropForgedIcmp]).toEqual([goesUp, dropped]);
  });
});

test('a device without IPv6 refuses the path, and what depends on it (A21)', () => {
  const it = new Connection6({ target: { supportsIpv6: false } });
  expect(it.statuses).toEqual([NdisStatus.OffloadPartialSuccess, NotSupported, Failure]);
  expect(it.bench.nic.tree.paths).toBe(0);
});
