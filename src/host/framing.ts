/**
 * The Framing layer: Ethernet frames to and from the adapters, the neighbors they go to (neighbor-table.ts, arp.ts), and
 * the neighbor blocks of offload requests (neighbor-offload.ts).
 *
 * Above it stands Network, below it the adapters' dispatch tables. It is the client (the upper edge) of every adapter
 * for frames; offload calls of the client table are passed on to the layers they are for (host.ts).
 */
import type { Trace } from '../base/trace.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import type { BlockPool } from '../offload/block-list.ts';
import { ETHERNET, EtherType, emitEthernet, isGroupMac } from '../wire/ethernet.ts';
import { emitSnap, FramePayload, readPayload, SNAP } from '../wire/llc-snap.ts';
import { HeaderFormat } from '../offload/state-objects.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { Arp, type ArpFrames } from './arp.ts';
import type { Interface } from './interface.ts';
import { isResolved, type Neighbor } from './neighbor.ts';
import { NeighborOffload } from './neighbor-offload.ts';
import { type NeighborOwner, NeighborTable } from './neighbor-table.ts';

/** Where a frame that the host builds starts in its buffer: the IP header comes to lie on a word, tags have room. */
export const TX_FRAME_OFFSET = 18;

export interface NetworkInput {
  /** A datagram in [at, end) of a receive buffer; `linkGroup`: of a frame to a group address. True: the buffer was kept. */
  receive(iface: Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean;
  /** The neighbor answered, or did not: paths through it may go on, or not. */
  neighborFailed(neighbor: Neighbor): void;
  /** The device did not take the neighbor's new address. */
  neighborUpdateFailed(neighbor: Neighbor): void;
}

/** What IPv6 has for itself: its neighbors are asked for with ICMP, so Network does that (ipv6.ts). */
export interface Ipv6Link {
  receive(iface: Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean;
  /** Asks the link for the neighbor's address. */
  solicit(neighbor: Neighbor): void;
  /** Asks the neighbor itself whether it is there. */
  probe(neighbor: Neighbor): void;
  /** Something goes to the neighbor: the proof that it is there may be too old. */
  used(neighbor: Neighbor): void;
  announce(iface: Interface): void;
}

export class Framing implements NeighborOwner, ArpFrames {
  readonly interfaces: Interface[] = [];
  readonly neighbors: NeighborTable;
  readonly arp: Arp;
  readonly offload: NeighborOffload;
  readonly #memory: Memory;
  readonly #tx: BufferPool;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #payload = new FramePayload();
  network: NetworkInput | null = null;
  ipv6: Ipv6Link | null = null;
  framesSent = 0;
  framesReceived = 0;
  dropped = 0;

  constructor(memory: Memory, addresses: AddressTable, tx: BufferPool, blocks: BlockPool, updates: 'relay' | 'direct') {
    this.#memory = memory;
    this.#tx = tx;
    this.#buffer = NetBuffer.view(memory);
    this.neighbors = new NeighborTable(tx, addresses, this);
    this.arp = new Arp(memory, this, this.neighbors);
    this.offload = new NeighborOffload(memory, blocks, this.neighbors, updates, neighbor =>
      this.network!.neighborUpdateFailed(neighbor),
    );
  }

  set trace(trace: Trace | null) {
    this.arp.trace = trace;
    this.offload.trace = trace;
  }

  set now(now: number) {
    this.neighbors.now = now;
    this.offload.now = now;
  }

  // --- send ---

  /** Sends the IP datagram of `length` bytes that stands behind the Ethernet header's room in `buffer`. */
  send(neighbor: Neighbor, buffer: number, length: number): void {
    const descriptor = this.#buffer.at(buffer);
    descriptor.dataAddress = this.bodyOf(buffer);
    descriptor.dataLength = length;
    descriptor.next = 0;
    if (isIpv6(neighbor.address)) this.ipv6!.used(neighbor);
    if (isResolved(neighbor)) this.sendWaiting(neighbor, buffer);
    else this.neighbors.wait(neighbor, buffer);
  }

  /** A datagram, the body of the frame so far, to a neighbor whose address is known. */
  sendWaiting(neighbor: Neighbor, buffer: number): void {
    const etherType = isIpv6(neighbor.address) ? EtherType.Ipv6 : EtherType.Ipv4;
    const { iface, macHi, macLo, headerFormat } = neighbor;
    const length = this.#buffer.at(buffer).dataLength;
    this.#frame(iface, buffer, macHi, macLo, etherType, length, headerFormat);
  }

  beginFrame(iface: Interface, macHi: number, macLo: number, etherType: number): number {
    const buffer = this.#tx.allocate();
    if (buffer === 0) return 0;
    const { adapter } = iface;
    const at = this.bodyOf(buffer) - ETHERNET.headerLength;
    emitEthernet(this.#memory.view, at, macHi, macLo, adapter.macHi, adapter.macLo, etherType);
    return buffer;
  }

  bodyOf(buffer: number): number {
    return this.#tx.dataOf(buffer) + TX_FRAME_OFFSET + ETHERNET.headerLength;
  }

  submit(iface: Interface, buffer: number, bodyLength: number): void {
    const { view } = this.#memory;
    const at = this.bodyOf(buffer) - ETHERNET.headerLength;
    const etherType = view.getUint16(at + ETHERNET.etherType);
    const format = etherType === EtherType.Ipv6 ? HeaderFormat.Dix : iface.headerFormat;
    this.#buffer.at(buffer).next = 0;
    this.#frame(iface, buffer, view.getUint16(at), view.getInt32(at + 2), etherType, bodyLength, format);
  }

  /** Puts the headers in front of the body, in the format that the receiver understands, and sends. */
  #frame(
    { adapter }: Interface,
    buffer: number,
    macHi: number,
    macLo: number,
    etherType: number,
    bodyLength: number,
    headerFormat: number,
  ): void {
    const { view } = this.#memory;
    const isSnap = headerFormat === HeaderFormat.Snap;
    const headerLength = ETHERNET.headerLength + (isSnap ? SNAP.headerLength : 0);
    const at = this.bodyOf(buffer) - headerLength;
    emitEthernet(view, at, macHi, macLo, adapter.macHi, adapter.macLo, etherType);
    if (isSnap) emitSnap(view, at + ETHERNET.etherType, etherType, bodyLength);
    const descriptor = this.#buffer.at(buffer);
    descriptor.dataAddress = at;
    descriptor.dataLength = headerLength + bodyLength;
    this.framesSent++;
    adapter.down.sendFrame(buffer);
  }

  // --- receive ---

  /** A frame from an adapter; the buffer goes back to it unless a layer above keeps it. */
  receiveFrame(iface: Interface, buffer: number): void {
    this.framesReceived++;
    const { view } = this.#memory;
    const descriptor = this.#buffer.at(buffer);
    const at = descriptor.dataAddress;
    let kept = false;
    if (descriptor.dataLength >= ETHERNET.headerLength) {
      const linkGroup = isGroupMac(view.getUint16(at));
      readPayload(view, at + ETHERNET.etherType, at + descriptor.dataLength, this.#payload);
      const { etherType, at: body, end } = this.#payload;
      if (etherType === EtherType.Ipv4 && iface.hasIpv4) {
        kept = this.network!.receive(iface, buffer, body, end, linkGroup);
      } else if (etherType === EtherType.Arp && iface.hasIpv4) {
        this.arp.receive(iface, body, end);
      } else if (etherType === EtherType.Ipv6 && iface.ipv6 !== null) {
        kept = this.ipv6!.receive(iface, buffer, body, end, linkGroup);
      } else {
        this.dropped++;
      }
    }
    if (!kept) iface.adapter.down.returnBuffer(buffer);
  }

  // --- neighbors ---

  /** Asks for the neighbor's address; each family has its protocol. */
  solicit(neighbor: Neighbor): void {
    if (isIpv6(neighbor.address)) this.ipv6!.solicit(neighbor);
    else this.arp.request(neighbor);
  }

  /** Is the neighbor still there, and still at its MAC address? */
  probe(neighbor: Neighbor): void {
    neighbor.requestsSent++;
    if (isIpv6(neighbor.address)) this.ipv6!.probe(neighbor);
    else this.arp.probe(neighbor);
  }

  /** Tells the network where the interface's address is now; after a failover the switch learns from it. */
  announce(iface: Interface): void {
    if (iface.hasIpv4) this.arp.announce(iface);
    if (iface.ipv6 !== null) this.ipv6!.announce(iface);
  }

  neighborFailed(neighbor: Neighbor): void {
    this.network?.neighborFailed(neighbor);
  }

  /** The neighbor's cached range is to reach the device, if it is there: one update for all dependents (¶85, R3). */
  updateNeighbor(neighbor: Neighbor): void {
    this.offload.updates.changed(neighbor);
  }
}
