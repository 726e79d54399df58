/**
 * ARP (RFC 826, RFC 1122 2.3.2; probes and announcements of RFC 5227): asks for neighbors' MAC addresses, answers for our own.
 *
 * What is learned goes into the neighbor table, which decides when to ask; who claims an address of ours is the business of
 * address-conflicts.ts; frames are Framing's.
 */
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, parseArp } from '../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, EtherType } from '../wire/ethernet.ts';
import { isSingleHost } from '../wire/ipv4.ts';
import type { AddressConflicts, AddressSpeaker } from './address-conflicts.ts';
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

export class Arp implements AddressSpeaker {
  readonly #memory: Memory;
  readonly #frames: ArpFrames;
  readonly #neighbors: NeighborTable;
  readonly #packet = new ArpPacket();
  conflicts: AddressConflicts | null = null;
  trace: Trace | null = null;

  constructor(memory: Memory, frames: ArpFrames, neighbors: NeighborTable) {
    this.#memory = memory;
    this.#frames = frames;
    this.#neighbors = neighbors;
  }

  request({ iface, address }: Neighbor): void {
    this.#broadcast(iface, iface.sourceFor(address), address);
  }

  /** RFC 1122 2.3.2.1 (unicast poll): is it still there, and still at this MAC address? */
  probe(neighbor: Neighbor): void {
    const { iface, macHi, macLo, address } = neighbor;
    this.#send(iface, macHi, macLo, ArpOperation.Request, iface.sourceFor(address), macHi, macLo, address);
  }

  /** RFC 5227 2.3: where the addresses are. */
  announce(iface: Interface): void {
    for (const own of iface.ipv4) {
      if (!own.isAssigned) continue;
      this.trace?.emit('framing', iface.adapter.name, 'gratuitous ARP');
      this.announceAddress(iface, own.address);
    }
  }

  announceAddress(iface: Interface, address: number): void {
    this.#broadcast(iface, address, address);
  }

  /** RFC 5227 2.1.1: without a sender's address, so that nobody's cache is spoiled. */
  probeAddress(iface: Interface, address: number): void {
    this.#broadcast(iface, 0, address);
  }

  #broadcast(iface: Interface, sender: number, target: number): void {
    this.#send(iface, BROADCAST_MAC_HI, BROADCAST_MAC_LO, ArpOperation.Request, sender, 0, 0, target);
  }

  #send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    operation: number,
    sender: number,
    targetHi: number,
    targetLo: number,
    target: number,
  ): void {
    const buffer = this.#frames.beginFrame(iface, dstHi, dstLo, EtherType.Arp);
    if (buffer === 0) return;
    const { macHi, macLo } = iface.adapter;
    const body = this.#frames.bodyOf(buffer);
    emitArp(this.#memory.view, body, operation, macHi, macLo, sender, targetHi, targetLo, target);
    this.#frames.submit(iface, buffer, ARP.length);
  }

  /** RFC 826, "Packet Reception". */
  receive(iface: Interface, at: number, end: number): void {
    const arp = this.#packet;
    if (!parseArp(this.#memory.view, at, end, arp)) return;
    const { senderMacHi, senderMacLo, senderAddress, targetAddress, operation } = arp;
    // A switch may send back by one cable of a team what went out by another.
    if (senderMacHi === iface.adapter.macHi && senderMacLo === iface.adapter.macLo) return;
    this.conflicts?.heard(iface, arp);
    const isForUs = iface.owns(targetAddress);
    if (senderAddress === 0) {
      // RFC 5227 2.1.1: somebody wants an address of ours, and hears that it is taken.
      if (isForUs && operation === ArpOperation.Request) this.#reply(iface, arp);
      return;
    }
    if (iface.ipv4.some(own => own.address === senderAddress)) return;
    // RFC 1122 3.2.1.3: nobody in particular has an address of all hosts.
    if (!isSingleHost(senderAddress) || iface.isBroadcast(senderAddress)) return;
    const neighbors = this.#neighbors;
    const known = neighbors.find(iface, senderAddress);
    // Only an answer to us proves that what we send arrives (RFC 4861 7.2.5: the solicited flag).
    const answers = operation === ArpOperation.Reply && isForUs;
    if (known !== undefined) neighbors.learn(known, senderMacHi, senderMacLo, answers);
    if (!isForUs || operation !== ArpOperation.Request) return;
    if (known === undefined && iface.isLocal(senderAddress)) {
      neighbors.learn(neighbors.for(iface, senderAddress), senderMacHi, senderMacLo, false);
    }
    this.#reply(iface, arp);
  }

  /** For whichever of our addresses was asked; for nobody else's (no proxy ARP). */
  #reply(iface: Interface, { senderMacHi, senderMacLo, senderAddress, targetAddress }: ArpPacket): void {
    const { Reply } = ArpOperation;
    this.#send(iface, senderMacHi, senderMacLo, Reply, targetAddress, senderMacHi, senderMacLo, senderAddress);
  }
}
