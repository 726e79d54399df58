/**
 * How the parts of the fabric meet: whatever hangs on the switch is a Port to it and holds an Uplink into it.
 *
 * Frames are passed by address in the machine's memory and stay the caller's: the callee copies or uses the bytes before
 * it returns. Everything runs in the fabric's thread (or in the simulation's only one).
 */
export interface Port {
  readonly name: string;
  /** A frame leaving the switch through this port. False: there was no room, the frame is lost and counted. */
  deliver(frameAt: number, length: number): boolean;
}

export interface Uplink {
  /** A frame entering the switch from this port. The bytes may be changed by it (VLAN tag in 8 bytes of headroom). */
  input(frameAt: number, length: number): void;
  /** False while some cable's transmitter is busy: whoever can wait should, instead of filling a queue. */
  readonly hasRoom: boolean;
}

/** Part of the fabric that has work of its own: timers, connections to open, frames to deliver later. */
export interface FabricPart {
  /** Does what is due; returns how many things it did. */
  step(nowUs: number): number;
  /** Microseconds from now until there is something to do, -1 for never, 0 for at once. */
  usUntilNext(nowUs: number): number;
}
