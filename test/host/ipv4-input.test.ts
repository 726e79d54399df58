/** IPv4 of the host on receive: addresses, options, fragments, and what is said about those that do not become a datagram. */
import { beforeEach, describe, expect, test } from 'vitest';
import { EtherType } from '../../src/wire/ethernet.ts';
import { checksumOf, onesComplementSum } from '../../src/wire/checksum.ts';
import { emitIcmpEcho, ICMP, IcmpType } from '../../src/wire/icmp.ts';
import { IPV4, Ipv4Fragment, IpProtocol } from '../../src/wire/ipv4.ts';
import { HostFixture, ip, PEER, SERVER } from '../support/host-fixture.ts';

let fixture: HostFixture;
beforeEach(() => {
  fixture = new HostFixture();
  fixture.introduce();
});

/** An echo request of so many bytes of data. */
function echo(length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(ICMP.headerLength + length));
  for (let i = 0; i < length; i++) view.setUint8(ICMP.headerLength + i, (i * 7 + (i >> 8)) & 0xff);
  emitIcmpEcho(view, 0, IcmpType.Echo, 7, 3, length);
  return new Uint8Array(view.buffer);
}

/** The same cut at these offsets, which are multiples of 8. */
function fragments(payload: Uint8Array, ...cuts: number[]): { payload: Uint8Array; fragment: number }[] {
  const edges = [0, ...cuts, payload.length];
  return edges.slice(1).map((to, i) => ({
    payload: payload.subarray(edges[i], to),
    fragment: (edges[i]! >> 3) | (to < payload.length ? Ipv4Fragment.Mf : 0),
  }));
}

/** Payloads of the IPv4 frames that the host sent, put together by offset. */
function reassembled(): Uint8Array {
  const parts = fixture.frames.map(frame => {
    const view = new DataView(frame.buffer);
    const field = view.getUint16(14 + IPV4.fragment);
    return { offset: (field & Ipv4Fragment.OffsetMask) << 3, bytes: frame.subarray(34, 14 + view.getUint16(16)) };
  });
  const whole = new Uint8Array(Math.max(...parts.map(({ offset, bytes }) => offset + bytes.length)));
  for (const { offset, bytes } of parts) whole.set(bytes, offset);
  return whole;
}

describe('addresses (RFC 1122 3.2.1.3)', () => {
  test('a source that is no single host is not answered, whatever it says', () => {
    for (const source of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '10.0.0.255']) {
      fixture.receiveIpv4({ payload: echo(8), protocol: IpProtocol.Icmp, source: ip(source) });
    }
    expect(fixture.take()).toEqual([]);
    expect(fixture.network.ipv4Input.addressErrors).toBe(5);
  });

  test('a datagram to our address in a link-layer broadcast is dropped (RFC 1122 3.3.6)', () => {
    fixture.receiveIpv4({ payload: echo(8), protocol: IpProtocol.Icmp, broadcast: true });
    expect([fixture.take(), fixture.network.ipv4Input.addressErrors]).toEqual([[], 1]);
  });
});

describe('options (RFC 791 3.1, RFC 1122 3.2.1.8)', () => {
  /** An echo request whose header has these option bytes. */
  function withOptions(...options: number[]): string[] {
    const payload = echo(4);
    const headerLength = IPV4.headerLength + options.length;
    fixture.receive(EtherType.Ipv4, at => {
      const { view } = fixture.memory;
      view.setInt32(at, ((0x40 | (headerLength >> 2)) << 24) | (headerLength + payload.length));
      view.setInt32(at + 4, 1 << 16);
      view.setInt32(at + 8, (64 << 24) | (IpProtocol.Icmp << 16));
      view.setInt32(at + 12, PEER);
      view.setInt32(at + 16, SERVER);
      options.forEach((byte, i) => view.setUint8(at + 20 + i, byte));
      view.setUint16(at + IPV4.checksum, checksumOf(onesComplementSum(view, at, headerLength, 0)));
      new Uint8Array(view.buffer).set(payload, at + headerLength);
      return at + headerLength + payload.length;
    });
    return fixture.take();
  }
  const ANSWER = ['10.0.0.1 > 10.0.0.16 icmp echo-reply id 7 seq 3 (4)'];
  const problem = (pointer: number): string => `icmp parameter problem pointer at ${pointer} `;

  test('record route, timestamp, router alert, padding and options nobody knows ask for nothing: the datagram is delivered', () => {
    expect(withOptions(7, 7, 4, 0, 0, 0, 0, 0)).toEqual(ANSWER);
    expect(withOptions(68, 8, 5, 0, 0, 0, 0, 0)).toEqual(ANSWER);
    expect(withOptions(148, 4, 0, 0)).toEqual(ANSWER);
    expect(withOptions(1, 1, 1, 0)).toEqual(ANSWER);
    expect(withOptions(0x9e, 4, 1, 2)).toEqual(ANSWER);
    // Behind the end of the list stands nothing that counts.
    expect(withOptions(0, 131, 200, 9)).toEqual(ANSWER);
  });

  test('a source route, loose or strict, is refused silently', () => {
    expect(withOptions(131, 7, 4, 10, 0, 0, 5, 0)).toEqual([]);
    expect(withOptions(1, 137, 3, 4)).toEqual([]);
    expect(fixture.network.ipv4Input.sourceRouted).toBe(2);
  });

  test('a list that is malformed is reported, with a pointer at the octet that is wrong (RFC 1122 3.2.2.5)', () => {
    expect(withOptions(7, 1, 0, 0)[0]).toContain(problem(21));
    expect(withOptions(1, 148, 3, 0)[0]).toContain(problem(22));
    expect(withOptions(7, 9, 4, 0)[0]).toContain(problem(21));
    expect(withOptions(1, 1, 1, 7)[0]).toContain(problem(23));
    expect(withOptions(7, 3, 4, 7, 3, 4, 0, 0)[0]).toContain(problem(23));
    expect(fixture.network.ipv4Input.headerErrors).toBe(5);
  });
});

describe('fragments (RFC 791 3.2, RFC 1122 3.3.2)', () => {
  test('an echo request that came in fragments is answered in fragments, every byte of it (RFC 1122 3.2.2.6)', () => {
    const request = echo(4000);
    for (const part of fragments(request, 1480, 2960).toReversed()) {
      expect(fixture.take()).toEqual([]);
      fixture.receiveIpv4({ ...part, protocol: IpProtocol.Icmp });
    }
    expect(fixture.frames).toHaveLength(3);
    const reply = reassembled();
    expect(reply.subarray(4)).toEqual(request.subarray(4));
    expect([reply[0], onesComplementSum(new DataView(reply.buffer), 0, reply.length, 0)]).toEqual([0, 0xffff]);
    // One identification, of the host's half (R31); none may be cut further than it is without DF.
    const words = fixture.frames.map(frame => new DataView(frame.buffer).getInt32(18));
    expect(new Set(words.map(word => word >>> 16)).size).toBe(1);
    expect(words.every(word => word >>> 31 === 0 && (word & Ipv4Fragment.Df) === 0)).toBe(true);
    expect([fixture.receivePool.inUse, fixture.host.tx.inUse]).toEqual([0, 0]);
  });

  test('the largest datagram there is comes through and goes back', () => {
    fixture = new HostFixture({}, 128);
    fixture.introduce();
    const request = echo(65_535 - 20 - 8);
    const cuts = Array.from({ length: Math.floor((request.length - 1) / 1480) }, (_, i) => (i + 1) * 1480);
    for (const part of fragments(request, ...cuts)) fixture.receiveIpv4({ ...part, protocol: IpProtocol.Icmp });
    expect(reassembled().subarray(4)).toEqual(request.subarray(4));
    expect([fixture.receivePool.inUse, fixture.host.tx.inUse]).toEqual([0, 0]);
  });

  test('half a minute after the first: time exceeded, if the first fragment is there to quote (RFC 1122 3.3.2)', () => {
    const [first, second] = fragments(echo(2000), 1480) as [object, object];
    fixture.receiveIpv4({ ...first, payload: echo(1472), identification: 5, protocol: IpProtocol.Udp });
    fixture.receiveIpv4({ ...second, payload: echo(100), identification: 6, protocol: IpProtocol.Udp });
    fixture.step(29_999);
    expect([fixture.take(), fixture.receivePool.inUse]).toEqual([[], 2]);
    fixture.step(1);
    const errors = fixture.take();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('10.0.0.1 > 10.0.0.16 icmp time exceeded reassembly');
    expect(fixture.receivePool.inUse).toBe(0);
  });

  test('the host says when it has to look again', () => {
    const us = (): number => fixture.host.usUntilNext(fixture.clock.nowUs());
    const before = us();
    fixture.receiveIpv4({ ...fragments(echo(2000), 1480)[0]!, protocol: IpProtocol.Icmp });
    expect([before, us()]).toEqual([-1, 30_000_000]);
  });

  test('TCP headers that are cut in two are dropped at once (RFC 1858 3, RFC 3128)', () => {
    const tcp = new Uint8Array(64);
    fixture.receiveIpv4({ payload: tcp.subarray(0, 16), fragment: Ipv4Fragment.Mf, protocol: IpProtocol.Tcp });
    fixture.receiveIpv4({ payload: tcp.subarray(0, 16), fragment: 1, protocol: IpProtocol.Tcp });
    expect([fixture.network.ipv4Input.tinyFragments, fixture.receivePool.inUse]).toEqual([2, 0]);
    // Of other protocols nothing is known that would be too small.
    fixture.receiveIpv4({ payload: tcp.subarray(0, 8), fragment: Ipv4Fragment.Mf, protocol: IpProtocol.Udp });
    expect(fixture.receivePool.inUse).toBe(1);
  });

  test('with no buffers for all fragments of an answer none is sent', () => {
    fixture = new HostFixture({ txBuffers: 4 });
    fixture.introduce();
    const request = echo(7000);
    for (const part of fragments(request, 1480, 2960, 4440, 5920)) {
      fixture.receiveIpv4({ ...part, protocol: IpProtocol.Icmp });
    }
    expect([fixture.take(), fixture.network.ipv4Output.discarded, fixture.host.tx.inUse]).toEqual([[], 1, 0]);
  });
});

describe('errors that are sent (RFC 1812 4.3.2.8)', () => {
  const unreachable = (source = PEER): void => {
    fixture.receiveIpv4({ payload: new Uint8Array(8), protocol: IpProtocol.Igmp, source });
  };

  test('six at once to one destination, then one a second', () => {
    for (let i = 0; i < 20; i++) unreachable();
    expect(fixture.take()).toHaveLength(6);
    fixture.step(1000);
    for (let i = 0; i < 20; i++) unreachable();
    expect(fixture.take()).toHaveLength(1);
    fixture.step(60_000);
    for (let i = 0; i < 20; i++) unreachable();
    expect(fixture.take()).toHaveLength(6);
    expect(fixture.network.icmp.limit.suppressed).toBe(14 + 19 + 14);
  });

  test('fifty at once in all, and a thousand a second: errors are not this host’s occupation', () => {
    let sent = 0;
    for (let i = 0; i < 120; i++) {
      const source = ip(`10.0.0.${i + 20}`);
      fixture.introduce(source);
      unreachable(source);
      sent += fixture.take().length;
    }
    expect(sent).toBeLessThanOrEqual(50);
    expect(sent).toBeGreaterThan(40);
    fixture.step(10);
    fixture.introduce(ip('10.0.0.200'));
    unreachable(ip('10.0.0.200'));
    expect(fixture.take()).toHaveLength(1);
  });

  test('answers to echo requests are not errors', () => {
    for (let i = 0; i < 20; i++) fixture.receiveIpv4({ payload: echo(8), protocol: IpProtocol.Icmp });
    expect(fixture.take()).toHaveLength(20);
  });

  test('nobody is answered about a broadcast, a later fragment or an error (RFC 1122 3.2.2)', () => {
    fixture.receiveIpv4({ payload: new Uint8Array(8), protocol: IpProtocol.Igmp, destination: ip('10.0.0.255') });
    fixture.receiveIpv4({ payload: Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0), protocol: IpProtocol.Icmp });
    expect(fixture.take()).toEqual([]);
  });
});
