/**
 * IEEE 802.2 LLC and SNAP headers (RFC 1042, IEEE 802 9.4): the other way of putting a datagram into an Ethernet frame.
 *
 *   DIX        | destination | source | EtherType | datagram …
 *   LLC/SNAP   | destination | source | length    | AA AA 03 | 00 00 00 | EtherType | datagram … | padding
 *
 * What stands where the EtherType would is a length below 0x0600, so a receiver can tell, frame by frame (RFC 1122 2.3.3: a host
 * receives both). The length, not the frame, says where the datagram ends.
 */
import { EtherType } from './ethernet.ts';

export const SNAP = {
  /** Behind the length. */
  headerLength: 8,
  etherType: 6,
  /** IEEE 802.3 3.2.6: the most that a length says; the datagram and these 8 bytes. */
  lengthMax: 1500,
} as const;

/** DSAP, SSAP, UI; and an organization code of zero: "EtherType" (RFC 1042). */
const LLC_AND_OUI = 0xaaaa0300 | 0;

/** What the frame in hand carries. */
export class FramePayload {
  /** 0: nothing that anybody knows. */
  etherType = 0;
  at = 0;
  end = 0;
}

/** The payload of a frame that ends at `end`, whose type or length stands at `typeAt`, behind all tags. */
export function readPayload(view: DataView, typeAt: number, end: number, out: FramePayload): void {
  const field = view.getUint16(typeAt);
  const at = typeAt + 2;
  if (field >= EtherType.LowestType) {
    out.etherType = field;
    out.at = at;
    out.end = end;
    return;
  }
  const isSnap = field >= SNAP.headerLength && at + field <= end && view.getInt32(at) === LLC_AND_OUI;
  out.etherType = isSnap && view.getUint16(at + 4) === 0 ? view.getUint16(at + SNAP.etherType) : 0;
  out.at = at + SNAP.headerLength;
  out.end = at + field;
}

/** Writes the length of a frame with `payloadLength` bytes of datagram, and the header behind it; returns the header's length. */
export function emitSnap(view: DataView, typeAt: number, etherType: number, payloadLength: number): number {
  view.setUint16(typeAt, SNAP.headerLength + payloadLength);
  view.setInt32(typeAt + 2, LLC_AND_OUI);
  view.setUint16(typeAt + 6, 0);
  view.setUint16(typeAt + 8, etherType);
  return SNAP.headerLength;
}
