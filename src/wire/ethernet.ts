/**
 * Ethernet II frames: IEEE 802.3 3.1.1 (address fields, Length/Type), RFC 894 (IPv4 over Ethernet).
 *
 * A frame in memory runs from the destination address to the end of the data; preamble and FCS exist only on the
 * emulated cable. VLAN tags lie between source address and EtherType and are handled in `vlan.ts`.
 *
 * Hot code holds a MAC address as two numbers: `macHi`, its first 16 bits, and `macLo`, its last 32 bits as int32.
 * Both are small integers in V8, so comparing and storing addresses allocates nothing.
 */

/** Byte offsets in an untagged frame, and lengths. */
export const ETHERNET = {
  destination: 0,
  source: 6,
  etherType: 12,
  headerLength: 14,
  /** IEEE 802.3 4.2.3.3 minFrameSize, without the 4 bytes of FCS; a MAC pads shorter frames. */
  minimumLength: 60,
} as const;

/** IEEE 802 EtherTypes; values below `LowestType` are lengths of IEEE 802.3 LLC frames. */
export const EtherType = {
  LowestType: 0x0600,
  Ipv4: 0x0800,
  Arp: 0x0806,
  /** 802.1Q C-TAG. */
  CustomerVlan: 0x8100,
  Ipv6: 0x86dd,
  /** 802.3 Annex 57A: LACP and marker protocol. */
  SlowProtocols: 0x8809,
  /** 802.1Q S-TAG (formerly 802.1ad). */
  ServiceVlan: 0x88a8,
  Lldp: 0x88cc,
} as const;
export type EtherType = (typeof EtherType)[keyof typeof EtherType];

/** ff:ff:ff:ff:ff:ff */
export const BROADCAST_MAC_HI = 0xffff;
export const BROADCAST_MAC_LO = -1;

export class EthernetHeader {
  dstHi = 0;
  dstLo = 0;
  srcHi = 0;
  srcLo = 0;
  /** As on the wire: an `EtherType`, a length, or anything else a peer sends. */
  etherType = 0;
}

/** Fills `out`; returns the header's length (14), or -1 when [at, end) is too short, and then leaves `out` alone. */
export function parseEthernet(view: DataView, at: number, end: number, out: EthernetHeader): number {
  if (end - at < ETHERNET.headerLength) return -1;
  out.dstHi = view.getUint16(at);
  out.dstLo = view.getInt32(at + 2);
  out.srcHi = view.getUint16(at + 6);
  out.srcLo = view.getInt32(at + 8);
  out.etherType = view.getUint16(at + 12);
  return ETHERNET.headerLength;
}

/** Writes the 14 bytes and returns their number. */
export function emitEthernet(
  view: DataView,
  at: number,
  dstHi: number,
  dstLo: number,
  srcHi: number,
  srcLo: number,
  etherType: number,
): number {
  view.setUint16(at, dstHi);
  view.setInt32(at + 2, dstLo);
  view.setUint16(at + 6, srcHi);
  view.setInt32(at + 8, srcLo);
  view.setUint16(at + 12, etherType);
  return ETHERNET.headerLength;
}

export function isBroadcastMac(macHi: number, macLo: number): boolean {
  return macHi === BROADCAST_MAC_HI && macLo === BROADCAST_MAC_LO;
}

/** IEEE 802.3 3.2.3: the I/G bit, the first one on the wire. Broadcast is a group address too. */
export function isGroupMac(macHi: number): boolean {
  return (macHi & 0x0100) !== 0;
}

/** `02:00:00:00:00:01`. Allocates; not for the data path. */
export function formatMac(macHi: number, macLo: number): string {
  const digits = macHi.toString(16).padStart(4, '0') + (macLo >>> 0).toString(16).padStart(8, '0');
  return digits.replace(/(..)(?=.)/g, '$1:');
}

/** Reads `02:00:00:00:00:01` or `02-00-00-00-00-01`; undefined when the text is not a MAC address. */
export function parseMac(text: string): { readonly hi: number; readonly lo: number } | undefined {
  if (!/^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text)) return undefined;
  const digits = text.replace(/[:-]/g, '');
  return { hi: parseInt(digits.slice(0, 4), 16), lo: parseInt(digits.slice(4), 16) | 0 };
}
