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
import { describeInitiate, describeTerminate, LayerEntries, takeEntry } from './lower-object.ts';
import type { Adapter, ProviderTable } from './ndis.ts';
import { confirm, isResolved, Neighbor, Reachability } from './neighbor.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import { StateUpdates } from './state-updates.ts';

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
  /** The device did not take the neighbor's new address. */
  neighborUpdateFailed(neighbor: Neighbor): void;
}

export class Framing {
  readonly interfaces: Interface[] = [];
  readonly #memory: Memory;
  readonly #tx: BufferPool;
  readonly #blocks: BlockPool;
  readonly #neighbors = new Map<number, Neighbor>();
  readonly #byId: Neighbor[] = [];
  readonly updates: StateUpdates<Neighbor>;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #block: BlockCursor;
  readonly #state: Cursor<typeof NeighborState.fields>;
  readonly #entries: LayerEntries<Neighbor>;
  readonly #arp = new ArpPacket();
  readonly #unresolved = new Set<Neighbor>();
  network: NetworkInput | null = null;
  trace: Trace | null = null;
  now = 0;
  framesSent = 0;
  framesReceived = 0;
  dropped = 0;

  constructor(memory: Memory, tx: BufferPool, blocks: BlockPool, updates: 'relay' | 'direct') {
    this.#memory = memory;
    this.#tx = tx;
    this.#blocks = blocks;
    this.#buffer = NetBuffer.view(memory);
    this.#block = Block.view(memory);
    this.#entries = new LayerEntries(Block.view(memory), {
      writeState: (neighbor, address) => this.#writeState(neighbor, address),
      take: (neighbor, address, initiate, table) => this.#take(neighbor, address, initiate, table),
    });
    this.#state = NeighborState.view(memory);
    const layer = {
      name: 'framing',
      noun: 'neighbor',
      type: OffloadStateType.NeighborCached,
      adapterOf: (neighbor: Neighbor) => neighbor.iface.adapter,
      write: (neighbor: Neighbor, block: BlockCursor) => {
        block.ndisOffloadHandle = neighbor.id;
        this.#writeState(neighbor, block.base);
      },
      updateFailed: (neighbor: Neighbor) => this.network!.neighborUpdateFailed(neighbor),
    } as const;
    this.updates = new StateUpdates(memory, blocks, layer, updates);
  }

  get unresolvedCount(): number {
    return this.#unresolved.size;
  }

  neighborFor(iface: Interface, address: number): Neighbor {
    const key = keyOf(iface, address);
    let neighbor = this.#neighbors.get(key);
    if (neighbor === undefined) {
      neighbor = new Neighbor(this.#byId.length + 1, iface, address);
      this.#byId.push(neighbor);
      this.#neighbors.set(key, neighbor);
    }
    return neighbor;
  }

  /** The neighbor that devices know by this handle. */
  neighborOf(id: number): Neighbor | null {
    return this.#byId[id - 1] ?? null;
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
    if (isResolved(neighbor)) this.#frame(neighbor, buffer);
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
    this.resolve(neighbor);
  }

  /** Asks for the address, if it is not known and not being asked for. */
  resolve(neighbor: Neighbor): void {
    if (isResolved(neighbor) || this.#unresolved.has(neighbor)) return;
    this.#unresolved.add(neighbor);
    neighbor.reachability = Reachability.Incomplete;
    neighbor.requestsSent = 0;
    this.#request(neighbor);
  }

  /** Retries and gives up; called every step while something is unresolved. Returns how much was due. */
  expire(): number {
    let due = 0;
    for (const neighbor of this.#unresolved) {
      if (((neighbor.nextRequestAt - this.now) | 0) > 0) continue;
      due++;
      if (neighbor.requestsSent < ARP_ATTEMPTS) this.#request(neighbor);
      else this.failed(neighbor);
    }
    return due;
  }

  /** Nobody answers at the address. */
  failed(neighbor: Neighbor): void {
    this.#unresolved.delete(neighbor);
    neighbor.reachability = Reachability.Failed;
    for (const buffer of neighbor.waiting.splice(0)) this.#tx.free(buffer);
    this.network?.neighborFailed(neighbor);
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

  /** RFC 1122 2.3.2.1 (unicast poll): is it still there, and still at this MAC address? */
  probe(neighbor: Neighbor): void {
    neighbor.requestsSent++;
    const { iface, macHi, macLo, address } = neighbor;
    this.#sendArp(iface, macHi, macLo, ArpOperation.Request, macHi, macLo, address);
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
    // Only an answer to us proves that what we send arrives (RFC 4861 7.2.5: the solicited flag).
    const answers = arp.operation === ArpOperation.Reply && arp.targetAddress === iface.address;
    if (known !== undefined) this.#learn(known, arp.senderMacHi, arp.senderMacLo, answers);
    if (arp.targetAddress !== iface.address || arp.senderAddress === iface.address) return;
    if (arp.operation !== ArpOperation.Request) return;
    if (known === undefined && iface.isLocal(arp.senderAddress)) {
      this.#learn(this.neighborFor(iface, arp.senderAddress), arp.senderMacHi, arp.senderMacLo, false);
    }
    const { senderMacHi, senderMacLo, senderAddress } = arp;
    this.#sendArp(iface, senderMacHi, senderMacLo, ArpOperation.Reply, senderMacHi, senderMacLo, senderAddress);
  }

  #learn(neighbor: Neighbor, macHi: number, macLo: number, answers: boolean): void {
    const moved = neighbor.macHi !== macHi || neighbor.macLo !== macLo;
    neighbor.macHi = macHi;
    neighbor.macLo = macLo;
    if (moved || !isResolved(neighbor)) neighbor.reachability = Reachability.Stale;
    if (answers) confirm(neighbor, this.now);
    if (this.#unresolved.delete(neighbor)) {
      for (const buffer of neighbor.waiting.splice(0)) this.#frame(neighbor, buffer);
    }
    // ¶85, R3: the MAC address is cached state; one update reaches every dependent connection.
    if (moved) this.updateNeighbor(neighbor);
  }

  // --- offload ---

  /** The neighbor's cached range is to reach the device, if it is there. */
  updateNeighbor(neighbor: Neighbor): void {
    this.updates.changed(neighbor);
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
        this.describeAlone(neighbor, block, request.isReserving);
      } else {
        describeTerminate(neighbor, neighbor.offloadedPaths, block, request.keepsLower);
      }
      if (previous === 0) request.root = address;
      else this.#block.at(previous).nextBlock = address;
      previous = address;
    }
    const what = request.operation === OffloadOperation.Initiate ? 'initiate' : 'terminate';
    this.trace?.emit('framing', 'ndis', `${what} offload, ${request.blockCount} blocks`);
  }

  /** Its block in an initiate: with its state, or by its handle. */
  describeAlone(neighbor: Neighbor, block: BlockCursor, isReserving = false): void {
    block.ndisOffloadHandle = neighbor.id;
    // Room only: a neighbor needs nothing but its entry; a VLAN driver adds the VID (¶116).
    const isNew = describeInitiate(neighbor, block, isReserving);
    if (isNew && !isReserving) this.#writeState(neighbor, block.base);
  }

  #writeState(neighbor: Neighbor, address: number): void {
    const state = this.#state.at(address + BLOCK_HEADER_BYTES);
    // The block may have carried needs before; a VLAN driver fills in the VID below.
    state.dlSourceHi = 0;
    state.dlSourceLo = 0;
    state.vlanId = 0;
    state.dlDestinationHi = neighbor.macHi;
    state.dlDestinationLo = neighbor.macLo;
    const age = Math.max(1, (this.now - neighbor.confirmedAt) >>> 0);
    // Digest §3.9: 0 says that the host has no proof either, and mutes the device while the host finds out.
    state.hostReachabilityDelta = neighbor.reachability === Reachability.Reachable ? age | 0 : 0;
    state.nicReachabilityDelta = state.hostReachabilityDelta;
  }

  /**
   * Neighbor objects on a device that no path uses any more: to be terminated by themselves. True: there are more, about
   * which a call is unanswered.
   */
  orphans(adapter: Adapter, request: OffloadRequest): boolean {
    let busy = false;
    for (const neighbor of this.#neighbors.values()) {
      if (neighbor.iface.adapter !== adapter || neighbor.offloadedPaths > 0) continue;
      if (neighbor.offloadState === OffloadState.Offloading) busy = true;
      if (neighbor.offloadState !== OffloadState.Offloaded) continue;
      if (neighbor.callsOut > 0) busy = true;
      else request.neighbors.add(neighbor);
    }
    return busy;
  }

  /** Takes this layer's entries out of a completed request. */
  complete(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const table = request.takeEntry('framing');
    const loads = this.#entries.complete(request.neighbors, initiate, table);
    if (loads > 0) this.trace?.emit('framing', request.adapter.name, `load ${loads} neighbor states`);
    this.trace?.emit('framing', 'network', initiate ? 'initiate complete' : 'terminate complete');
  }

  #take(neighbor: Neighbor, address: number, initiate: boolean, table: ProviderTable): void {
    takeEntry(neighbor, initiate, this.#block.at(address), table);
    this.#blocks.free(address);
    this.updates.settled(neighbor);
  }

  /** States that were sent on the way (Figure 3, 308) were answered. False: they were not this layer's. */
  loaded(root: number): boolean {
    return this.#entries.loaded(root);
  }
}
