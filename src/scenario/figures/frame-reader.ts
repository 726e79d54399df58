/**
 * Frames of a ladder in words: the connection by its name, sequence numbers from the start of the connection, the tag of
 * a VLAN, and whether the stack or a NIC built the frame.
 */
import type { Memory } from '../../memory/memory.ts';
import { EtherType, formatMac } from '../../wire/ethernet.ts';
import { IpProtocol, Ipv4Header, Ipv4Parse, parseIpv4 } from '../../wire/ipv4.ts';
import { formatIpv4 } from '../../wire/ipv4-text.ts';
import { formatTcp } from '../../wire/print-tcp.ts';
import { formatFrame } from '../../wire/print.ts';
import { parseTcp, TcpFlag, TcpHeader, TcpParse } from '../../wire/tcp.ts';
import { etherTypeAt, vidOf } from '../../wire/vlan.ts';
import type { ConnectionNames } from './connection-names.ts';

/** Devices have the upper half of the IPv4 identification space (R31). */
const DEVICE_IDS_FROM = 0x8000;

export class FrameReader {
  readonly #memory: Memory;
  readonly #names: ConnectionNames;
  readonly #ip = new Ipv4Header();
  readonly #tcp = new TcpHeader();
  /** MAC that a neighbor was known by first: another one shows in the text. */
  readonly #macs = new Map<string, string>();
  /** Of the frame described last. */
  byDevice = false;
  vid = -1;

  constructor(memory: Memory, names: ConnectionNames) {
    this.#memory = memory;
    this.#names = names;
  }

  describe(frameAt: number, length: number, outbound: boolean): string {
    const { view } = this.#memory;
    const end = frameAt + length;
    const ip = this.#ip;
    const tcp = this.#tcp;
    this.byDevice = false;
    this.vid = vidOf(view, frameAt, end);
    const typeAt = etherTypeAt(view, frameAt, end);
    if (typeAt < 0 || view.getUint16(typeAt) !== EtherType.Ipv4) return formatFrame(view, frameAt, length);
    if (parseIpv4(view, typeAt + 2, end, ip) !== Ipv4Parse.Ok) return formatFrame(view, frameAt, length);
    this.byDevice = ip.identification >= DEVICE_IDS_FROM;
    const isTcp = ip.protocol === IpProtocol.Tcp;
    if (!isTcp || parseTcp(view, ip.payloadAt, ip.payloadEnd, tcp) !== TcpParse.Ok) {
      return formatFrame(view, frameAt, length);
    }
    const remote = formatIpv4(outbound ? ip.destination : ip.source);
    const port = outbound ? tcp.dstPort : tcp.srcPort;
    if ((tcp.flags & TcpFlag.Syn) !== 0) {
      this.#names.started(remote, port, outbound ? 'local' : 'remote', tcp.segSeq);
    }
    const name = this.#names.find(remote, port);
    const starts = this.#names.starts(name);
    const bases = outbound
      ? { seq: starts.local, ack: starts.remote, padding: false }
      : { seq: starts.remote, ack: starts.local, padding: false };
    const tag = this.vid > 0 ? `vlan ${this.vid} ` : '';
    // Windows and timestamps are in every segment, and no ladder is about them.
    const text = formatTcp(view, ip.payloadAt, tcp, bases)
      .replace(/ win \d+/, '')
      .replace(/ <TS [^>]*>$/, '');
    return `${tag}${name} ${text}${outbound ? this.#moved(remote, frameAt) : ''}`;
  }

  /** Says where a frame goes whose neighbor has another MAC than at first. */
  #moved(remote: string, frameAt: number): string {
    const { view } = this.#memory;
    const mac = formatMac(view.getUint16(frameAt), view.getInt32(frameAt + 2));
    const first = this.#macs.get(remote);
    if (first === undefined) this.#macs.set(remote, mac);
    return first === undefined || first === mac ? '' : ` to ${mac}`;
  }
}
