/**
 * ICMP errors by the names that scripts have for them: type, code, and the word whose meaning the type gives (the MTU of the
 * next hop). One set of names for IPv4 and one for IPv6.
 */
import { IcmpType, ParameterProblemCode, TimeExceededCode, UnreachableCode } from '../wire/icmp.ts';
import { Icmpv6Type, TimeExceeded6Code, Unreachable6Code } from '../wire/icmpv6.ts';
import { ParameterProblem6Code } from '../wire/ipv6.ts';
import type { IcmpSpec } from './ast.ts';
import { ScriptError, Unsupported } from './script-error.ts';

export interface IcmpNumbers {
  readonly type: number;
  readonly code: number;
  readonly rest: number;
}

export function icmpNumbers(spec: IcmpSpec, version: 4 | 6, line: number): IcmpNumbers {
  return version === 4 ? icmp4(spec, line) : icmp6(spec, line);
}

const UNREACHABLE4: Readonly<Record<string, number>> = {
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

function icmp4(spec: IcmpSpec, line: number): IcmpNumbers {
  const { type, code, mtu } = spec;
  if (type === 'unreachable') {
    const number = code === '' ? UnreachableCode.Net : UNREACHABLE4[code];
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

const UNREACHABLE6: Readonly<Record<string, number>> = {
  no_route: Unreachable6Code.NoRoute,
  net_unreachable: Unreachable6Code.NoRoute,
  admin_prohibited: Unreachable6Code.Prohibited,
  beyond_scope: Unreachable6Code.BeyondScope,
  address_unreachable: Unreachable6Code.Address,
  host_unreachable: Unreachable6Code.Address,
  port_unreachable: Unreachable6Code.Port,
};

function icmp6(spec: IcmpSpec, line: number): IcmpNumbers {
  const { type, code, mtu } = spec;
  // Scripts that run over both families say it as IPv4 does.
  const isTooBig = type === 'packet_too_big' || (type === 'unreachable' && code === 'frag_needed');
  if (isTooBig) return { type: Icmpv6Type.PacketTooBig, code: 0, rest: Math.max(0, mtu) };
  if (type === 'unreachable') {
    const number = code === '' ? Unreachable6Code.NoRoute : UNREACHABLE6[code];
    if (number === undefined) throw new ScriptError(line, `no such ICMPv6 code: ${code}`);
    return { type: Icmpv6Type.DestinationUnreachable, code: number, rest: 0 };
  }
  if (type === 'time_exceeded') return { type: Icmpv6Type.TimeExceeded, code: TimeExceeded6Code.HopLimit, rest: 0 };
  if (type === 'parameter_problem') {
    return { type: Icmpv6Type.ParameterProblem, code: ParameterProblem6Code.Header, rest: 0 };
  }
  throw new Unsupported(line, `ICMPv6 ${type}`);
}
