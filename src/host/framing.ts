/**
 * The Framing layer: Ethernet headers, ARP (RFC 826, with RFC 1122 2.3.2 queueing and RFC 5227 announcements), neighbor
 * objects, and the neighbor blocks of offload requests.
 *
 * Above it stands Network, below it the adapters' dispatch tables. It is the client (the upper edge) of every adapter
 * for frames; offload calls of the client table are passed on to the layers they are for (host.ts).
 */
import type { Trace } from '../base/trace.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  OffloadStateType,
} from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { NeighborState } from '../offload/state-objects.ts';
import { ARP, ArpOperation, ArpPacket, emitArp, emitArpAnnouncement, parseArp } from '../wire/arp.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, ETHERNET, EtherType, emitEthernet } from '../wire/ethernet.ts';
import { type Interface, keyOf } from './interface.ts';
import { describeInitiate, describeTerminate, takeEntry } from './lower-object.ts';
import type { Adapter } from './ndis.ts';
import { Neighbor, Reachability } from './neighbor.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';

const WAITING_MAX = 32;
const ARP_RETRY_TICKS = 1000;
const ARP_ATTEMPTS = 5;
/** Where a frame that the host builds starts in its buffer: the IP header comes to lie on a word, tags have room. */
export const TX_FRAME_OFFSET = 18;

export interface NetworkInput {
  /** A datagram in [at, end) of a receive buffer. True: the buffer was kept. */
  receive(iface: Interface, buffer: number, at: number, end: number): boolean;
  /** The neighbor answered, or did not: paths through it may go on, or not. */
  neighborFailed(neighbor: Neighbor): void;
}

export class Framing {
  readonly interfaces: Interface[] = [];
  readonly #memory: Memory;
  readonly #tx: BufferPool;
  readonly #blocks: BlockPool;
  readonly #neighbors = new Map<number, Neighbor>();
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #block: BlockCursor;
  readonly #state: Cursor<typeof NeighborState.fields>;
  readonly #arp = new ArpPacket();
  readonly #unresolved = new Set<Neighbor>();
  /** Neighbors whose update is under way, with its root block. */
  readonly #updating = new Map<Neighbor, number>();
  network: NetworkInput | null = null;
  trace: Trace | null = null;
  now = 0;
  framesSent = 0;
  framesReceived = 0;
  dropped = 0;

  constructor(memory: Memory, tx: BufferPool, blocks: BlockPool) {
    this.#memory = memory;
    this.#tx = tx;
    this.#blocks = blocks;
    this.#buffer = NetBuffer.view(memory);
    this.#block = Block.view(memory);
    this.#state = NeighborState.view(memory);
  }

  get unresolvedCount(): number {
    return this.#unresolved.size;
  }

  neighborFor(iface: Interface, address: number): Neighbor {
    const key = keyOf(iface, address);
    let neighbor = this.#neighbors.get(key);
    if (neighbor === undefined) {
      neighbor = new Neighbor(iface, address);
      this.#neighbors.set(key, neighbor);
    }
    return neighbor;
  }

  /** Every neighbor, for statistics and checks. */
  get neighbors(): Iterable<Neighbor> {
    return this.#neighbors.values();
  }

  /** Sends the IP datagram of `length` bytes that stands behind the Ethernet header's room in `buffer`. */
  send(neighbor: Neighbor, buffer: number, length: number): void {
    const descriptor = this.#buffer.at(buffer);
    descriptor.dataAddress = this.#tx.dataOf(buffer) + TX_FRAME_OFFSET;
    descriptor.dataLength = ETHERNET.headerLength + length;
    descriptor.next = 0;
    if (neighbor.reachability === Reachability.Reachable) this.#frame(neighbor, buffer);
    else this.#wait(neighbor, buffer);
  }

  #frame(neighbor: Neighbor, buffer: number): void {
    const { adapter } = neighbor.iface;
    const at = this.#tx.dataOf(buffer) + TX_FRAME_OFFSET;
    const { view } = this.#memory;
    emitEthernet(view, at, neighbor.macHi, neighbor.macLo, adapter.macHi, adapter.macLo, EtherType.Ipv4);
    this.framesSent++;
    adapter.down.sendFrame(buffer);
  }

  #wait(neighbor: Neighbor, buffer: number): void {
    if (neighbor.waiting.length >= WAITING_MAX) {
      // RFC 1122 2.3.2.2: save at least the latest packet.
      this.dropped++;
      this.#tx.free(neighbor.waiting.shift()!);
    }
    neighbor.waiting.push(buffer);
    if (!this.#unresolved.has(neighbor)) {
      this.#unresolved.add(neighbor);
      neighbor.reachability = Reachability.Incomplete;
      neighbor.requestsSent = 0;
      this.#request(neighbor);
    }
  }

  /** Retries and gives up; called every step while something is unresolved. */
  expire(): void {
    for (const neighbor of this.#unresolved) {
      if (((neighbor.nextRequestAt - this.now) | 0) > 0) continue;
      if (neighbor.requestsSent < ARP_ATTEMPTS) {
        this.#request(neighbor);
        continue;
      }
      this.#unresolved.delete(neighbor);
      neighbor.reachability = Reachability.Failed;
      for (const buffer of neighbor.waiting.splice(0)) this.#tx.free(buffer);
      this.network?.neighborFailed(neighbor);
    }
  }

  /** Ticks until `expire` has something to do, -1 for never. */
  ticksUntilNext(): number {
    let least = -1;
    for (const neighbor of this.#unresolved) {
      const ticks = Math.max(0, (neighbor.nextRequestAt - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }

  #request(neighbor: Neighbor): void {
    neighbor.requestsSent++;
    neighbor.nextRequestAt = (this.now + ARP_RETRY_TICKS) | 0;
    const { iface } = neighbor;
    this.#sendArp(iface, BROADCAST_MAC_HI, BROADCAST_MAC_LO, ArpOperation.Request, 0, 0, neighbor.address);
  }

  #sendArp(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    operation: number,
    targetHi: number,
    targetLo: number,
    target: number,
  ): void {
    const buffer = this.#tx.allocate();
    if (buffer === 0) return;
    const { adapter } = iface;
    const { view } = this.#memory;
    const at = this.#tx.dataOf(buffer) + TX_FRAME_OFFSET;
    emitEthernet(view, at, dstHi, dstLo, adapter.macHi, adapter.macLo, EtherType.Arp);
    const body = at + ETHERNET.headerLength;
    emitArp(view, body, operation, adapter.macHi, adapter.macLo, iface.address, targetHi, targetLo, target);
    this.#submit(iface, buffer, at, ETHERNET.headerLength + ARP.length);
  }

  #submit(iface: Interface, buffer: number, at: number, length: number): void {
    const descriptor = this.#buffer.at(buffer);
    descriptor.dataAddress = at;
    descriptor.dataLength = length;
    descriptor.next = 0;
    this.framesSent++;
    iface.adapter.down.sendFrame(buffer);
  }

  /** RFC 5227 2.3: tells the network where the address is now; after a failover the switch learns from it. */
  announce(iface: Interface): void {
    const buffer = this.#tx.allocate();
    if (buffer === 0) return;
    const { adapter } = iface;
    const at = this.#tx.dataOf(buffer) + TX_FRAME_OFFSET;
    const { view } = this.#memory;
    emitEthernet(view, at, BROADCAST_MAC_HI, BROADCAST_MAC_LO, adapter.macHi, adapter.macLo, EtherType.Arp);
    emitArpAnnouncement(view, at + ETHERNET.headerLength, adapter.macHi, adapter.macLo, iface.address);
    this.trace?.emit('framing', adapter.name, 'gratuitous ARP');
    this.#submit(iface, buffer, at, ETHERNET.headerLength + ARP.length);
  }

  /** A frame from an adapter; the buffer goes back to it unless a layer above keeps it. */
  receiveFrame(iface: Interface, buffer: number): void {
    this.framesReceived++;
    const { view } = this.#memory;
    const descriptor = this.#buffer.at(buffer);
    const at = descriptor.dataAddress;
    const end = at + descriptor.dataLength;
    let kept = false;
    if (descriptor.dataLength >= ETHERNET.headerLength) {
      const etherType = view.getUint16(at + ETHERNET.etherType);
      const body = at + ETHERNET.headerLength;
      if (etherType === EtherType.Ipv4) kept = this.network!.receive(iface, buffer, body, end);
      else if (etherType === EtherType.Arp) this.#receiveArp(iface, body, end);
      else this.dropped++;
    }
    if (!kept) iface.adapter.down.returnBuffer(buffer);
  }

  /** RFC 826, "Packet Reception". */
  #receiveArp(iface: Interface, at: number, end: number): void {
    const arp = this.#arp;
    if (!parseArp(this.#memory.view, at, end, arp) || arp.senderAddress === 0) return;
    const known = this.#neighbors.get(keyOf(iface, arp.senderAddress));
    if (known !== undefined) this.#learn(known, arp.senderMacHi, arp.senderMacLo);
    if (arp.targetAddress !== iface.address || arp.senderAddress === iface.address) return;
    if (arp.operation !== ArpOperation.Request) return;
    if (known === undefined && iface.isLocal(arp.senderAddress)) {
      this.#learn(this.neighborFor(iface, arp.senderAddress), arp.senderMacHi, arp.senderMacLo);
    }
    const { senderMacHi, senderMacLo, senderAddress } = arp;
    this.#sendArp(iface, senderMacHi, senderMacLo, ArpOperation.Reply, senderMacHi, senderMacLo, senderAddress);
  }

  #learn(neighbor: Neighbor, macHi: number, macLo: number): void {
    const moved = neighbor.macHi !== macHi || neighbor.macLo !== macLo;
    neighbor.macHi = macHi;
    neighbor.macLo = macLo;
    neighbor.confirmedAt = this.now;
    neighbor.reachability = Reachability.Reachable;
    if (this.#unresolved.delete(neighbor)) {
      for (const buffer of neighbor.waiting.splice(0)) this.#frame(neighbor, buffer);
    }
    // ¶85, R3: the MAC address is cached state; one update reaches every dependent connection.
    if (moved && neighbor.offloadState !== OffloadState.InHost) this.updateNeighbor(neighbor);
  }

  // --- offload ---

  /** Sends the neighbor's cached range to the device, or notes that it is due when a request is under way (R18). */
  updateNeighbor(neighbor: Neighbor): void {
    if (neighbor.offloadState !== OffloadState.Offloaded || this.#updating.has(neighbor)) {
      neighbor.updateDue = true;
      return;
    }
    const address = this.#blocks.allocate(OffloadStateType.NeighborCached);
    if (address === 0) {
      neighbor.updateDue = true;
      return;
    }
    neighbor.updateDue = false;
    this.#updating.set(neighbor, address);
    const block = this.#block.at(address);
    block.offloadHandle = neighbor.offloadHandle;
    this.#writeState(neighbor, address);
    this.trace?.emit('framing', neighbor.iface.adapter.name, 'update neighbor');
    neighbor.iface.adapter.down.updateOffload(address);
  }

  /** One update of a neighbor at a time (C10). True when the neighbor waited for it to be asked back (digest §3.6). */
  updateComplete(root: number): boolean {
    this.#blocks.free(root);
    for (const [neighbor, update] of this.#updating) {
      if (update !== root) continue;
      this.#updating.delete(neighbor);
      if (neighbor.updateDue) this.updateNeighbor(neighbor);
      return neighbor.offloadedPaths === 0;
    }
    return false;
  }

  /** Adds the neighbor blocks and sends the list on its way: step 336 of Figure 3, or 724 of Figure 7. */
  describe(request: OffloadRequest): void {
    let previous = 0;
    const { neighbors } = request;
    for (let i = 0; i < neighbors.count; i++) {
      const neighbor = neighbors.objects[i]!;
      const address = this.#blocks.allocate(OffloadStateType.Neighbor);
      const block = this.#block.at(address);
      block.dependentBlockList = neighbor.firstDependent;
      neighbor.firstDependent = 0;
      neighbor.lastDependent = 0;
      neighbors.blocks[i] = address;
      if (request.operation === OffloadOperation.Initiate) {
        if (describeInitiate(neighbor, block)) this.#writeState(neighbor, address);
      } else {
        // It is asked back by itself when its update has been answered.
        describeTerminate(neighbor, neighbor.offloadedPaths + (this.#updating.has(neighbor) ? 1 : 0), block);
      }
      if (previous === 0) request.root = address;
      else this.#block.at(previous).nextBlock = address;
      previous = address;
    }
    const what = request.operation === OffloadOperation.Initiate ? 'initiate' : 'terminate';
    this.trace?.emit('framing', 'ndis', `${what} offload, ${request.blockCount} blocks`);
  }

  #writeState(neighbor: Neighbor, address: number): void {
    const state = this.#state.at(address + BLOCK_HEADER_BYTES);
    state.dlDestinationHi = neighbor.macHi;
    state.dlDestinationLo = neighbor.macLo;
    state.hostReachabilityDelta = (this.now - neighbor.confirmedAt) | 0;
    state.nicReachabilityDelta = state.hostReachabilityDelta;
  }

  /** Neighbor objects on a device that no path uses any more: to be terminated by themselves. */
  orphans(adapter: Adapter, request: OffloadRequest): void {
    for (const neighbor of this.#neighbors.values()) {
      const isNeeded = neighbor.offloadedPaths > 0 || this.#updating.has(neighbor);
      if (neighbor.iface.adapter !== adapter || isNeeded) continue;
      if (neighbor.offloadState === OffloadState.Offloaded) request.neighbors.add(neighbor);
    }
  }

  /** Takes this layer's entries out of a completed request. */
  complete(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const { neighbors } = request;
    for (let i = 0; i < neighbors.count; i++) {
      const neighbor = neighbors.objects[i]!;
      const address = neighbors.blocks[i]!;
      takeEntry(neighbor, initiate, this.#block.at(address));
      this.#blocks.free(address);
      if (neighbor.updateDue && neighbor.offloadState === OffloadState.Offloaded) this.updateNeighbor(neighbor);
    }
    this.trace?.emit('framing', 'network', initiate ? 'initiate complete' : 'terminate complete');
  }
}
