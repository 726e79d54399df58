/**
 * ARP (RFC 826, RFC 1122 2.3.2; announcements of RFC 5227): asks for neighbors' MAC addresses, answers for our own.
 *
 * What is learned goes into the neighbor table, which decides when to ask; frames are Framing's.
 */
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, emitArpAnnouncement, parseArp } from '../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, EtherType } from '../wire/ethernet.ts';
import type { Interface } from './interface.ts';
import type { Neighbor } from './neighbor.ts';
import type { NeighborTable } from './neighbor-table.ts';

/** Where frames are made and sent. */
export interface ArpFrames {
  /** A frame with its Ethernet header, to that MAC address; 0 when there is no buffer. */
  beginFrame(iface: Interface, macHi: number, macLo: number, etherType: number): number;
  bodyOf(buffer: number): number;
  submit(iface: Interface, buffer: number, bodyLength: number): void;
}

export class Arp {
  readonly #memory: Memory;
  readonly #frames: ArpFrames;
  readonly #neighbors: NeighborTable;
  readonly #packet = new ArpPacket();
  trace: Trace | null = null;

  constructor(memory: Memory, frames: ArpFrames, neighbors: NeighborTable) {
    this.#memory = memory;
    this.#frames = frames;
    this.#neighbors = neighbors;
  }

  request(neighbor: Neighbor): void {
    const { iface } = neighbor;
    this.#send(iface, BROADCAST_MAC_HI, BROADCAST_MAC_LO, ArpOperation.Request, 0, 0, neighbor.address);
  }

  /** RFC 1122 2.3.2.1 (unicast poll): is it still there, and still at this MAC address? */
  probe(neighbor: Neighbor): void {
    const { iface, macHi, macLo, address } = neighbor;
    this.#send(iface, macHi, macLo, ArpOperation.Request, macHi, macLo, address);
  }

  #send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    operation: number,
    targetHi: number,
    targetLo: number,
    target: number,
  ): void {
    const buffer = this.#frames.beginFrame(iface, dstHi, dstLo, EtherType.Arp);
    if (buffer === 0) return;
    const { adapter } = iface;
    const body = this.#frames.bodyOf(buffer);
    const { view } = this.#memory;
    emitArp(view, body, operation, adapter.macHi, adapter.macLo, iface.address, targetHi, targetLo, target);
    this.#frames.submit(iface, buffer, ARP.length);
  }

  /** RFC 5227 2.3: where the address is. */
  announce(iface: Interface): void {
    const buffer = this.#frames.beginFrame(iface, BROADCAST_MAC_HI, BROADCAST_MAC_LO, EtherType.Arp);
    if (buffer === 0) return;
    const { adapter } = iface;
    const body = this.#frames.bodyOf(buffer);
    emitArpAnnouncement(this.#memory.view, body, adapter.macHi, adapter.macLo, iface.address);
    this.trace?.emit('framing', adapter.name, 'gratuitous ARP');
    this.#frames.submit(iface, buffer, ARP.length);
  }

  /** RFC 826, "Packet Reception". */
  receive(iface: Interface, at: number, end: number): void {
    const arp = this.#packet;
    if (!parseArp(this.#memory.view, at, end, arp) || arp.senderAddress === 0) return;
    const neighbors = this.#neighbors;
    const known = neighbors.find(iface, arp.senderAddress);
    // Only an answer to us proves that what we send arrives (RFC 4861 7.2.5: the solicited flag).
    const answers = arp.operation === ArpOperation.Reply && arp.targetAddress === iface.address;
    if (known !== undefined) neighbors.learn(known, arp.senderMacHi, arp.senderMacLo, answers);
    if (arp.targetAddress !== iface.address || arp.senderAddress === iface.address) return;
    if (arp.operation !== ArpOperation.Request) return;
    if (known === undefined && iface.isLocal(arp.senderAddress)) {
      neighbors.learn(neighbors.for(iface, arp.senderAddress), arp.senderMacHi, arp.senderMacLo, false);
    }
    const { senderMacHi, senderMacLo, senderAddress } = arp;
    this.#send(iface, senderMacHi, senderMacLo, ArpOperation.Reply, senderMacHi, senderMacLo, senderAddress);
  }
}
