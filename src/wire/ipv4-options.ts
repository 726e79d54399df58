/**
 * Options of an IPv4 header: RFC 791 3.1, RFC 2113 (Router Alert), RFC 1122 3.2.1.8 (what a host does with them).
 *
 * A host that only receives has two questions: is the list well formed (else a Parameter Problem tells where it is not,
 * RFC 1122 3.2.2.5), and does it carry a source route. All other options ask for nothing at the destination.
 */

export const Ipv4Option = {
  EndOfList: 0,
  NoOperation: 1,
  RecordRoute: 7,
  Timestamp: 68,
  LooseSourceRoute: 131,
  StrictSourceRoute: 137,
  RouterAlert: 148,
} as const;
export type Ipv4Option = (typeof Ipv4Option)[keyof typeof Ipv4Option];

/** The list is well formed: `checkIpv4Options` found nothing to point at. */
export const OPTIONS_OK = -1;
/** It carries a source route. */
export const OPTIONS_SOURCE_ROUTED = -2;

/**
 * Walks the options in [at + 20, at + headerLength). OPTIONS_OK, OPTIONS_SOURCE_ROUTED, or for a malformed list the index
 * of the offending octet in the header: the pointer of a Parameter Problem.
 */
export function checkIpv4Options(view: DataView, at: number, headerLength: number): number {
  let routed = false;
  let seen = 0;
  let index = 20;
  while (index < headerLength) {
    const type = view.getUint8(at + index);
    if (type === Ipv4Option.EndOfList) break;
    if (type === Ipv4Option.NoOperation) {
      index++;
      continue;
    }
    if (index + 1 >= headerLength) return index;
    const length = view.getUint8(at + index + 1);
    if (length < leastLength(type) || index + length > headerLength) return index + 1;
    const bit = onceOnly(type);
    if ((seen & bit) !== 0) return index;
    seen |= bit;
    routed ||= type === Ipv4Option.LooseSourceRoute || type === Ipv4Option.StrictSourceRoute;
    index += length;
  }
  return routed ? OPTIONS_SOURCE_ROUTED : OPTIONS_OK;
}

/** Type, length, and what every instance of it has: a pointer, a pointer and flags, a value. */
function leastLength(type: number): number {
  if (
    type === Ipv4Option.RecordRoute ||
    type === Ipv4Option.LooseSourceRoute ||
    type === Ipv4Option.StrictSourceRoute
  ) {
    return 3;
  }
  return type === Ipv4Option.Timestamp || type === Ipv4Option.RouterAlert ? 4 : 2;
}

/** RFC 791 3.1: "appears at most once"; RFC 1122 3.2.1.8 (c): one source route, of either kind. */
function onceOnly(type: number): number {
  switch (type) {
    case Ipv4Option.LooseSourceRoute:
    case Ipv4Option.StrictSourceRoute:
      return 1;
    case Ipv4Option.RecordRoute:
      return 2;
    case Ipv4Option.Timestamp:
      return 4;
    default:
      return 0;
  }
}
