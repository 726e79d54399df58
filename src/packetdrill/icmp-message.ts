/**
 * ICMP messages of inbound lines, but for the checksum. An error quotes what the host has sent: an IP header and eight bytes
 * (RFC 792), and so does, as packetdrill has it, every other message about which nothing is said; `[raw(40)]` is one of so
 * many bytes without a quotation. An advertisement of a router (RFC 4861 4.2) has the MTU of the link as an option.
 */
import { ICMP } from '../wire/icmp.ts';
import { Icmpv6Type } from '../wire/icmpv6.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { NdOption } from '../wire/nd.ts';
import { TCP } from '../wire/tcp.ts';
import { UDP } from '../wire/udp.ts';
import type { IcmpSpec, IpSpec } from './ast.ts';
import { icmpNumbers } from './icmp-numbers.ts';
import type { IpEnds } from './ip-ends.ts';
import { ScriptError } from './script-error.ts';
import type { ScriptSocket } from './script-socket.ts';

/** Of the datagram that is quoted, behind its header: they say which connection it was. */
const QUOTED_BYTES = 8;
const NOTHING_SAID: IpSpec = { ecn: -1, tos: -1, ttl: -1, flowLabel: -1 };
const ADVERTISEMENT_BYTES = 16;
const MTU_OPTION_BYTES = 8;

export function icmpMessage(spec: IcmpSpec, socket: ScriptSocket, ends: IpEnds, line: number): Uint8Array {
  const { type, code, rest } = icmpNumbers(spec, ends.version, line);
  const { echoed } = spec;
  const isAdvertisement = ends.version === 6 && type === Icmpv6Type.RouterAdvertisement;
  let body: Uint8Array;
  if (isAdvertisement) body = mtuOption(spec.mtu);
  else if (echoed.protocol === 'raw') body = new Uint8Array(rawLength(echoed.length, line));
  else body = quoted(spec, socket, ends);
  const bytes = new Uint8Array(ICMP.headerLength + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint8(ICMP.code, code);
  if (!isAdvertisement) view.setInt32(ICMP.rest, rest);
  bytes.set(body, ICMP.headerLength);
  return bytes;
}

function rawLength(length: number, line: number): number {
  if (length < ICMP.headerLength) throw new ScriptError(line, `no ICMP message has ${length} bytes`);
  return length - ICMP.headerLength;
}

function quoted({ echoed }: IcmpSpec, socket: ScriptSocket, ends: IpEnds): Uint8Array {
  const isTcp = echoed.protocol === 'tcp';
  const at = ends.headerLength;
  const length = (isTcp ? TCP.headerLength : UDP.headerLength) + echoed.length;
  const bytes = new Uint8Array(at + QUOTED_BYTES);
  const view = new DataView(bytes.buffer);
  ends.writeHeader(view, 0, length, isTcp ? IpProtocol.Tcp : IpProtocol.Udp, NOTHING_SAID, true);
  view.setUint16(at, socket.localPort);
  view.setUint16(at + 2, socket.remotePort);
  if (isTcp) view.setInt32(at + 4, (echoed.seq + socket.localIsn) | 0);
  else view.setUint16(at + 4, length);
  return bytes;
}

/** What of an advertisement is behind its first eight bytes: it says nothing of itself, and perhaps an MTU (RFC 4861 4.6.4). */
function mtuOption(mtu: number): Uint8Array {
  const at = ADVERTISEMENT_BYTES - ICMP.headerLength;
  const bytes = new Uint8Array(at + (mtu < 0 ? 0 : MTU_OPTION_BYTES));
  if (mtu < 0) return bytes;
  const view = new DataView(bytes.buffer);
  view.setUint8(at, NdOption.Mtu);
  view.setUint8(at + 1, 1);
  view.setInt32(at + 4, mtu);
  return bytes;
}
