/**
 * IPv6 packets as one line of text, as print.ts does for the rest. Allocates, never throws.
 *
 *   [fd00::1]:1025 > [fd00::2]:80 S 0:0(0) win 65535 <mss 1440>
 *   fe80::1 > ff02::1:ff00:2 icmpv6 neighbor solicitation fd00::2 (02:00:00:00:00:01)
 *   fd00::9 > fd00::1 icmpv6 packet too big mtu 1400 [[fd00::1]:1025 > [fd00::2]:80 tcp seq 7]
 */
import { formatMac } from './ethernet.ts';
import { Icmpv6Header, Icmpv6Parse, Icmpv6Type, isIcmpv6Error, parseIcmpv6 } from './icmpv6.ts';
import { TimeExceeded6Code, Unreachable6Code } from './icmpv6.ts';
import { IpProtocol } from './ipv4.ts';
import { Ipv6Header, Ipv6Parse, NextHeader, ParameterProblem6Code, parseIpv6 } from './ipv6.ts';
import { parseQuotedIpv6, pseudoHeaderSumAt } from './ipv6.ts';
import { ExtensionWalk, Ipv6Walk, walkExtensions } from './ipv6-extensions.ts';
import { formatIpv6 } from './ipv6-text.ts';
import { NaFlag, NdMessage, parseNd, PREFIX } from './nd.ts';
import { nameOf, type PrintedEnds } from './print-names.ts';
import { ABSOLUTE, type TcpPrintBases } from './print-tcp.ts';
import { formatQuotation, formatTcpSegment, formatUdp } from './print-upper.ts';

/** One line for the IPv6 packet in [at, end). */
export function formatIpv6Packet(view: DataView, at: number, end: number, bases: TcpPrintBases = ABSOLUTE): string {
  const ip = new Ipv6Header();
  const status = parseIpv6(view, at, end, ip);
  if (status !== Ipv6Parse.Ok) return `ipv6 bad ${nameOf(Ipv6Parse, status)} length ${end - at}`;
  const hosts = `${addressAt(view, ip.sourceAt)} > ${addressAt(view, ip.destinationAt)}`;
  const walk = new ExtensionWalk();
  switch (walkExtensions(view, ip, walk)) {
    case Ipv6Walk.Fragment: {
      const more = walk.moreFragments ? ' more' : '';
      const bytes = ip.payloadEnd - ip.payloadAt;
      return `${hosts} fragment id ${walk.identification >>> 0} offset ${walk.fragmentOffset} length ${bytes}${more}`;
    }
    case Ipv6Walk.Discard:
      return `${hosts} ipv6 bad extension headers length ${ip.payloadEnd - ip.at}`;
    case Ipv6Walk.Report: {
      const problem = nameOf(ParameterProblem6Code, walk.problemCode);
      return `${hosts} ipv6 bad ${problem} at ${walk.problemAt - ip.at}`;
    }
    case Ipv6Walk.UpperLayer:
      return formatUpper(view, ip, hosts, bases);
  }
}

function formatUpper(view: DataView, ip: Ipv6Header, hosts: string, bases: TcpPrintBases): string {
  switch (ip.protocol) {
    case IpProtocol.Tcp:
      return formatTcpSegment(view, ip.payloadAt, ip.payloadEnd, endsOf(view, ip), bases);
    case IpProtocol.Udp:
      return formatUdp(view, ip.payloadAt, ip.payloadEnd, endsOf(view, ip));
    case NextHeader.Icmpv6:
      return `${hosts} ${formatIcmpv6(view, ip)}`;
    default:
      return `${hosts} protocol ${ip.protocol} length ${ip.payloadEnd - ip.payloadAt}`;
  }
}

function formatIcmpv6(view: DataView, ip: Ipv6Header): string {
  const { payloadAt, payloadEnd } = ip;
  const icmp = new Icmpv6Header();
  const pseudo = pseudoHeaderSumAt(view, ip.at, NextHeader.Icmpv6, payloadEnd - payloadAt);
  const status = parseIcmpv6(view, payloadAt, payloadEnd, pseudo, icmp);
  if (status !== Icmpv6Parse.Ok) return `icmpv6 bad ${nameOf(Icmpv6Parse, status)} length ${payloadEnd - payloadAt}`;
  const bytes = icmp.payloadEnd - icmp.payloadAt;
  const quoted = isIcmpv6Error(icmp.type) ? ` [${formatQuoted(view, icmp)}]` : '';
  switch (icmp.type) {
    case Icmpv6Type.EchoRequest:
      return `icmpv6 echo id ${icmp.identifier} seq ${icmp.sequenceNumber} (${bytes})`;
    case Icmpv6Type.EchoReply:
      return `icmpv6 echo-reply id ${icmp.identifier} seq ${icmp.sequenceNumber} (${bytes})`;
    case Icmpv6Type.DestinationUnreachable:
      return `icmpv6 unreachable ${nameOf(Unreachable6Code, icmp.code)}${quoted}`;
    case Icmpv6Type.PacketTooBig:
      return `icmpv6 packet too big mtu ${icmp.mtu}${quoted}`;
    case Icmpv6Type.TimeExceeded:
      return `icmpv6 time exceeded ${nameOf(TimeExceeded6Code, icmp.code)}${quoted}`;
    case Icmpv6Type.ParameterProblem:
      return `icmpv6 parameter problem ${nameOf(ParameterProblem6Code, icmp.code)} at ${icmp.pointer}${quoted}`;
    default:
      return formatNd(view, payloadAt, payloadEnd) ?? `icmpv6 type ${icmp.type} code ${icmp.code} (${bytes})${quoted}`;
  }
}

/** Undefined when it is none of neighbor discovery's messages, or not a valid one. */
function formatNd(view: DataView, at: number, end: number): string | undefined {
  const nd = new NdMessage();
  if (!parseNd(view, at, end, nd)) return undefined;
  const source = nd.sourceMacHi < 0 ? '' : ` (${formatMac(nd.sourceMacHi, nd.sourceMacLo)})`;
  const target = nd.targetMacHi < 0 ? '' : ` (${formatMac(nd.targetMacHi, nd.targetMacLo)})`;
  const name = `icmpv6 ${nameOf(Icmpv6Type, nd.type)}`;
  switch (nd.type) {
    case Icmpv6Type.NeighborSolicitation:
      return `${name} ${addressAt(view, nd.targetAt)}${source}`;
    case Icmpv6Type.NeighborAdvertisement: {
      const flags = Object.entries(NaFlag).filter(([, flag]) => (nd.flags & flag) !== 0);
      return `${name} ${addressAt(view, nd.targetAt)}${target}${flags.map(([flag]) => ` ${flag.toLowerCase()}`).join('')}`;
    }
    case Icmpv6Type.Redirect:
      return `${name} ${addressAt(view, nd.destinationAt)} to ${addressAt(view, nd.targetAt)}${target}`;
    case Icmpv6Type.RouterAdvertisement: {
      const mtu = nd.mtu === 0 ? '' : ` mtu ${nd.mtu}`;
      return `${name} lifetime ${nd.routerLifetime}${formatPrefixes(view, nd)}${mtu}${source}`;
    }
    default:
      return name + source;
  }
}

function formatPrefixes(view: DataView, nd: NdMessage): string {
  const offsets = [...nd.prefixAt.subarray(0, nd.prefixCount)];
  return offsets
    .map(at => ` prefix ${addressAt(view, at + PREFIX.address)}/${view.getUint8(at + PREFIX.length)}`)
    .join('');
}

function formatQuoted(view: DataView, icmp: Icmpv6Header): string {
  const ip = new Ipv6Header();
  const status = parseQuotedIpv6(view, icmp.payloadAt, icmp.payloadEnd, ip);
  if (status !== Ipv6Parse.Ok) return `bad ${nameOf(Ipv6Parse, status)}`;
  const walk = new ExtensionWalk();
  const outcome = walkExtensions(view, ip, walk);
  const isBegin = outcome === Ipv6Walk.UpperLayer || (outcome === Ipv6Walk.Fragment && walk.fragmentOffset === 0);
  return formatQuotation(view, ip.payloadAt, ip.payloadEnd, ip.protocol, endsOf(view, ip), isBegin);
}

function endsOf(view: DataView, ip: Ipv6Header): PrintedEnds {
  return { source: `[${addressAt(view, ip.sourceAt)}]`, destination: `[${addressAt(view, ip.destinationAt)}]` };
}

function addressAt(view: DataView, at: number): string {
  return formatIpv6(Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i)));
}
