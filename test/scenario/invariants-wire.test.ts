/** What a connection's segments may say one after the other, whoever builds them (§8.2: invariants 8 and 9). */
import { describe, expect, test } from 'vitest';
import { createMemory } from '../../src/memory/memory.ts';
import { WireWatch } from '../../src/scenario/invariants-wire.ts';
import { emitEthernet, ETHERNET, EtherType } from '../../src/wire/ethernet.ts';
import { emitIpv4, IPV4, IpProtocol, Ipv4Fragment } from '../../src/wire/ipv4.ts';
import { frame6 } from '../support/ipv6-frames.ts';
import { emitTcp, TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';

const SERVER = 0x0a000001;
const CLIENT = 0x0a000002;
const AT = 4096;
const { Syn, Ack, Rst } = TcpFlag;

interface Said {
  flags?: number;
  ack?: number;
  window?: number;
  stamp?: number;
  scale?: number;
  sameInstant?: boolean;
}

function watch(mayShrink = () => false, isIpv6 = false) {
  const memory = createMemory(65_536);
  const wire = new WireWatch(memory, mayShrink);
  let nowUs = 0;
  const frame = (outbound: boolean, said: Said, cable: number): void => {
    if (!said.sameInstant) nowUs++;
    const header = new TcpHeader();
    header.flags = said.flags ?? Ack;
    header.segAck = said.ack ?? 1000;
    header.window = said.window ?? 1000;
    if (said.scale !== undefined) header.windowScale = said.scale;
    if (said.stamp !== undefined) {
      header.hasTimestamp = true;
      header.tsVal = said.stamp;
    }
    [header.srcPort, header.dstPort] = outbound ? [80, 5000] : [5000, 80];
    if (isIpv6) {
      const [source, destination] = outbound ? ['fd00::1', 'fd00::2'] : ['fd00::2', 'fd00::1'];
      const ends = { source, destination, srcMac: [0x250, 1], dstMac: [0x250, 2] } as const;
      const size = frame6(memory.view, AT, ends, IpProtocol.Tcp, at => emitTcp(memory.view, at, header));
      wire.frame(cable, nowUs, AT, size, outbound, false);
      return;
    }
    emitEthernet(memory.view, AT, 0x250, 2, 0x250, 1, EtherType.Ipv4);
    const ipAt = AT + ETHERNET.headerLength;
    const length = emitTcp(memory.view, ipAt + IPV4.headerLength, header);
    const total = IPV4.headerLength + length;
    const [from, to] = outbound ? [SERVER, CLIENT] : [CLIENT, SERVER];
    emitIpv4(memory.view, ipAt, 0, total, 1, Ipv4Fragment.Df, 64, IpProtocol.Tcp, from, to);
    wire.frame(cable, nowUs, AT, ETHERNET.headerLength + total, outbound, false);
  };
  const says = (said: Said, cable = 0): void => frame(true, said, cable);
  const opens = (scale?: number): void => {
    frame(false, { flags: Syn, ...(scale === undefined ? {} : { scale }) }, 0);
    says({ flags: Syn | Ack, ...(scale === undefined ? {} : { scale }) });
  };
  const hears = (said: Said): void => frame(false, said, 0);
  return { wire, says, hears, opens };
}

describe('the wire watch', () => {
  test('lets ACK, clock and edge go forward, over 2^32 (invariants 8, 9)', () => {
    const { says, opens, wire } = watch();
    opens();
    for (let i = 0; i < 10; i++) says({ ack: (-5000 + 1000 * i) | 0, stamp: (-5 + i) | 0, window: 2000 });
    expect(wire.segments).toBe(11);
  });

  test('an ACK that goes back (invariant 8)', () => {
    const { says, opens } = watch();
    opens();
    says({ ack: 1000 });
    expect(() => says({ ack: 999, window: 2000 })).toThrow(
      '10.0.0.1:80 > 10.0.0.2:5000: ACK goes back from 1000 to 999',
    );
  });

  test('over IPv6 likewise', () => {
    const { says, opens, wire } = watch(undefined, true);
    opens();
    says({ ack: 1000 });
    expect(() => says({ ack: 999 })).toThrow('[fd00::1]:80 > [fd00::2]:5000: ACK goes back from 1000 to 999');
    expect(wire.segments).toBe(3);
  });

  test('a timestamp that goes back (invariant 8)', () => {
    const { says, opens } = watch();
    opens();
    says({ stamp: 50 });
    says({ stamp: 50 });
    expect(() => says({ stamp: 49 })).toThrow('TSval goes back from 50 to 49 (invariant 8)');
  });

  test('a right edge that shrinks, and one that an update allows to (invariant 9, C05)', () => {
    const strict = watch();
    strict.opens();
    strict.says({ window: 1000 });
    expect(() => strict.says({ window: 999 })).toThrow('shrinks from 2000 to 1999 (invariant 9)');
    const lenient = watch(() => true);
    lenient.opens();
    lenient.says({ window: 1000 });
    lenient.says({ window: 500 });
  });

  test('windows are scaled when both ends offered it, and may lose the rounding, once (RFC 7323 2.4)', () => {
    const { says, opens } = watch();
    opens(4);
    says({ ack: 1000, window: 100 });
    says({ ack: 1015, window: 99 });
    // 1015 + 99 × 16 is one below the promise; a further unit is no rounding.
    expect(() => says({ ack: 1015, window: 98 })).toThrow('(invariant 9)');
  });

  test('a SYN begins anew, and a reset says nothing', () => {
    const { says, opens } = watch();
    opens();
    says({ ack: 5000, stamp: 100 });
    says({ flags: Rst | Ack, ack: 1, stamp: 1 });
    opens();
    says({ ack: 10, stamp: 5 });
    expect(() => says({ ack: 9 })).toThrow('ACK goes back');
  });

  test('a connection that moved is followed; what the old cable had left is not compared', () => {
    const { says, opens } = watch();
    opens();
    says({ ack: 1000 }, 0);
    says({ ack: 2000 }, 1);
    says({ ack: 1500 }, 0);
    expect(() => says({ ack: 1999 }, 1)).toThrow('ACK goes back from 2000 to 1999');
  });

  test('what an old cable had left may offer less than the new owner did, not what a first move brings (seed 5650)', () => {
    const { says, opens } = watch();
    opens();
    says({ ack: 1000, window: 900 }, 0);
    says({ ack: 1000, window: 1000 }, 1);
    says({ ack: 1000, window: 900 }, 0);
    says({ ack: 1000, window: 1000 }, 1);
    expect(() => says({ ack: 1000, window: 999 }, 2)).toThrow('shrinks from 2000 to 1999 (invariant 9)');
  });

  test('a cable that was taken and left again in one instant may be read after the one gone back to (seed 5062)', () => {
    const { says, opens } = watch();
    opens();
    says({ ack: 1000, window: 1000 }, 0);
    says({ ack: 1000, window: 999, sameInstant: true }, 1);
    expect(() => says({ ack: 1000, window: 999 }, 2)).toThrow('(invariant 9)');
  });

  test('another SYN of the peer does not change what windows mean (seed 5166)', () => {
    const { says, hears, opens } = watch();
    opens(4);
    says({ ack: 1000, window: 100 });
    hears({ flags: Syn });
    says({ ack: 1000, window: 100 });
    expect(() => says({ ack: 1000, window: 90 })).toThrow('(invariant 9)');
  });
});
