/**
 * From an inbound line of a script to the datagram that the host gets: the script's numbers become the wire's, and every
 * byte of the stream is the one that belongs to its place (stream-bytes.ts).
 */
import { checksumOf, onesComplementSum } from '../wire/checksum.ts';
import { ICMP } from '../wire/icmp.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP, TcpFlag } from '../wire/tcp.ts';
import { TcpOption } from '../wire/tcp-options.ts';
import { UDP } from '../wire/udp.ts';
import type { IcmpSpec, IpSpec, PacketAction, TcpOptionSpec, TcpSpec, UdpSpec } from './ast.ts';
import { icmpMessage } from './icmp-message.ts';
import type { IpEnds } from './ip-ends.ts';
import { ScriptError } from './script-error.ts';
import type { ScriptSocket } from './script-socket.ts';
import type { Settings } from './settings.ts';
import { receivedByte } from './stream-bytes.ts';

/** Datagrams to the host, for one script. */
export class InboundDatagrams {
  readonly #settings: Settings;
  readonly #ends: IpEnds;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#ends = settings.ends;
  }

  make(action: PacketAction, socket: ScriptSocket, line: number): Uint8Array {
    const { payload, ip } = action;
    if (payload.protocol === 'tcp') return this.#tcp(payload, ip, socket, line);
    if (payload.protocol === 'udp') return this.#udp(payload, ip, socket);
    return this.#icmp(payload, ip, socket, line);
  }

  #datagram(payload: number): { bytes: Uint8Array; view: DataView; at: number } {
    const { headerLength } = this.#ends;
    const bytes = new Uint8Array(headerLength + payload);
    return { bytes, view: new DataView(bytes.buffer), at: headerLength };
  }

  #tcp(spec: TcpSpec, ip: IpSpec, socket: ScriptSocket, line: number): Uint8Array {
    const options = optionBytes(spec, socket, this.#settings.tsEcrScaled, line);
    const headerLength = TCP.headerLength + options.length;
    if (headerLength > TCP.headerLengthMax || (options.length & 3) !== 0) {
      throw new ScriptError(line, 'TCP options are not padded correctly, or too long');
    }
    const { bytes, view, at } = this.#datagram(headerLength + spec.length);
    view.setUint16(at, spec.srcPort === 0 ? socket.remotePort : spec.srcPort);
    view.setUint16(at + TCP.dstPort, spec.dstPort === 0 ? socket.localPort : spec.dstPort);
    view.setInt32(at + TCP.segSeq, socket.remoteSeq(spec.flags, spec.seq));
    const hasAck = (spec.flags & TcpFlag.Ack) !== 0;
    view.setInt32(at + TCP.segAck, hasAck ? socket.localSeq(spec.flags, spec.ack) : spec.ack);
    view.setUint8(at + TCP.dataOffset, (headerLength >> 2) << 4);
    view.setUint8(at + TCP.flags, spec.flags);
    view.setUint16(at + TCP.window, spec.window);
    view.setUint16(at + TCP.urgentPointer, spec.urgent);
    bytes.set(options, at + TCP.options);
    // Text of a segment with SYN begins behind it.
    const isSyn = (spec.flags & TcpFlag.Syn) !== 0;
    const offset = isSyn ? 0 : spec.seq - 1;
    for (let i = 0; i < spec.length; i++) bytes[at + headerLength + i] = receivedByte(offset + i);
    this.#finish(view, IpProtocol.Tcp, ip, at + TCP.checksum);
    return bytes;
  }

  #udp(spec: UdpSpec, ip: IpSpec, socket: ScriptSocket): Uint8Array {
    const length = UDP.headerLength + spec.length;
    const { bytes, view, at } = this.#datagram(length);
    view.setUint16(at, spec.srcPort === 0 ? socket.remotePort : spec.srcPort);
    view.setUint16(at + UDP.dstPort, spec.dstPort === 0 ? socket.localPort : spec.dstPort);
    view.setUint16(at + UDP.length, length);
    this.#finish(view, IpProtocol.Udp, ip, at + UDP.checksum);
    return bytes;
  }

  #icmp(spec: IcmpSpec, ip: IpSpec, socket: ScriptSocket, line: number): Uint8Array {
    const message = icmpMessage(spec, socket, this.#ends, line);
    const { bytes, view, at } = this.#datagram(message.length);
    bytes.set(message, at);
    // Only that of IPv6 has a pseudo-header.
    this.#finish(view, this.#ends.icmpProtocol, ip, at + ICMP.checksum, this.#ends.version === 6);
    return bytes;
  }

  #finish(view: DataView, protocol: number, ip: IpSpec, checksumAt: number, hasPseudo = true): void {
    const ends = this.#ends;
    const at = ends.headerLength;
    const length = view.byteLength - at;
    ends.writeHeader(view, 0, length, protocol, ip, false);
    const pseudo = hasPseudo ? ends.pseudoSum(view, 0, protocol, length) : 0;
    view.setUint16(checksumAt, checksumOf(onesComplementSum(view, at, length, pseudo)));
  }
}

/** FOEXP: RFC 7413's option before it had a kind of its own; the experiment's number is IANA's 0xf989. */
const EXPERIMENT_KIND = 254;
const FAST_OPEN_EXPERIMENT = [0xf9, 0x89];

function optionBytes(spec: TcpSpec, socket: ScriptSocket, scaled: boolean, line: number): Uint8Array {
  const bytes: number[] = [];
  for (const option of spec.options ?? []) bytes.push(...bytesOf(option, spec, socket, scaled, line));
  return Uint8Array.from(bytes);
}

function bytesOf(o: TcpOptionSpec, spec: TcpSpec, socket: ScriptSocket, scaled: boolean, line: number): number[] {
  switch (o.kind) {
    case 'nop':
      return [TcpOption.Nop];
    case 'eol':
      return [TcpOption.Eol];
    case 'sackOK':
      return [TcpOption.SackPermitted, 2];
    case 'mss':
      return [TcpOption.Mss, 4, o.value >> 8, o.value & 0xff];
    case 'wscale':
      return [TcpOption.WindowScale, 3, o.value];
    case 'TS': {
      const echoes = (spec.flags & TcpFlag.Ack) !== 0;
      const ecr = echoes ? socket.liveTimestamp(o.ecr, scaled) : o.ecr;
      if (ecr === undefined) {
        throw new ScriptError(line, `unable to infer TS ecr ${o.ecr}: no outbound TS val was that`);
      }
      return [TcpOption.Timestamps, 10, ...word(o.val), ...word(ecr)];
    }
    case 'sack': {
      const edges = o.blocks.flat().map(edge => socket.localSeq(spec.flags, edge));
      return [TcpOption.Sack, 2 + 4 * edges.length, ...edges.flatMap(word)];
    }
    case 'FO':
    case 'FOEXP': {
      const cookie = hexBytes(o.cookie);
      if (o.kind === 'FO') return [TcpOption.FastOpen, 2 + cookie.length, ...cookie];
      return [EXPERIMENT_KIND, 4 + cookie.length, ...FAST_OPEN_EXPERIMENT, ...cookie];
    }
    case 'unknown':
      return [o.number, 2 + o.hex.length / 2, ...hexBytes(o.hex)];
  }
}

function word(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function hexBytes(text: string): number[] {
  return (text.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16));
}
