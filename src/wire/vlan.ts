/**
 * VLAN tags: IEEE 802.1Q clause 9. A tag is 4 bytes between source address and EtherType: TPID, then TCI.
 *
 *   | destination 6 | source 6 | TPID 2 | PCP 3 bits, DEI 1, VID 12 | EtherType 2 | data …
 *
 * Both tag types are known here: C-TAG (0x8100) and S-TAG (0x88a8); frames may carry several, outermost first.
 * Inserting moves the 12 address bytes instead of the payload: frames are built with headroom, so tagging costs
 * three word moves whatever the length of the frame.
 */
import { ETHERNET, EtherType } from './ethernet.ts';

/** Byte offsets within a frame whose outermost header is a tag, and the tag's length. */
export const VLAN = { tpid: 12, tci: 14, tagLength: 4 } as const;

/** VIDs with a meaning of their own (802.1Q table 9-2). */
export const Vid = {
  /** Priority-tagged: the tag carries PCP only, the frame belongs to the port's default VLAN. */
  Null: 0,
  Default: 1,
  /** 4095 may not be used in a tag. */
  Reserved: 0xfff,
} as const;

export function tciOf(pcp: number, dei: number, vid: number): number {
  return ((pcp & 7) << 13) | ((dei & 1) << 12) | (vid & 0xfff);
}

export function pcpOfTci(tci: number): number {
  return tci >>> 13;
}

export function deiOfTci(tci: number): number {
  return (tci >>> 12) & 1;
}

export function vidOfTci(tci: number): number {
  return tci & 0xfff;
}

export function isTpid(etherType: number): boolean {
  return etherType === EtherType.CustomerVlan || etherType === EtherType.ServiceVlan;
}

/** The TCI of the outermost tag, or -1 when the frame in [at, end) is untagged or cut off within the tag. */
export function readTci(view: DataView, at: number, end: number): number {
  // A tagged frame holds at least the tag and the EtherType behind it.
  if (end - at < ETHERNET.headerLength + VLAN.tagLength) return -1;
  return isTpid(view.getUint16(at + VLAN.tpid)) ? view.getUint16(at + VLAN.tci) : -1;
}

/** The VID of the outermost tag (0 when priority-tagged), or -1 when untagged. */
export function vidOf(view: DataView, at: number, end: number): number {
  const tci = readTci(view, at, end);
  return tci < 0 ? -1 : tci & 0xfff;
}

/**
 * The offset of the EtherType behind all tags: `at + 12` for an untagged frame. -1 when the frame ends first.
 * What the EtherType describes starts 2 bytes further.
 */
export function etherTypeAt(view: DataView, at: number, end: number): number {
  let p = at + ETHERNET.etherType;
  while (p + 2 <= end) {
    if (!isTpid(view.getUint16(p))) return p;
    p += VLAN.tagLength;
  }
  return -1;
}

/** Writes a tag at `at`, which is where the TPID goes (frame + 12); returns its length. */
export function emitTag(view: DataView, at: number, tpid: number, tci: number): number {
  view.setUint16(at, tpid);
  view.setUint16(at + 2, tci);
  return VLAN.tagLength;
}

/**
 * Tags the frame of `length` bytes at `frameAt`; the 4 bytes before it are the caller's headroom and are overwritten.
 * Returns the new start of the frame, `frameAt - 4`, or -1 (and writes nothing) for a runt or without headroom.
 */
export function insertTag(
  view: DataView,
  frameAt: number,
  length: number,
  tci: number,
  tpid: number = EtherType.CustomerVlan,
): number {
  const newAt = frameAt - VLAN.tagLength;
  if (length < ETHERNET.headerLength || newAt < 0) return -1;
  // Ascending order: each word is read before the move to lower addresses overwrites it.
  view.setInt32(newAt, view.getInt32(frameAt));
  view.setInt32(newAt + 4, view.getInt32(frameAt + 4));
  view.setInt32(newAt + 8, view.getInt32(frameAt + 8));
  emitTag(view, newAt + VLAN.tpid, tpid, tci);
  return newAt;
}

/**
 * Removes the outermost tag, the inverse of `insertTag`. Returns the new start of the frame, `frameAt + 4`,
 * or -1 (and writes nothing) when there is no complete tag.
 */
export function removeTag(view: DataView, frameAt: number, length: number): number {
  if (readTci(view, frameAt, frameAt + length) < 0) return -1;
  const newAt = frameAt + VLAN.tagLength;
  // Descending order, because the addresses move to higher memory.
  view.setInt32(newAt + 8, view.getInt32(frameAt + 8));
  view.setInt32(newAt + 4, view.getInt32(frameAt + 4));
  view.setInt32(newAt, view.getInt32(frameAt));
  return newAt;
}
