/** Inbound lines as datagrams, and datagrams of the host's as lines, in both families. */
import { describe, expect, test } from 'vitest';
import type { PacketAction, ScriptOption } from '../../src/packetdrill/ast.ts';
import { InboundDatagrams } from '../../src/packetdrill/inbound.ts';
import { tcpText } from '../../src/packetdrill/packet-text.ts';
import { parseScript } from '../../src/packetdrill/parser.ts';
import { ScriptError, Unsupported } from '../../src/packetdrill/script-error.ts';
import { ScriptSocket } from '../../src/packetdrill/script-socket.ts';
import { SeenPacket } from '../../src/packetdrill/seen-packet.ts';
import { applyOptions, defaultSettings, type Settings } from '../../src/packetdrill/settings.ts';
import { onesComplementSum } from '../../src/wire/checksum.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { NextHeader } from '../../src/wire/ipv6.ts';

function settingsFor(version: string): Settings {
  const settings = defaultSettings();
  const options: ScriptOption[] = [{ name: 'ip_version', value: version, line: 1 }];
  applyOptions(options, settings);
  return settings;
}

function packet(line: string): PacketAction {
  return parseScript('x', `0 ${line}`, new Map()).events[0]!.action as PacketAction;
}

function socketOf(): ScriptSocket {
  const socket = new ScriptSocket('tcp');
  socket.localPort = 8080;
  socket.remotePort = 40_001;
  socket.remoteIsn = 5000;
  socket.scriptRemoteIsn = 5000;
  socket.localIsn = -100;
  return socket;
}

describe.each(['ipv4', 'ipv6'])('%s', version => {
  const { ends } = settingsFor(version);
  const make = (line: string): DataView => {
    const bytes = new InboundDatagrams(settingsFor(version)).make(packet(line), socketOf(), 1);
    return new DataView(bytes.buffer);
  };

  test('a segment has the wire numbers of its connection, its options as written, and right checksums', () => {
    const view = make('< P. 1:101(100) ack 51 win 257 <nop,nop,sack 11:21>');
    const at = ends.headerLength;
    const length = view.byteLength - at;
    expect(view.getUint16(at)).toBe(40_001);
    expect(view.getUint16(at + 2)).toBe(8080);
    expect(view.getInt32(at + 4)).toBe(5001);
    expect(view.getInt32(at + 8)).toBe(-49);
    expect([...new Uint8Array(view.buffer, at + 20, 4)]).toEqual([1, 1, 5, 10]);
    expect(view.getInt32(at + 24)).toBe(-89);
    expect(onesComplementSum(view, at, length, ends.pseudoSum(view, 0, IpProtocol.Tcp, length))).toBe(0xffff);
    if (version === 'ipv4') expect(onesComplementSum(view, 0, at, 0)).toBe(0xffff);
  });

  test('a SYN has the numbers of the script, and its text begins behind it', () => {
    const view = make('< S 7000:7010(10) win 100 <mss 1460>');
    const plain = make('< . 1:11(10) ack 1 win 100 <mss 1460>');
    expect(view.getInt32(ends.headerLength + 4)).toBe(7000);
    const text = (from: DataView): Uint8Array => new Uint8Array(from.buffer, ends.headerLength + 24);
    expect(text(view)).toEqual(text(plain));
  });

  test('what the host sends reads as a line', () => {
    const view = make('< . 1:1(0) ack 51 win 257 <nop,nop,TS val 7 ecr 0>'.replace(',TS val 7 ecr 0', ',sack 11:21'));
    // Sent the other way: numbers change places.
    const socket = socketOf();
    socket.localIsn = 5000;
    socket.remoteIsn = -100;
    const seen = new SeenPacket({ us: 0, atHandOver: false, view }, ends);
    expect(seen.toRemote).toBe(false);
    expect(tcpText(seen.tcp(socket), seen.ip)).toBe('. 1:1(0) ack 51 win 257 <nop,nop,sack 11:21>');
  });

  test('ECN and TTL of a line are in the header', () => {
    const seen = new SeenPacket({ us: 0, atHandOver: false, view: make('< [ce] . 1:1(0) ack 1 win 5') }, ends);
    expect(seen.ip).toMatchObject({ ecn: 3, tos: 3, ttl: 255 });
    expect(
      new SeenPacket({ us: 0, atHandOver: false, view: make('< [ttl 9] . 1:1(0) ack 1 win 5') }, ends).ip.ttl,
    ).toBe(9);
  });

  test('an ICMP error quotes the segment that it is about', () => {
    const view = make('< icmp unreachable frag_needed mtu 1300 [51:151(100)]');
    const at = ends.headerLength;
    const protocol = version === 'ipv4' ? IpProtocol.Icmp : NextHeader.Icmpv6;
    const length = view.byteLength - at;
    const pseudo = version === 'ipv4' ? 0 : ends.pseudoSum(view, 0, protocol, length);
    expect(onesComplementSum(view, at, length, pseudo)).toBe(0xffff);
    expect(view.getInt32(at + 4)).toBe(1300);
    expect([view.getUint8(at), view.getUint8(at + 1)]).toEqual(version === 'ipv4' ? [3, 4] : [2, 0]);
    const quoted = at + 8 + at;
    expect([view.getUint16(quoted), view.getUint16(quoted + 2), view.getInt32(quoted + 4)]).toEqual([
      8080, 40_001, -49,
    ]);
  });

  test('ICMP has other messages, by name and by number', () => {
    const at = ends.headerLength;
    const head = (line: string): number[] => [...new Uint8Array(make(line).buffer, at, 2)];
    expect(head('< icmp echo_request')).toEqual([version === 'ipv4' ? 8 : 128, 0]);
    expect(head('< icmp type_200 code_9')).toEqual([200, 9]);
    expect(head('< icmp unreachable code_255')[1]).toBe(255);
    const raw = make('< icmp echo_reply id 513 [raw(20)]');
    expect([raw.byteLength - at, raw.getUint16(at + 4)]).toEqual([20, 513]);
    expect(() => make('< icmp type_256')).toThrow('no such ICMP');
    expect(() => make('< icmp unreachable toString')).toThrow('no such ICMP');
    expect(() => make('< icmp time_exceeded mtu 1200')).toThrow('has no MTU');
    expect(() => make('< icmp echo_request [raw(7)]')).toThrow('7 bytes');
  });

  test('a TS ecr that was never sent, and options that do not fill words, are mistakes of the script', () => {
    expect(() => make('< . 1:1(0) ack 1 win 5 <nop,nop,TS val 1 ecr 99>')).toThrow(ScriptError);
    expect(() => make('< . 1:1(0) ack 1 win 5 <nop>')).toThrow('padded');
  });
});

test('a router of the link is where advertisements are from, and all nodes hear them', () => {
  const line = packet('< icmp router_advertisement mtu 1400');
  const bytes = new InboundDatagrams(settingsFor('ipv6')).make(line, socketOf(), 1);
  const view = new DataView(bytes.buffer);
  expect([view.getUint8(7), view.getUint16(8), view.getUint16(24), view.getUint8(39)]).toEqual([
    255, 0xfe80, 0xff02, 1,
  ]);
  expect([view.getUint8(40), view.getUint8(56), view.getInt32(60)]).toEqual([134, 5, 1400]);
});

test('addresses of the options must be some', () => {
  const option = (name: string, value: string): ScriptOption => ({ name, value, line: 3 });
  expect(() => applyOptions([option('local_ip', 'x')], defaultSettings())).toThrow(ScriptError);
  expect(() => applyOptions([option('ip_version', 'ipv5')], defaultSettings())).toThrow('ipv5');
  const mixed = [option('ip_version', 'ipv6'), option('local_ip', '10.0.0.1')];
  expect(() => applyOptions(mixed, defaultSettings())).toThrow(Unsupported);
  const settings = defaultSettings();
  applyOptions([option('local_ip', '10.0.0.1'), option('netmask_ip', '255.0.0.0')], settings);
  expect(settings.ends).toMatchObject({ version: 4, local: 0x0a000001, prefixLength: 8 });
});
