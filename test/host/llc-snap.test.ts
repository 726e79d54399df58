/** LLC/SNAP frames (RFC 1042): both kinds are received, one is sent, by the host and by devices (NeighborState.headerFormat). */
import { describe, expect, test } from 'vitest';
import { HeaderFormat } from '../../src/offload/state-objects.ts';
import { ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIcmpEcho, ICMP, IcmpType } from '../../src/wire/icmp.ts';
import { emitIpv4, IPV4, IpProtocol } from '../../src/wire/ipv4.ts';
import { emitSnap, SNAP } from '../../src/wire/llc-snap.ts';
import { formatFrame } from '../../src/wire/print.ts';
import { collect, NetMachine, pattern, POLICIES, SERVER as SERVER_TEXT } from '../net/harness.ts';
import { HostFixture, PEER, PEER_MAC_HI, SERVER } from '../support/host-fixture.ts';

describe('the host (RFC 1122 2.3.3)', () => {
  function snapEcho(fixture: HostFixture): void {
    const { view } = fixture.memory;
    fixture.receive(EtherType.Ipv4, at => {
      const body = at + SNAP.headerLength;
      const length = IPV4.headerLength + emitIcmpEcho(view, body + IPV4.headerLength, IcmpType.Echo, 1, 2, 0);
      emitIpv4(view, body, 0, length, 1, 0, 64, IpProtocol.Icmp, PEER, SERVER);
      emitSnap(view, at - 2, EtherType.Ipv4, length);
      // Padding to the least length of a frame is none of the datagram.
      return body + length + 10;
    });
  }

  test('understands both, and sends Ethernet II unless told otherwise', () => {
    const fixture = new HostFixture();
    fixture.introduce();
    snapEcho(fixture);
    expect(fixture.take()).toEqual(['10.0.0.1 > 10.0.0.16 icmp echo-reply id 1 seq 2 (0)']);
  });

  test('sends LLC/SNAP where the interface is configured so, ARP too, and datagrams of 1492 bytes at most', () => {
    const fixture = new HostFixture();
    fixture.iface.headerFormat = HeaderFormat.Snap;
    fixture.introduce();
    snapEcho(fixture);
    expect(fixture.take()).toEqual(['snap 10.0.0.1 > 10.0.0.16 icmp echo-reply id 1 seq 2 (0)']);
    fixture.arp(1, PEER, 9, SERVER);
    expect(fixture.take()).toEqual(['snap arp reply 10.0.0.1 (02:43:4e:00:00:01)']);
    const path = fixture.network.acquire(PEER, null)!;
    expect([path.mtu, path.linkMtu]).toEqual([1492, 1492]);
    const { view } = fixture.memory;
    const buffer = fixture.network.begin();
    const payload = fixture.network.payloadAt(buffer, path);
    emitIcmpEcho(view, payload, IcmpType.EchoReply, 1, 1, 1472 - ICMP.headerLength);
    fixture.network.finish(path, buffer, IpProtocol.Icmp, 0, 64, 1472);
    const [frame] = fixture.frames;
    expect(frame!.length).toBe(ETHERNET.headerLength + SNAP.lengthMax);
    expect(new DataView(frame!.buffer).getUint16(ETHERNET.etherType)).toBe(SNAP.lengthMax);
  });

  test('what is neither goes back to the device unread', () => {
    const fixture = new HostFixture();
    fixture.receive(EtherType.Ipv4, at => {
      emitEthernet(fixture.memory.view, at - ETHERNET.headerLength, 0x0243, 0x4e000001, PEER_MAC_HI, 7, 38);
      return at + 38;
    });
    expect([fixture.framing.dropped, fixture.returned]).toEqual([1, 1]);
  });
});

describe.each(POLICIES)('connections $name', ({ policy }) => {
  test.each([1, 2])('in LLC/SNAP frames carry what is sent, both ways [seed %i]', async seed => {
    await using machine = new NetMachine({ policy: policy(), seed });
    for (const { host } of machine.sim.hosts) host.interfaces[0]!.headerFormat = HeaderFormat.Snap;
    const kinds = new Set<string>();
    machine.sim.fabric.addTap({
      frame: (_id, _us, at, length) => {
        const text = formatFrame(machine.sim.memory.view, at, length);
        kinds.add(text.startsWith('snap ') ? 'snap' : text);
      },
    });
    const sent = pattern(200_000);
    const server = machine.server.createServer({ allowHalfOpen: true }, socket => {
      void collect(socket).then(bytes => socket.end(bytes));
    });
    server.listen(80, SERVER_TEXT);
    const socket = machine.client.connect(80, SERVER_TEXT);
    socket.end(sent);
    const echoed = collect(socket);
    expect(Buffer.compare(await echoed, sent)).toBe(0);
    expect([...kinds]).toEqual(['snap']);
    const offloaded = machine.sim.hosts[0]!.host.chimney.stats.connectionsOffloaded;
    expect(offloaded > 0).toBe(policy().name !== 'nothing');
    server.close();
    await machine.sweep();
  });
});
