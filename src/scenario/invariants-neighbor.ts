/**
 * No frame leaves through an invalidated or terminated neighbor (§8.2 of the digest, invariant 6; C04).
 *
 * A frame that is on the cable now may have been built a while ago. So the watch notes, after each step of a NIC, under which
 * neighbors the slots that the step filled in the cable's ring may have been: those valid before the step, after it, or after
 * any of its state operations, for a neighbor may get a new address and be terminated in one step. When the cable takes a
 * frame, its destination has to be one of them.
 *
 * The frames of offloaded connections are those whose IPv4 identification is in the device's half (R31); IPv6 has none, so
 * its frames tell nothing of who built them.
 */
import { AssertionError } from '../base/assert.ts';
import { EntryFlag } from '../device/inverted-tree.ts';
import type { Nic } from '../device/nic.ts';
import type { FrameTap } from '../fabric/capture.ts';
import type { Memory } from '../memory/memory.ts';
import { RingHeader } from '../ring/spsc-ring.ts';
import { WIRE_FRAME_OFFSET } from '../ring/wire-slot.ts';
import { EtherType } from '../wire/ethernet.ts';
import { etherTypeAt, vidOf } from '../wire/vlan.ts';

const IDENTIFICATION = 4;
const DEVICE_HALF = 0x8000;

/** Neighbors as `macHi.macLo.vid`. */
type Valid = ReadonlySet<string>;

class Emissions {
  readonly nic: Nic;
  readonly #header;
  readonly #bodies: number;
  /** Per slot of the ring: the neighbors that were valid at some time in the step that filled it. */
  readonly #filledUnder: Valid[] = [];
  #tail = 0;
  #valid: Valid = new Set();
  /** Those of the step that is being made. */
  #during = new Set<string>();

  constructor(memory: Memory, nic: Nic) {
    const { offset } = nic.boot.regions.toFabric;
    this.nic = nic;
    this.#header = RingHeader.view(memory).at(offset);
    this.#bodies = offset + RingHeader.byteLength;
    nic.onOperation = () => this.#note();
  }

  #note(): void {
    this.#valid = this.#validNow();
    for (const neighbor of this.#valid) this.#during.add(neighbor);
  }

  /** After a step: what it published was built under these neighbors. */
  stepped(): void {
    const { tail, slots } = this.#header;
    this.#note();
    for (; this.#tail !== tail; this.#tail = (this.#tail + 1) | 0) {
      this.#filledUnder[this.#tail & (slots - 1)] = this.#during;
    }
    this.#during = new Set(this.#valid);
  }

  wasValid(frameAt: number, neighbor: string): boolean {
    const slot = Math.floor((frameAt - WIRE_FRAME_OFFSET - this.#bodies) / this.#header.slotBytes);
    return this.#filledUnder[slot]!.has(neighbor);
  }

  #validNow(): Valid {
    const { objects } = this.nic;
    const { neighbors, neighbor, neighborState } = objects;
    // Others' cursors must be where they were.
    const [entry, state] = [neighbor.base, neighborState.base];
    const valid = new Set<string>();
    for (let slot = 0, left = neighbors.inUse; left > 0; slot++) {
      if (!neighbors.isLive(slot)) continue;
      left--;
      objects.placeNeighbor(slot);
      if ((neighbor.flags & EntryFlag.Invalid) !== 0) continue;
      const { dlDestinationHi, dlDestinationLo, vlanId } = neighborState;
      valid.add(`${dlDestinationHi}.${dlDestinationLo}.${vlanId}`);
    }
    neighbor.at(entry);
    neighborState.at(state);
    return valid;
  }
}

export class NeighborWatch implements FrameTap {
  /** Frames of offloaded connections looked at. */
  frames = 0;
  readonly #view: DataView;
  /** By cable: cables are in the order of the NICs. */
  readonly #emissions: readonly Emissions[];

  constructor(memory: Memory, nics: readonly Nic[]) {
    this.#view = memory.view;
    this.#emissions = nics.map(nic => new Emissions(memory, nic));
  }

  stepped(nic: object): void {
    this.#emissions.find(each => each.nic === nic)?.stepped();
  }

  frame(interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    if (!outbound) return;
    const end = frameAt + length;
    const typeAt = etherTypeAt(this.#view, frameAt, end);
    if (typeAt < 0 || this.#view.getUint16(typeAt) !== EtherType.Ipv4) return;
    if (this.#view.getUint16(typeAt + 2 + IDENTIFICATION) < DEVICE_HALF) return;
    const emissions = this.#emissions[interfaceId]!;
    // In lenient mode what is invalid goes on until it is terminated (digest §3.5).
    if (emissions.nic.boot.config.target.invalidate === 'lenient') return;
    this.frames++;
    const vid = Math.max(0, vidOf(this.#view, frameAt, end));
    const neighbor = `${this.#view.getUint16(frameAt)}.${this.#view.getInt32(frameAt + 2)}.${vid}`;
    if (emissions.wasValid(frameAt, neighbor)) return;
    const { name } = emissions.nic.boot.config;
    throw new AssertionError(`${name}: a frame left for neighbor ${neighbor}, which is not valid there (invariant 6)`);
  }
}
