/**
 * The MAC: frames onto the wire and off it. Address filter, FCS verdict, link state; no protocol beyond Ethernet.
 *
 * A transmit writes straight into a slot of the cable's ring; a full ring is a busy transmitter, the caller tries again
 * later. While the link is down what is sent is lost, as on a real cable; frames that had arrived before are still received.
 */
import type { Memory } from '../memory/memory.ts';
import type { NicConfig } from '../ring/nic-layout.ts';
import { RING_FULL, type RingConsumer, type RingProducer } from '../ring/spsc-ring.ts';
import { WIRE_FRAME_OFFSET, WireFlag, WireSlot } from '../ring/wire-slot.ts';
import { ETHERNET, isGroupMac } from '../wire/ethernet.ts';
import { VLAN } from '../wire/vlan.ts';
import { SourceAddresses } from './source-addresses.ts';
import type { NicStatistics } from './statistics.ts';

export class Mac {
  readonly #i32: Int32Array;
  readonly #view: DataView;
  readonly #tx: RingProducer;
  readonly #rx: RingConsumer;
  readonly #stats: NicStatistics;
  /** Room for a frame that goes nowhere. */
  readonly #sink: number;
  /** Longer frames are giants, though a slot may hold them: a receive buffer does not. */
  readonly #frameMax: number;
  /** Further addresses that are this NIC's, because connections send from them. */
  readonly sources: SourceAddresses;
  macHi: number;
  macLo: number;
  linkUp = true;
  /** Of the frame that `receive` found. */
  frameAt = 0;
  frameLength = 0;

  constructor(
    memory: Memory,
    config: NicConfig,
    tx: RingProducer,
    rx: RingConsumer,
    sink: number,
    stats: NicStatistics,
  ) {
    this.#i32 = memory.i32;
    this.#view = memory.view;
    this.#tx = tx;
    this.#rx = rx;
    this.#stats = stats;
    this.sources = new SourceAddresses(config.target.sourceMacEntries);
    this.macHi = config.macHi;
    this.macLo = config.macLo;
    this.#sink = sink;
    this.#frameMax = (config.receiveMtu ?? config.mtu) + ETHERNET.headerLength + 2 * VLAN.tagLength;
  }

  /** Address to write a frame to, or RING_FULL. Follow with `transmit`. */
  reserve(): number {
    // Without a link the frame is written where nobody looks.
    if (!this.linkUp) return this.#sink;
    const slot = this.#tx.reserve();
    return slot === RING_FULL ? RING_FULL : slot + WIRE_FRAME_OFFSET;
  }

  /** The frame written at the address that `reserve` gave is complete. */
  transmit(frameAt: number, length: number): void {
    if (frameAt === this.#sink) {
      this.#stats.dropLinkDown++;
      return;
    }
    const slot = frameAt - WIRE_FRAME_OFFSET;
    this.#i32[(slot + WireSlot.offset.frameLength) >> 2] = length;
    this.#i32[(slot + WireSlot.offset.slotFlags) >> 2] = 0;
    this.#stats.framesTransmitted++;
    this.#stats.bytesTransmitted += length;
  }

  /** The next frame for this NIC, in `frameAt` and `frameLength`; false when the wire is silent. */
  receive(): boolean {
    for (;;) {
      const slot = this.#rx.next();
      if (slot < 0) return false;
      const length = this.#i32[(slot + WireSlot.offset.frameLength) >> 2]!;
      if ((this.#i32[(slot + WireSlot.offset.slotFlags) >> 2]! & WireFlag.FcsError) !== 0) {
        this.#stats.dropFcs++;
        continue;
      }
      if (length < ETHERNET.headerLength || length > this.#frameMax) {
        this.#stats.dropLength++;
        continue;
      }
      this.frameAt = slot + WIRE_FRAME_OFFSET;
      this.frameLength = length;
      if (!this.#isMine()) {
        this.#stats.dropFilter++;
        continue;
      }
      this.#stats.framesReceived++;
      this.#stats.bytesReceived += length;
      return true;
    }
  }

  hasFrames(): boolean {
    return this.#rx.hasWork();
  }

  hasRoom(): boolean {
    return !this.linkUp || this.#tx.free() > 0;
  }

  freeSlots(): number {
    return this.linkUp ? this.#tx.free() : this.#tx.slots;
  }

  /** The transmitter is full and somebody waits: the fabric rings when it has drained some. */
  setWaiting(waiting: boolean): void {
    this.#tx.setWaiting(waiting);
  }

  /** Publishes what was sent and gives back what was received; true when the fabric is to be woken. */
  publish(): boolean {
    const sent = this.#tx.commit();
    const released = this.#rx.release();
    return sent || released;
  }

  #isMine(): boolean {
    const hi = this.#view.getUint16(this.frameAt);
    if (isGroupMac(hi)) return true;
    const lo = this.#view.getInt32(this.frameAt + 2);
    return (hi === this.macHi && lo === this.macLo) || this.sources.has(hi, lo);
  }
}
