/**
 * What the host sent, in a script's terms: the datagram read, sequence numbers and addresses made the script's, options in
 * their order with the padding, so that it compares with a line and prints as one.
 */
import { ICMP } from '../wire/icmp.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { TCP, TcpFlag } from '../wire/tcp.ts';
import { TcpOption } from '../wire/tcp-options.ts';
import { UDP } from '../wire/udp.ts';
import type { IpSpec, TcpOptionSpec, TcpSpec } from './ast.ts';
import type { IpEnds } from './ip-ends.ts';
import type { ScriptSocket } from './script-socket.ts';
import type { SentDatagram } from './wire-port.ts';

/** A datagram of the host's, before anybody has said whose it is. */
export class SeenPacket {
  readonly us: number;
  readonly view: DataView;
  readonly ip: IpSpec;
  readonly protocol: number;
  readonly toRemote: boolean;
  /** 0 where there are none. */
  readonly srcPort: number;
  readonly dstPort: number;
  readonly flags: number;
  readonly payloadAt: number;
  readonly payloadLength: number;
  readonly #at: number;

  constructor({ us, view }: SentDatagram, ends: IpEnds) {
    const { ip, protocol, payloadAt: at, toRemote } = ends.read(view);
    this.us = us;
    this.view = view;
    this.ip = ip;
    this.protocol = protocol;
    this.toRemote = toRemote;
    this.#at = at;
    const hasPorts = protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp;
    this.srcPort = hasPorts ? view.getUint16(at) : 0;
    this.dstPort = hasPorts ? view.getUint16(at + 2) : 0;
    const isTcp = protocol === IpProtocol.Tcp;
    this.flags = isTcp ? view.getUint8(at + TCP.flags) : 0;
    const header = isTcp ? (view.getUint8(at + TCP.dataOffset) >> 4) << 2 : hasPorts ? UDP.headerLength : 8;
    this.payloadAt = at + header;
    this.payloadLength = view.byteLength - at - header;
  }

  /** Of ICMP. */
  get icmp(): { readonly type: number; readonly code: number; readonly id: number; readonly length: number } {
    const { view } = this;
    const at = this.#at;
    const id = view.getUint16(at + ICMP.identifier);
    return { type: view.getUint8(at), code: view.getUint8(at + ICMP.code), id, length: view.byteLength - at };
  }

  get segSeq(): number {
    return this.view.getInt32(this.#at + TCP.segSeq);
  }

  get segAck(): number {
    return this.view.getInt32(this.#at + TCP.segAck);
  }

  /** An ACK and nothing else. */
  get isBareAck(): boolean {
    return this.flags === TcpFlag.Ack && this.payloadLength === 0;
  }

  /** In the script's terms. */
  tcp(socket: ScriptSocket): TcpSpec {
    const { view, flags, payloadAt } = this;
    const at = this.#at;
    const ack = this.segAck;
    const hasAck = (flags & TcpFlag.Ack) !== 0;
    return {
      protocol: 'tcp',
      srcPort: 0,
      dstPort: 0,
      flags,
      seq: socket.scriptLocalSeq(flags, this.segSeq),
      length: this.payloadLength,
      ack: hasAck ? socket.scriptRemoteSeq(flags, ack) : ack >>> 0,
      window: view.getUint16(at + TCP.window),
      urgent: view.getUint16(at + TCP.urgentPointer),
      options: readOptions(view, at + TCP.options, payloadAt, edge => socket.scriptRemoteSeq(flags, edge)),
    };
  }
}

function readOptions(view: DataView, from: number, end: number, edgeOf: (edge: number) => number): TcpOptionSpec[] {
  const options: TcpOptionSpec[] = [];
  let p = from;
  while (p < end) {
    const kind = view.getUint8(p);
    if (kind === TcpOption.Eol || kind === TcpOption.Nop) {
      options.push({ kind: kind === TcpOption.Nop ? 'nop' : 'eol' });
      if (kind === TcpOption.Eol) break;
      p++;
      continue;
    }
    const length = p + 1 < end ? view.getUint8(p + 1) : 0;
    if (length < 2 || p + length > end) break;
    options.push(readOption(view, p, kind, length, edgeOf));
    p += length;
  }
  return options;
}

function readOption(
  view: DataView,
  p: number,
  kind: number,
  length: number,
  edgeOf: (edge: number) => number,
): TcpOptionSpec {
  switch (kind) {
    case TcpOption.Mss:
      return { kind: 'mss', value: view.getUint16(p + 2) };
    case TcpOption.WindowScale:
      return { kind: 'wscale', value: view.getUint8(p + 2) };
    case TcpOption.SackPermitted:
      return { kind: 'sackOK' };
    case TcpOption.Timestamps:
      return { kind: 'TS', val: view.getUint32(p + 2), ecr: view.getUint32(p + 6) };
    case TcpOption.Sack: {
      const blocks: [number, number][] = [];
      for (let at = p + 2; at < p + length; at += 8) {
        blocks.push([edgeOf(view.getInt32(at)), edgeOf(view.getInt32(at + 4))]);
      }
      return { kind: 'sack', blocks };
    }
    case TcpOption.FastOpen:
      return { kind: 'FO', cookie: hex(view, p + 2, length - 2) };
    default:
      if (kind === 254 && length >= 4 && view.getUint16(p + 2) === 0xf989) {
        return { kind: 'FOEXP', cookie: hex(view, p + 4, length - 4) };
      }
      return { kind: 'unknown', number: kind, hex: hex(view, p + 2, length - 2) };
  }
}

function hex(view: DataView, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++)
    text += view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0');
  return text;
}
