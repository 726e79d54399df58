/**
 * From an inbound line of a script to the datagram that the host gets: the script's numbers become the wire's, and every
 * byte of the stream is the one that belongs to its place (stream-bytes.ts).
 */
import { checksumOf, onesComplementSum, pseudoHeaderSum } from '../wire/checksum.ts';
import { emitIcmpError, IcmpType, ParameterProblemCode, TimeExceededCode, UnreachableCode } from '../wire/icmp.ts';
import { emitIpv4, IPV4, IpProtocol } from '../wire/ipv4.ts';
import { TCP, TcpFlag } from '../wire/tcp.ts';
import { TcpOption } from '../wire/tcp-options.ts';
import { UDP } from '../wire/udp.ts';
import type { IcmpSpec, IpSpec, PacketAction, TcpOptionSpec, TcpSpec, UdpSpec } from './ast.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import type { ScriptSocket } from './script-socket.ts';
import type { Settings } from './settings.ts';
import { receivedByte } from './stream-bytes.ts';

const TTL = 255;
/** A tail of the quoted datagram that says which connection it was (RFC 792). */
const QUOTED_BYTES = 8;

/** Datagrams to the host, for one script. */
export class InboundDatagrams {
  readonly #settings: Settings;
  #identification = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  make(action: PacketAction, socket: ScriptSocket, line: number): Uint8Array {
    const { payload, ip } = action;
    if (payload.protocol === 'tcp') return this.#tcp(payload, ip, socket, line);
    if (payload.protocol === 'udp') return this.#udp(payload, ip, socket);
    return this.#icmp(payload, ip, socket, line);
  }

  #tcp(spec: TcpSpec, ip: IpSpec, socket: ScriptSocket, line: number): Uint8Array {
    const options = optionBytes(spec, socket, this.#settings.tsEcrScaled, line);
    const headerLength = TCP.headerLength + options.length;
    if (headerLength > TCP.headerLengthMax || (options.length & 3) !== 0) {
      throw new ScriptError(line, 'TCP options are not padded correctly, or too long');
    }
    const { bytes, view } = datagram(headerLength + spec.length);
    const at = IPV4.headerLength;
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
    const { bytes, view } = datagram(length);
    const at = IPV4.headerLength;
    view.setUint16(at, spec.srcPort === 0 ? socket.remotePort : spec.srcPort);
    view.setUint16(at + UDP.dstPort, spec.dstPort === 0 ? socket.localPort : spec.dstPort);
    view.setUint16(at + UDP.length, length);
    this.#finish(view, IpProtocol.Udp, ip, at + UDP.checksum);
    return bytes;
  }

  /** An error about something that the host has sent, which it quotes. */
  #icmp(spec: IcmpSpec, ip: IpSpec, socket: ScriptSocket, line: number): Uint8Array {
    const { type, code, rest } = icmpNumbers(spec, line);
    const quoted = this.#quoted(spec, socket, line);
    const length = 8 + quoted.length;
    const { bytes, view } = datagram(length + quoted.length);
    const at = IPV4.headerLength;
    bytes.set(quoted, at + length);
    emitIcmpError(view, at, type, code, rest, at + length, quoted.length);
    const whole = bytes.slice(0, at + length);
    this.#header(new DataView(whole.buffer), IpProtocol.Icmp, ip);
    return whole;
  }

  #quoted({ echoed }: IcmpSpec, socket: ScriptSocket, line: number): Uint8Array {
    if (echoed.protocol === 'raw') throw new Unsupported(line, 'ICMP errors about raw datagrams');
    const { localAddress, remoteAddress } = this.#settings;
    const isTcp = echoed.protocol === 'tcp';
    const length = IPV4.headerLength + (isTcp ? TCP.headerLength : UDP.headerLength) + echoed.length;
    const { bytes, view } = datagram(QUOTED_BYTES);
    emitIpv4(view, 0, 0, length, 0, 0, TTL, isTcp ? IpProtocol.Tcp : IpProtocol.Udp, localAddress, remoteAddress);
    view.setUint16(20, socket.localPort);
    view.setUint16(22, socket.remotePort);
    if (isTcp) view.setInt32(24, (echoed.seq + socket.localIsn) | 0);
    else view.setUint16(24, UDP.headerLength + echoed.length);
    return bytes;
  }

  #header(view: DataView, protocol: number, ip: IpSpec): void {
    const { localAddress, remoteAddress } = this.#settings;
    const tos = ip.tos >= 0 ? ip.tos : Math.max(0, ip.ecn);
    const id = ++this.#identification & 0xffff;
    const ttl = ip.ttl > 0 ? ip.ttl : TTL;
    emitIpv4(view, 0, tos, view.byteLength, id, 0, ttl, protocol, remoteAddress, localAddress);
  }

  #finish(view: DataView, protocol: number, ip: IpSpec, checksumAt: number): void {
    const { localAddress, remoteAddress } = this.#settings;
    const length = view.byteLength - IPV4.headerLength;
    const pseudo = pseudoHeaderSum(remoteAddress, localAddress, protocol, length);
    view.setUint16(checksumAt, checksumOf(onesComplementSum(view, IPV4.headerLength, length, pseudo)));
    this.#header(view, protocol, ip);
  }
}

function datagram(payload: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(IPV4.headerLength + payload);
  return { bytes, view: new DataView(bytes.buffer) };
}

const UNREACHABLE: Readonly<Record<string, number>> = {
  net_unreachable: UnreachableCode.Net,
  host_unreachable: UnreachableCode.Host,
  protocol_unreachable: UnreachableCode.Protocol,
  port_unreachable: UnreachableCode.Port,
  frag_needed: UnreachableCode.FragmentationNeeded,
  source_route_failed: UnreachableCode.SourceRouteFailed,
  net_unknown: UnreachableCode.NetUnknown,
  host_unknown: UnreachableCode.HostUnknown,
  source_host_isolated: UnreachableCode.SourceHostIsolated,
  net_prohibited: UnreachableCode.NetProhibited,
  host_prohibited: UnreachableCode.HostProhibited,
  net_unreachable_for_tos: UnreachableCode.NetTos,
  host_unreachable_for_tos: UnreachableCode.HostTos,
  packet_filtered: UnreachableCode.CommunicationProhibited,
  precedence_violation: UnreachableCode.HostPrecedence,
  precedence_cutoff: UnreachableCode.PrecedenceCutoff,
};

function icmpNumbers(spec: IcmpSpec, line: number): { type: number; code: number; rest: number } {
  const { type, code, mtu } = spec;
  if (type === 'unreachable') {
    const number = code === '' ? UnreachableCode.Net : UNREACHABLE[code];
    if (number === undefined) throw new ScriptError(line, `no such ICMP code: ${code}`);
    return { type: IcmpType.DestinationUnreachable, code: number, rest: Math.max(0, mtu) };
  }
  if (type === 'source_quench') return { type: IcmpType.SourceQuench, code: 0, rest: 0 };
  if (type === 'time_exceeded') {
    const isTransit = code !== 'frag_time_exceeded';
    const number = isTransit ? TimeExceededCode.Transit : TimeExceededCode.Reassembly;
    return { type: IcmpType.TimeExceeded, code: number, rest: 0 };
  }
  if (type === 'parameter_problem') {
    return { type: IcmpType.ParameterProblem, code: ParameterProblemCode.Pointer, rest: 0 };
  }
  throw new Unsupported(line, `ICMP ${type}`);
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
      const cookie = hexBytes(socket.cookies.get(o.cookie) ?? o.cookie);
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
