/**
 * IPv6 extension headers: RFC 8200 4 (order, options, routing, fragment), RFC 5095 (type 0 routing headers are dead),
 * RFC 7112 (the whole chain is in the first fragment), RFC 8504 5.3 (limits that a host may set).
 *
 * `walkExtensions` looks for the upper-layer header of a packet that `parseIpv6` accepted, and says what to do with it.
 * Nothing in the headers changes what a host of this kind does with the packet; they are checked, and skipped.
 */
import { IpProtocol } from './ipv4.ts';
import { type Ipv6Header, IPV6, NextHeader, ParameterProblem6Code } from './ipv6.ts';

/** Extension headers of one packet; options of one header that are not padding; bytes of one run of padding. */
export const EXTENSION_HEADERS_MAX = 8;
export const OPTIONS_MAX = 8;
export const PADDING_MAX = 7;

const UNIT = 8;
const OPTION_PAD1 = 0;
const OPTION_PADN = 1;
/** RFC 2711: for routers. */
const OPTION_ROUTER_ALERT = 5;

/** RFC 8200 4.2: what the two highest bits of an option's type ask of whoever does not know it. */
const OptionAction = { Skip: 0, Discard: 1, Report: 2, ReportUnlessMulticast: 3 } as const;

/** RFC 8200 4.5. Byte offsets. */
export const FRAGMENT = { nextHeader: 0, offsetAndFlags: 2, identification: 4, headerLength: 8 } as const;

export const Ipv6Walk = {
  /** `payloadAt` is the upper-layer header, of kind `protocol`. */
  UpperLayer: 0,
  /** A fragment: `fragment…` say which; `payloadAt` is its part of what is to be put together. */
  Fragment: 1,
  /** Drop silently. */
  Discard: 2,
  /** Drop and answer with the ICMPv6 error `problem…`, as far as one may be sent. */
  Report: 3,
} as const;
export type Ipv6Walk = (typeof Ipv6Walk)[keyof typeof Ipv6Walk];

export class ExtensionWalk {
  // Fragment.
  /** Byte offset of the fragment header. */
  fragmentAt = 0;
  /** Bytes. */
  fragmentOffset = 0;
  moreFragments = false;
  identification = 0;
  // Report.
  problemCode = 0;
  /** Byte offset in the view of what is wrong. */
  problemAt = 0;
  /** RFC 4443 2.4 (e.3): a packet to a group is answered for this problem all the same. */
  answersMulticast = false;
}

/**
 * Goes on from `ip.protocol` and `ip.payloadAt`, which move. So it can be called again behind a fragment header, when the
 * packet has been put together. `problem…` and `fragment…` are set only with the outcomes that they belong to.
 */
export function walkExtensions(view: DataView, ip: Ipv6Header, out: ExtensionWalk): Ipv6Walk {
  for (let headers = 0; headers <= EXTENSION_HEADERS_MAX; headers += 1) {
    switch (ip.protocol) {
      case NextHeader.HopByHop:
        // RFC 8200 4.1: only immediately behind the fixed header; anywhere else it is a protocol nobody knows.
        if (ip.protocolAt !== ip.at + IPV6.nextHeader) {
          return report(out, ParameterProblem6Code.NextHeader, ip.protocolAt, false);
        }
        break;
      case NextHeader.DestinationOptions:
      case NextHeader.Routing:
        break;
      case NextHeader.Fragment:
        return readFragment(view, ip, out);
      default:
        return Ipv6Walk.UpperLayer;
    }
    const outcome = skipHeader(view, ip, out);
    if (outcome !== Ipv6Walk.UpperLayer) return outcome;
  }
  return Ipv6Walk.Discard;
}

/** One header; UpperLayer says that it is behind us. */
function skipHeader(view: DataView, ip: Ipv6Header, out: ExtensionWalk): Ipv6Walk {
  const { protocol, payloadAt: at } = ip;
  if (at + UNIT > ip.payloadEnd) return Ipv6Walk.Discard;
  const end = at + UNIT + view.getUint8(at + 1) * UNIT;
  if (end > ip.payloadEnd) return Ipv6Walk.Discard;
  if (protocol === NextHeader.Routing) {
    // RFC 8200 4.4: with segments left, a type that is not known ends the packet; RFC 5095 3: so does type 0.
    if (view.getUint8(at + 3) !== 0) return report(out, ParameterProblem6Code.Header, at + 2, false);
  } else {
    const outcome = checkOptions(view, at + 2, end, out);
    if (outcome !== Ipv6Walk.UpperLayer) return outcome;
  }
  ip.protocol = view.getUint8(at);
  ip.protocolAt = at;
  ip.payloadAt = end;
  return Ipv6Walk.UpperLayer;
}

function checkOptions(view: DataView, from: number, end: number, out: ExtensionWalk): Ipv6Walk {
  let padding = 0;
  let options = 0;
  let p = from;
  while (p < end) {
    const type = view.getUint8(p);
    if (type === OPTION_PAD1) {
      p += 1;
      padding += 1;
      if (padding > PADDING_MAX) return Ipv6Walk.Discard;
      continue;
    }
    const length = p + 1 < end ? 2 + view.getUint8(p + 1) : 0;
    if (length === 0 || p + length > end) return Ipv6Walk.Discard;
    if (type === OPTION_PADN) {
      padding += length;
      if (padding > PADDING_MAX) return Ipv6Walk.Discard;
    } else {
      padding = 0;
      options += 1;
      if (options > OPTIONS_MAX) return Ipv6Walk.Discard;
      const action = type === OPTION_ROUTER_ALERT ? OptionAction.Skip : type >>> 6;
      if (action === OptionAction.Discard) return Ipv6Walk.Discard;
      if (action !== OptionAction.Skip) {
        return report(out, ParameterProblem6Code.Option, p, action === OptionAction.Report);
      }
    }
    p += length;
  }
  return Ipv6Walk.UpperLayer;
}

function report(out: ExtensionWalk, code: number, at: number, answersMulticast: boolean): Ipv6Walk {
  out.problemCode = code;
  out.problemAt = at;
  out.answersMulticast = answersMulticast;
  return Ipv6Walk.Report;
}

function readFragment(view: DataView, ip: Ipv6Header, out: ExtensionWalk): Ipv6Walk {
  const at = ip.payloadAt;
  if (at + FRAGMENT.headerLength > ip.payloadEnd) return Ipv6Walk.Discard;
  const word = view.getUint16(at + FRAGMENT.offsetAndFlags);
  out.fragmentAt = at;
  out.fragmentOffset = word & 0xfff8;
  out.moreFragments = (word & 1) !== 0;
  out.identification = view.getInt32(at + FRAGMENT.identification);
  ip.protocol = view.getUint8(at);
  ip.protocolAt = at;
  ip.payloadAt = at + FRAGMENT.headerLength;
  const length = ip.payloadEnd - ip.payloadAt;
  // RFC 8200 4.5: of a length that no sender makes; and beyond the largest packet.
  if (out.moreFragments && (length & 7) !== 0) {
    return report(out, ParameterProblem6Code.Header, ip.at + IPV6.payloadLength, false);
  }
  if (out.fragmentOffset + length > 0xffff) {
    return report(out, ParameterProblem6Code.Header, at + FRAGMENT.offsetAndFlags, false);
  }
  if (out.fragmentOffset === 0 && !hasWholeChain(view, ip)) {
    return report(out, ParameterProblem6Code.FirstFragment, ip.at, false);
  }
  return Ipv6Walk.Fragment;
}

/** RFC 7112 5, RFC 8200 4.5: the first fragment holds every header up to and including the upper-layer one. */
function hasWholeChain(view: DataView, ip: Ipv6Header): boolean {
  let { protocol, payloadAt: at } = ip;
  for (let headers = 0; headers <= EXTENSION_HEADERS_MAX; headers += 1) {
    const isOptions = protocol === NextHeader.DestinationOptions || protocol === NextHeader.HopByHop;
    if (!isOptions && protocol !== NextHeader.Routing) return at + upperHeaderLength(protocol) <= ip.payloadEnd;
    if (at + UNIT > ip.payloadEnd) return false;
    protocol = view.getUint8(at);
    at += UNIT + view.getUint8(at + 1) * UNIT;
  }
  return true;
}

/** The least that makes sense of an upper-layer header. */
function upperHeaderLength(protocol: number): number {
  switch (protocol) {
    case IpProtocol.Tcp:
      return 20;
    case IpProtocol.Udp:
    case NextHeader.Icmpv6:
      return 8;
    default:
      return 0;
  }
}
