/**
 * A cable is two rings, one a direction; a slot holds one frame as it is on the wire.
 *
 *   | length | flags | tapUs lo/hi | frame bytes … |
 *
 * The sender writes the frame straight into the slot (its transmit DMA); the receiver reads it there and copies what it
 * keeps (its receive DMA) before it releases the slot. A full ring is a busy transmitter: the sender waits, frames are
 * lost only where a fault says so.
 */
import { record, word } from '../memory/record.ts';
import type { RingShape } from './spsc-ring.ts';

export const WireSlot = record('WIRE_SLOT', 16, {
  frameLength: word('bytes of frame, without FCS'),
  slotFlags: word('WireFlag'),
  reservedA: word('zero'),
  reservedB: word('zero'),
});

export const WireFlag = {
  /** The frame check sequence does not match: a receiver's MAC drops and counts the frame. */
  FcsError: 1,
} as const;

/** Where the frame starts in a slot. */
export const WIRE_FRAME_OFFSET = WireSlot.byteLength;

/** Ethernet header, two VLAN tags and the MTU. */
export function wireShape(slots: number, mtu: number): RingShape {
  return { slots, slotBytes: Math.ceil((WIRE_FRAME_OFFSET + 14 + 8 + mtu) / 64) * 64 };
}
