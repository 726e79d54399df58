/**
 * ICMP messages by the names that scripts have for them: type, code, and the word whose meaning the type gives (the MTU of
 * the next hop, an identifier). One set of names for IPv4 and one for IPv6; `type_17 code_0` says a number.
 */
import { IcmpType, ParameterProblemCode, TimeExceededCode, UnreachableCode } from '../wire/icmp.ts';
import { Icmpv6Type, TimeExceeded6Code, Unreachable6Code } from '../wire/icmpv6.ts';
import { ParameterProblem6Code } from '../wire/ipv6.ts';
import type { IcmpSpec } from './ast.ts';
import { ScriptError } from './script-error.ts';

export interface IcmpNumbers {
  readonly type: number;
  readonly code: number;
  readonly rest: number;
}

type Codes = Readonly<Record<string, number>>;

/** A type, its codes by name, and the code of whoever names none. */
interface TypeNames {
  readonly type: number;
  readonly codes?: Codes;
  readonly plain?: number;
}

export function icmpNumbers(spec: IcmpSpec, version: 4 | 6, line: number): IcmpNumbers {
  const isIpv4 = version === 4;
  const { mtu, id } = spec;
  // Scripts that run over both families say it as IPv4 does.
  const isTooBig = !isIpv4 && spec.type === 'unreachable' && spec.code === 'frag_needed';
  if (isTooBig) return { type: Icmpv6Type.PacketTooBig, code: 0, rest: Math.max(0, mtu) };
  const known = namesOf(isIpv4 ? TYPES4 : TYPES6, spec.type, isIpv4 ? 'ICMP' : 'ICMPv6', line);
  const code = codeOf(known, spec.code, isIpv4 ? 'ICMP' : 'ICMPv6', line);
  const takesMtu = isIpv4
    ? known.type === IcmpType.DestinationUnreachable && code === UnreachableCode.FragmentationNeeded
    : known.type === Icmpv6Type.PacketTooBig || known.type === Icmpv6Type.RouterAdvertisement;
  if (mtu >= 0 && !takesMtu) throw new ScriptError(line, `ICMP ${spec.type} ${spec.code} has no MTU`);
  return { type: known.type, code, rest: mtu >= 0 ? mtu : id << 16 };
}

function namesOf(types: Readonly<Record<string, TypeNames>>, name: string, what: string, line: number): TypeNames {
  const number = octetOf('type', name);
  const known = number >= 0 ? { type: number } : Object.hasOwn(types, name) ? types[name] : undefined;
  if (known === undefined) throw new ScriptError(line, `no such ${what} type: ${name}`);
  return known;
}

function codeOf({ codes = {}, plain = 0 }: TypeNames, name: string, what: string, line: number): number {
  if (name === '') return plain;
  const number = octetOf('code', name);
  const code = number >= 0 ? number : Object.hasOwn(codes, name) ? codes[name] : undefined;
  if (code === undefined) throw new ScriptError(line, `no such ${what} code: ${name}`);
  return code;
}

/** `code_13`; -1 for what is none. */
function octetOf(what: 'type' | 'code', name: string): number {
  const digits = new RegExp(`^${what}_(\\d+)$`).exec(name)?.[1];
  const number = digits === undefined ? -1 : Number(digits);
  return number <= 0xff ? number : -1;
}

const UNREACHABLE4: Codes = {
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

const TYPES4: Readonly<Record<string, TypeNames>> = {
  echo_reply: { type: IcmpType.EchoReply },
  unreachable: { type: IcmpType.DestinationUnreachable, codes: UNREACHABLE4 },
  source_quench: { type: IcmpType.SourceQuench },
  redirect: { type: IcmpType.Redirect },
  echo_request: { type: IcmpType.Echo },
  time_exceeded: {
    type: IcmpType.TimeExceeded,
    codes: { ttl_exceeded: TimeExceededCode.Transit, frag_time_exceeded: TimeExceededCode.Reassembly },
  },
  parameter_problem: { type: IcmpType.ParameterProblem, plain: ParameterProblemCode.Pointer },
  // RFC 792, RFC 950 and RFC 6918, which has given up the last four.
  timestamp_request: { type: 13 },
  timestamp_reply: { type: 14 },
  information_request: { type: 15 },
  information_reply: { type: 16 },
  address_mask_request: { type: 17 },
  address_mask_reply: { type: 18 },
};

const UNREACHABLE6: Codes = {
  no_route: Unreachable6Code.NoRoute,
  net_unreachable: Unreachable6Code.NoRoute,
  admin_prohibited: Unreachable6Code.Prohibited,
  // RFC 2463's name for what RFC 4443 calls beyond scope.
  not_neighbour: Unreachable6Code.BeyondScope,
  beyond_scope: Unreachable6Code.BeyondScope,
  address_unreachable: Unreachable6Code.Address,
  host_unreachable: Unreachable6Code.Address,
  port_unreachable: Unreachable6Code.Port,
};

const TYPES6: Readonly<Record<string, TypeNames>> = {
  unreachable: { type: Icmpv6Type.DestinationUnreachable, codes: UNREACHABLE6 },
  packet_too_big: { type: Icmpv6Type.PacketTooBig },
  time_exceeded: {
    type: Icmpv6Type.TimeExceeded,
    codes: {
      ttl_exceeded: TimeExceeded6Code.HopLimit,
      exceeded_hop_limit: TimeExceeded6Code.HopLimit,
      exceeded_frag_time: TimeExceeded6Code.Reassembly,
    },
  },
  parameter_problem: {
    type: Icmpv6Type.ParameterProblem,
    codes: { header_field: 0, unknown_next_header: ParameterProblem6Code.NextHeader, unknown_option: 2 },
    plain: ParameterProblem6Code.Header,
  },
  echo_request: { type: Icmpv6Type.EchoRequest },
  echo_reply: { type: Icmpv6Type.EchoReply },
  router_advertisement: { type: Icmpv6Type.RouterAdvertisement },
};
