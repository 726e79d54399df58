/**
 * What the network reports about datagrams of ours, in words of no address family, and the names that sockets have for it.
 *
 * The names are those of Linux (icmp_err_convert), whose programs look for them.
 */
import { IcmpType, UnreachableCode } from '../wire/icmp.ts';
import { Icmpv6Type, Unreachable6Code } from '../wire/icmpv6.ts';

export const NetworkError = {
  None: 0,
  NetUnreachable: 1,
  HostUnreachable: 2,
  ProtocolUnreachable: 3,
  PortUnreachable: 4,
  MessageTooBig: 5,
  SourceRouteFailed: 6,
  HostDown: 7,
  HostIsolated: 8,
  ParameterProblem: 9,
  Prohibited: 10,
} as const;
export type NetworkError = (typeof NetworkError)[keyof typeof NetworkError];

/** In the order of the numbers above. */
const NAMES = [
  '',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENOPROTOOPT',
  'ECONNREFUSED',
  'EMSGSIZE',
  'EOPNOTSUPP',
  'EHOSTDOWN',
  'ENONET',
  'EPROTO',
  'EACCES',
] as const;

/** `EHOSTUNREACH`, or '' for none. */
export function networkErrorName(error: NetworkError): string {
  return NAMES[error];
}

/** Ports and sequence number: what an error must quote of a transport header (RFC 792: eight bytes). */
export const QUOTED_BYTES = 8;

/** Of an ICMPv6 error (RFC 4443 3). */
export function networkErrorOf6(type: number, code: number): NetworkError {
  if (type === Icmpv6Type.PacketTooBig) return NetworkError.MessageTooBig;
  if (type === Icmpv6Type.TimeExceeded) return NetworkError.HostUnreachable;
  if (type === Icmpv6Type.ParameterProblem) return NetworkError.ParameterProblem;
  if (type !== Icmpv6Type.DestinationUnreachable) return NetworkError.None;
  switch (code) {
    case Unreachable6Code.NoRoute:
      return NetworkError.NetUnreachable;
    case Unreachable6Code.Port:
      return NetworkError.PortUnreachable;
    case Unreachable6Code.Prohibited:
    case Unreachable6Code.SourcePolicy:
    case Unreachable6Code.RejectRoute:
      return NetworkError.Prohibited;
    default:
      return NetworkError.HostUnreachable;
  }
}

/** Of an ICMP message for IPv4; None for one that says nothing (source quench, RFC 6633). */
export function networkErrorOf(type: number, code: number): NetworkError {
  if (type === IcmpType.TimeExceeded) return NetworkError.HostUnreachable;
  if (type === IcmpType.ParameterProblem) return NetworkError.ParameterProblem;
  if (type !== IcmpType.DestinationUnreachable) return NetworkError.None;
  switch (code) {
    case UnreachableCode.Net:
    case UnreachableCode.NetUnknown:
    case UnreachableCode.NetProhibited:
    case UnreachableCode.NetTos:
      return NetworkError.NetUnreachable;
    case UnreachableCode.Host:
    case UnreachableCode.HostProhibited:
    case UnreachableCode.HostTos:
    case UnreachableCode.CommunicationProhibited:
    case UnreachableCode.HostPrecedence:
    case UnreachableCode.PrecedenceCutoff:
      return NetworkError.HostUnreachable;
    case UnreachableCode.Protocol:
      return NetworkError.ProtocolUnreachable;
    case UnreachableCode.Port:
      return NetworkError.PortUnreachable;
    case UnreachableCode.FragmentationNeeded:
      return NetworkError.MessageTooBig;
    case UnreachableCode.SourceRouteFailed:
      return NetworkError.SourceRouteFailed;
    case UnreachableCode.HostUnknown:
      return NetworkError.HostDown;
    case UnreachableCode.SourceHostIsolated:
      return NetworkError.HostIsolated;
    default:
      return NetworkError.None;
  }
}
