/**
 * Forged ICMP errors about connections that are well (RFC 5927): they are hints, from whoever wants to send them. None ends
 * a connection, and a path MTU that is too small to be true is not believed.
 */
import { describe, expect, test } from 'vitest';
import { emitIcmpError, IcmpType } from '../../src/wire/icmp.ts';
import { emitIpv4, IPV4, Ipv4Fragment, IpProtocol } from '../../src/wire/ipv4.ts';
import { AttackMachine, CLIENT, ROUTER, SERVER } from '../support/attack-machine.ts';

const ECHO = 7;
const QUOTE_BYTES = 28;
/** In the scratch memory of the machine: where the quotation is made. */
const QUOTE_OFFSET = 3000;

/** An error about the last segment that the server sent to the client's port. */
function icmp(machine: AttackMachine, type: number, code: number, rest: number, seq: number, port: number): void {
  const { view } = machine.sim.memory;
  const quoteAt = machine.scratch + QUOTE_OFFSET;
  emitIpv4(view, quoteAt, 0, 1040, 9, Ipv4Fragment.Df, 60, IpProtocol.Tcp, SERVER, CLIENT);
  view.setUint16(quoteAt + IPV4.headerLength, ECHO);
  view.setUint16(quoteAt + IPV4.headerLength + 2, port);
  view.setInt32(quoteAt + IPV4.headerLength + 4, seq);
  machine.datagram(ROUTER, IpProtocol.Icmp, 1, 0, at =>
    emitIcmpError(view, at, type, code, rest, quoteAt, QUOTE_BYTES),
  );
}

describe.each([false, true])('connections offloaded: %s', offload => {
  test('"fragmentation needed" with an MTU of 68, and 0, 1, 552: segments stay large enough', () => {
    const machine = new AttackMachine({ offload });
    const mtus = [0, 1, 67, 68, 296, 551, 552];
    machine.attack(
      1500,
      index => {
        for (const [port, { seq }] of machine.seen) {
          icmp(machine, IcmpType.DestinationUnreachable, 4, mtus[index % mtus.length]!, (seq - 500) | 0, port);
        }
      },
      0.5,
    );
    for (const path of machine.server.network.paths) expect(path.mtu).toBeGreaterThanOrEqual(552);
    machine.end();
  });

  test('unreachable, of every code: soft errors, the connections go on (RFC 1122 4.2.3.9, RFC 5927 5.2)', () => {
    const machine = new AttackMachine({ offload });
    machine.attack(1000, index => {
      const code = index % 16;
      if (code === 4) return;
      for (const [port, { seq }] of machine.seen) {
        icmp(machine, IcmpType.DestinationUnreachable, code, 0, (seq - 500) | 0, port);
      }
    });
    machine.end();
  });

  test('source quench, time exceeded, parameter problem (RFC 6633, RFC 5927)', () => {
    const machine = new AttackMachine({ offload });
    machine.attack(1000, index => {
      for (const [port, { seq }] of machine.seen) {
        for (const type of [IcmpType.SourceQuench, IcmpType.TimeExceeded, IcmpType.ParameterProblem]) {
          icmp(machine, type, index % 2, 0, (seq - 500) | 0, port);
        }
      }
    });
    machine.end();
  });

  test('redirects from somebody who is not the next hop, and to addresses that are not on the link (RFC 1122 3.2.2.2)', () => {
    const machine = new AttackMachine({ offload });
    const hops = (): number[] => [...machine.server.network.paths].map(({ neighbor }) => neighbor.address);
    const before = hops();
    machine.attack(500, index => {
      for (const [port, { seq }] of machine.seen) {
        icmp(machine, IcmpType.Redirect, index % 4, 0x0a000400 + index, seq, port);
        icmp(machine, IcmpType.Redirect, index % 4, 0x20000000 + index, seq, port);
      }
    });
    expect(hops()).toEqual(before);
    machine.end();
  });
});
