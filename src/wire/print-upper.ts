/**
 * TCP and UDP of either IP version as text (print.ts, print-ipv6.ts): what stands behind the addresses.
 * Never throws: what cannot be parsed is named with the reason.
 */
import { formatPorts, nameOf, type PrintedEnds } from './print-names.ts';
import { formatTcp, type TcpPrintBases } from './print-tcp.ts';
import { IpProtocol } from './ipv4.ts';
import { TcpHeader, TcpParse, parseTcp } from './tcp.ts';
import { parseUdp, UdpHeader, UdpParse } from './udp.ts';

/** The segment in [at, end). */
export function formatTcpSegment(
  view: DataView,
  at: number,
  end: number,
  ends: PrintedEnds,
  bases: TcpPrintBases,
): string {
  const tcp = new TcpHeader();
  const status = parseTcp(view, at, end, tcp);
  if (status !== TcpParse.Ok) return `${ends.source} > ${ends.destination} tcp bad ${nameOf(TcpParse, status)}`;
  return `${formatPorts(ends, tcp.srcPort, tcp.dstPort)} ${formatTcp(view, at, tcp, bases)}`;
}

/** The UDP datagram in [at, end). */
export function formatUdp(view: DataView, at: number, end: number, ends: PrintedEnds): string {
  const udp = new UdpHeader();
  const status = parseUdp(view, at, end, udp);
  if (status !== UdpParse.Ok) return `${ends.source} > ${ends.destination} udp bad ${nameOf(UdpParse, status)}`;
  return `${formatPorts(ends, udp.srcPort, udp.dstPort)} udp (${udp.payloadLength})`;
}

/**
 * Whose packet an error is about: the first 8 bytes of payload hold the ports and, for TCP, SEG.SEQ. `hasPorts`: they are
 * the begin of the upper-layer header.
 */
export function formatQuotation(
  view: DataView,
  at: number,
  end: number,
  protocol: number,
  ends: PrintedEnds,
  isBegin: boolean,
): string {
  const hasPorts = protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp;
  if (!hasPorts || !isBegin || end - at < 8) return `${ends.source} > ${ends.destination} protocol ${protocol}`;
  const ports = formatPorts(ends, view.getUint16(at), view.getUint16(at + 2));
  return protocol === IpProtocol.Tcp ? `${ports} tcp seq ${view.getUint32(at + 4)}` : `${ports} udp`;
}
