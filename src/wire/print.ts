/**
 * Any Ethernet frame as one line of text, for traces, ladders and failure messages. Allocates, never throws: what
 * cannot be parsed is named with the reason, so a bad frame shows up in a trace instead of ending it.
 *
 *   vlan 5 10.0.0.1:1025 > 10.0.0.2:80 S 0:0(0) win 65535 <mss 1460>
 *   arp who-has 10.0.0.2 tell 10.0.0.1 (02:00:00:00:00:01)
 *   10.0.0.1 > 10.0.0.2 icmp unreachable fragmentation needed mtu 1400 [10.0.0.2:80 > 10.0.0.1:1025 tcp seq 7]
 */
import { ArpOperation, ArpPacket, isGratuitousArp, parseArp } from './arp.ts';
import { EthernetHeader, EtherType, formatMac, parseEthernet } from './ethernet.ts';
import {
  IcmpHeader,
  IcmpParse,
  IcmpType,
  isIcmpError,
  ParameterProblemCode,
  parseIcmp,
  TimeExceededCode,
  UnreachableCode,
} from './icmp.ts';
import { IpProtocol, Ipv4Header, Ipv4Parse, isFragment, parseIpv4, parseQuotedIpv4 } from './ipv4.ts';
import { formatIpv4 } from './ipv4-text.ts';
import { formatIpv6Packet } from './print-ipv6.ts';
import { nameOf, type PrintedEnds } from './print-names.ts';
import { ABSOLUTE } from './print-tcp.ts';
import type { TcpPrintBases } from './print-tcp.ts';
import { formatQuotation, formatTcpSegment, formatUdp } from './print-upper.ts';
import { FramePayload, readPayload } from './llc-snap.ts';
import { etherTypeAt, VLAN, vidOfTci } from './vlan.ts';

/** One line for the frame of `length` bytes at `at`; `bases` makes TCP sequence numbers relative. */
export function formatFrame(view: DataView, at: number, length: number, bases: TcpPrintBases = ABSOLUTE): string {
  const end = at + length;
  const ethernet = new EthernetHeader();
  if (parseEthernet(view, at, end, ethernet) < 0) return `short frame length ${length}`;
  const typeAt = etherTypeAt(view, at, end);
  let tags = '';
  for (let p = at + VLAN.tpid; p + 4 <= end && (typeAt < 0 || p < typeAt); p += VLAN.tagLength) {
    tags += `vlan ${vidOfTci(view.getUint16(p + 2))} `;
  }
  if (typeAt < 0) return `${tags}cut off in a vlan tag, length ${length}`;
  const payload = new FramePayload();
  readPayload(view, typeAt, end, payload);
  if (view.getUint16(typeAt) < EtherType.LowestType && payload.etherType !== 0) tags += 'snap ';
  switch (payload.etherType) {
    case EtherType.Ipv4:
      return tags + formatIpv4Packet(view, payload.at, payload.end, bases);
    case EtherType.Ipv6:
      return tags + formatIpv6Packet(view, payload.at, payload.end, bases);
    case EtherType.Arp:
      return tags + formatArp(view, payload.at, payload.end);
    default: {
      const type = view.getUint16(typeAt).toString(16).padStart(4, '0');
      const source = formatMac(ethernet.srcHi, ethernet.srcLo);
      const destination = formatMac(ethernet.dstHi, ethernet.dstLo);
      return `${tags}${source} > ${destination} ethertype 0x${type} length ${length}`;
    }
  }
}

/** One line for the IPv4 datagram in [at, end). */
export function formatIpv4Packet(view: DataView, at: number, end: number, bases: TcpPrintBases = ABSOLUTE): string {
  const ip = new Ipv4Header();
  const status = parseIpv4(view, at, end, ip);
  if (status !== Ipv4Parse.Ok) return `ipv4 bad ${nameOf(Ipv4Parse, status)} length ${end - at}`;
  const hosts = `${formatIpv4(ip.source)} > ${formatIpv4(ip.destination)}`;
  if (isFragment(ip)) {
    const bytes = ip.payloadEnd - ip.payloadAt;
    const more = ip.mf ? ' more' : '';
    return `${hosts} fragment id ${ip.identification} offset ${ip.fragmentOffset * 8} length ${bytes}${more}`;
  }
  switch (ip.protocol) {
    case IpProtocol.Tcp:
      return formatTcpSegment(view, ip.payloadAt, ip.payloadEnd, endsOf(ip), bases);
    case IpProtocol.Udp:
      return formatUdp(view, ip.payloadAt, ip.payloadEnd, endsOf(ip));
    case IpProtocol.Icmp:
      return `${hosts} ${formatIcmp(view, ip.payloadAt, ip.payloadEnd)}`;
    default:
      return `${hosts} protocol ${ip.protocol} length ${ip.payloadEnd - ip.payloadAt}`;
  }
}

function endsOf(ip: Ipv4Header): PrintedEnds {
  return { source: formatIpv4(ip.source), destination: formatIpv4(ip.destination) };
}

function formatArp(view: DataView, at: number, end: number): string {
  const arp = new ArpPacket();
  if (!parseArp(view, at, end, arp)) return `arp bad length ${end - at}`;
  const sender = `${formatIpv4(arp.senderAddress)} (${formatMac(arp.senderMacHi, arp.senderMacLo)})`;
  if (arp.operation === ArpOperation.Request) {
    if (isGratuitousArp(arp)) return `arp announce ${sender}`;
    return `arp who-has ${formatIpv4(arp.targetAddress)} tell ${sender}`;
  }
  if (arp.operation === ArpOperation.Reply) return `arp reply ${sender}`;
  return `arp operation ${arp.operation} from ${sender}`;
}

function formatIcmp(view: DataView, at: number, end: number): string {
  const icmp = new IcmpHeader();
  const status = parseIcmp(view, at, end, icmp);
  if (status !== IcmpParse.Ok) return `icmp bad ${nameOf(IcmpParse, status)} length ${end - at}`;
  const bytes = icmp.payloadEnd - icmp.payloadAt;
  const quoted = isIcmpError(icmp.type) ? ` [${formatQuoted(view, icmp)}]` : '';
  switch (icmp.type) {
    case IcmpType.Echo:
      return `icmp echo id ${icmp.identifier} seq ${icmp.sequenceNumber} (${bytes})`;
    case IcmpType.EchoReply:
      return `icmp echo-reply id ${icmp.identifier} seq ${icmp.sequenceNumber} (${bytes})`;
    case IcmpType.DestinationUnreachable: {
      const mtu = icmp.code === UnreachableCode.FragmentationNeeded ? ` mtu ${icmp.nextHopMtu}` : '';
      return `icmp unreachable ${nameOf(UnreachableCode, icmp.code)}${mtu}${quoted}`;
    }
    case IcmpType.TimeExceeded:
      return `icmp time exceeded ${nameOf(TimeExceededCode, icmp.code)}${quoted}`;
    case IcmpType.ParameterProblem:
      return `icmp parameter problem ${nameOf(ParameterProblemCode, icmp.code)} at ${icmp.pointer}${quoted}`;
    default:
      return `icmp type ${icmp.type} code ${icmp.code} (${bytes})${quoted}`;
  }
}

/** Whose datagram an error is about. */
function formatQuoted(view: DataView, icmp: IcmpHeader): string {
  const ip = new Ipv4Header();
  const status = parseQuotedIpv4(view, icmp.payloadAt, icmp.payloadEnd, ip);
  if (status !== Ipv4Parse.Ok) return `bad ${nameOf(Ipv4Parse, status)}`;
  return formatQuotation(view, ip.payloadAt, ip.payloadEnd, ip.protocol, endsOf(ip), ip.fragmentOffset === 0);
}
