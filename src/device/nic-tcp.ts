/**
 * The TCP engine's owner in a NIC: connection table, timers, buffers, and what the engine asks for (Effects).
 *
 * What the engine reports becomes descriptors to the host, in the order in which it happened: indications, events,
 * completions. Nothing is decided here that the host owns: a connection that ends stays in its slot until the host
 * terminates the offload (digest §3.6). What comes from outside is in tcp-firmware.ts.
 */
import { NdisStatus } from '../base/status.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { DescriptorQueue } from '../ring/descriptor-queue.ts';
import { Completion } from '../offload/descriptors.ts';
import { OffloadEventCode, TcpOffloadEvent, TcpUploadReason } from '../offload/events.ts';
import { type NicBoot, receivePoolShape } from '../ring/nic-layout.ts';
import { seqLt } from '../base/seq.ts';
import { CloseReason, type Effects } from '../tcp/effects.ts';
import type { TcpParams } from '../tcp/params.ts';
import { dropOutOfOrder } from '../tcp/reassembly.ts';
import { SegmentWriter } from '../tcp/segment-writer.ts';
import { type NetBufferCursor, takeSendQueue } from '../tcp/send-queue.ts';
import { TcbTable } from '../tcp/tcb-table.ts';
import { type Tcb, TcpDelegatedFlag, TcpPrivateFlag } from '../tcp/tcb.ts';
import { ETHERNET, EtherType, emitEthernet } from '../wire/ethernet.ts';
import { emitIpv4, IPV4, IpProtocol, Ipv4Fragment } from '../wire/ipv4.ts';
import { emitTag, VLAN } from '../wire/vlan.ts';
import type { InvertedTree } from './inverted-tree.ts';
import type { Mac } from './mac.ts';
import { ReceiveDelivery } from './receive-delivery.ts';
import type { NicStatistics } from './statistics.ts';

/** `pendingDisconnect` when the disconnect carried no buffer. */
export const NO_BUFFER = -1;

export class NicTcp implements Effects {
  readonly params: TcpParams;
  readonly table: TcbTable;
  readonly tcb: Tcb;
  readonly pool: BufferPool;
  readonly delivery: ReceiveDelivery;
  readonly buffers: NetBufferCursor;
  protected readonly wheel: TimerWheel;
  protected readonly memory: Memory;
  protected readonly mac: Mac;
  protected readonly tree: InvertedTree;
  protected readonly host: DescriptorQueue;
  protected readonly stats: NicStatistics;
  protected readonly writer: SegmentWriter;
  protected readonly own: NetBufferCursor;
  /** Per slot: the disconnect that waits for the ACK of our FIN. */
  protected readonly pendingDisconnect: Int32Array;
  /** Slots whose segments found no room, a ring of the table's size. */
  protected readonly blocked: Int32Array;
  /** Buffers that out-of-order text leaves for text that fills gaps. */
  readonly #outOfOrderReserve: number;
  /** Slots that are in the ring: each once, whatever became of the connection that put it there. */
  protected readonly isBlocked: Uint8Array;
  protected blockedHead = 0;
  blockedCount = 0;
  now = 0;

  constructor(
    memory: Memory,
    boot: NicBoot,
    mac: Mac,
    tree: InvertedTree,
    host: DescriptorQueue,
    stats: NicStatistics,
  ) {
    const { config, regions } = boot;
    this.memory = memory;
    this.mac = mac;
    this.tree = tree;
    this.host = host;
    this.stats = stats;
    this.params = config.tcp;
    this.table = new TcbTable(memory, regions.tcbs, config.tcpEntries);
    this.tcb = this.table.cursor();
    this.pool = new BufferPool(memory, regions.receivePool, receivePoolShape(config), boot.index);
    this.#outOfOrderReserve = config.receiveBuffers >> 2;
    this.buffers = NetBuffer.view(memory);
    this.own = NetBuffer.view(memory);
    this.delivery = new ReceiveDelivery(memory, config.tcpEntries, host);
    this.writer = new SegmentWriter(memory, this.params.mss);
    this.wheel = new TimerWheel(config.tcpEntries, 0);
    this.pendingDisconnect = new Int32Array(config.tcpEntries);
    this.blocked = new Int32Array(config.tcpEntries);
    this.isBlocked = new Uint8Array(config.tcpEntries);
  }

  // --- Effects ---

  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean {
    const tree = this.tree;
    // An invalidated object transmits nothing (digest §3.5, strict): the host terminates what depends on it.
    if (!tree.climb(tcb.path)) return true;
    if (tree.reachability.mustAsk(tree.path.neighbor, this.now)) this.#askReachability(tree.path.neighbor);
    const at = this.mac.reserve();
    if (at < 0) return false;
    const { view } = this.memory;
    const { neighborState } = tree;
    const srcHi = neighborState.dlSourceHi;
    const srcLo = neighborState.dlSourceLo;
    const own = (srcHi | srcLo) === 0;
    emitEthernet(
      view,
      at,
      neighborState.dlDestinationHi,
      neighborState.dlDestinationLo,
      own ? this.mac.macHi : srcHi,
      own ? this.mac.macLo : srcLo,
      EtherType.Ipv4,
    );
    let ipAt = at + ETHERNET.headerLength;
    const vid = neighborState.vlanId;
    if (vid !== 0 || tcb.userPriority !== 0) {
      emitTag(view, at + ETHERNET.etherType, EtherType.CustomerVlan, (tcb.userPriority << 13) | vid);
      view.setUint16(ipAt + 2, EtherType.Ipv4);
      ipAt += VLAN.tagLength;
    }
    const total = IPV4.headerLength + this.writer.headerLength(tcb, flags) + length;
    emitIpv4(
      view,
      ipAt,
      tcb.tos,
      total,
      tree.nextIpId(),
      Ipv4Fragment.Df,
      tcb.ttl,
      IpProtocol.Tcp,
      tcb.localAddress,
      tcb.remoteAddress,
    );
    this.writer.write(tcb, ipAt + IPV4.headerLength, flags, seq, length, this.now);
    this.mac.transmit(at, ipAt - at + total);
    this.stats.outSegments++;
    if (length > 0 && seqLt(seq, tcb.sndMax)) this.stats.retransmittedSegments++;
    return true;
  }

  transmitBlocked(tcb: Tcb): void {
    if ((tcb.privateFlags & TcpPrivateFlag.TransmitPending) !== 0) return;
    tcb.privateFlags |= TcpPrivateFlag.TransmitPending;
    const slot = this.table.slotOf(tcb);
    if (this.isBlocked[slot] === 1) return;
    this.isBlocked[slot] = 1;
    this.blocked[(this.blockedHead + this.blockedCount) % this.blocked.length] = slot;
    this.blockedCount++;
  }

  takePayload(at: number, length: number, inOrder: boolean): number {
    const address = inOrder || this.pool.available > this.#outOfOrderReserve ? this.pool.allocate() : 0;
    if (address === 0) {
      this.stats.dropNoBuffer++;
      return 0;
    }
    const buffer = this.own.at(address);
    buffer.dataAddress = this.pool.dataOf(address);
    buffer.dataLength = length;
    if (length > 0) this.memory.kernels.copy(buffer.dataAddress, at, length);
    return address;
  }

  indicateReceive(tcb: Tcb, address: number): void {
    const placed = this.delivery.deliver(this.table.slotOf(tcb), tcb.context, address);
    if (placed === 0) return;
    // Bytes in a posted receive are the application's: they no longer hold the window back.
    tcb.rcvPending = Math.max(0, tcb.rcvPending - placed);
    if (this.own.at(address).dataLength === 0) this.pool.free(address);
  }

  freeBuffer(address: number): void {
    this.pool.free(address);
  }

  sendComplete(tcb: Tcb, address: number): void {
    const buffer = this.own.at(address);
    buffer.status = NdisStatus.Success;
    if ((buffer.flags & NetBufferFlag.Disconnect) !== 0) {
      // Its completion waits for the ACK of the FIN behind it.
      this.pendingDisconnect[this.table.slotOf(tcb)] = address;
      return;
    }
    this.host.push(Completion.TcpSendComplete, tcb.context, address, NdisStatus.Success);
  }

  peerClosed(tcb: Tcb): void {
    this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateDisconnect, 0);
  }

  established(): void {
    // Only established connections are offloaded.
  }

  finAcknowledged(tcb: Tcb): void {
    const slot = this.table.slotOf(tcb);
    // A FIN that was sent before the offload was never posted here: its ACK is reported all the same (B15).
    const pending = this.pendingDisconnect[slot]!;
    this.completeDisconnect(tcb, pending === 0 ? NO_BUFFER : pending, NdisStatus.Success);
  }

  closed(tcb: Tcb, reason: CloseReason): void {
    const slot = this.table.slotOf(tcb);
    this.wheel.cancel(slot);
    this.table.remove(slot);
    dropOutOfOrder(tcb, this.buffers, this);
    switch (reason) {
      case CloseReason.Normal:
        // FIN-WAIT-2 ran out of patience; all other orderly ends the host has seen coming.
        if ((tcb.delegatedFlags & TcpDelegatedFlag.FinReceived) === 0) {
          this.retrieve(tcb, TcpUploadReason.TimeoutExpiration);
        }
        return;
      case CloseReason.TimedOut:
        this.retrieve(tcb, TcpUploadReason.TimeoutExpiration);
        return;
      case CloseReason.Reset:
      case CloseReason.Refused:
        this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateAbort, 0);
        this.abortRequests(tcb, slot, NdisStatus.RequestAborted);
        return;
      case CloseReason.Aborted:
        this.abortRequests(tcb, slot, NdisStatus.Success);
    }
  }

  timeWait(tcb: Tcb): void {
    // TIME-WAIT is not a target's business (digest §4.6): the host is asked to take the connection back.
    this.retrieve(tcb, TcpUploadReason.UploadRequested);
  }

  armTimer(tcb: Tcb, deadline: number): void {
    this.wheel.scheduleNoLaterThan(this.table.slotOf(tcb), deadline);
  }

  // --- helpers ---

  retrieve(tcb: Tcb, reason: TcpUploadReason): void {
    this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateRetrieve, reason);
  }

  /** Proof of the neighbor is old on both sides: the host decides what to do about it (digest §3.9). */
  #askReachability(slot: number): void {
    const { neighbor, reachability } = this.tree;
    const delta = reachability.nicDelta(slot, this.now) | 0;
    const { NeighborReachabilityQuery } = OffloadEventCode;
    this.host.push(Completion.IndicateOffloadEvent, neighbor.ndisOffloadHandle, NeighborReachabilityQuery, delta);
  }

  protected markLast(chain: number): void {
    const buffer = this.own.at(chain);
    while (buffer.next !== 0) buffer.at(buffer.next);
    buffer.flags |= NetBufferFlag.Disconnect;
  }

  protected completeDisconnect(tcb: Tcb, pending: number, status: number): void {
    this.pendingDisconnect[this.table.slotOf(tcb)] = 0;
    const address = pending === NO_BUFFER ? 0 : pending;
    this.host.push(Completion.TcpDisconnectComplete, tcb.context, address, status);
  }

  /** Every request of a connection that is over is answered: it will not be done. */
  abortRequests(tcb: Tcb, slot: number, disconnectStatus: number): void {
    this.failChain(tcb.context, takeSendQueue(tcb), NdisStatus.RequestAborted);
    this.delivery.flush(slot, tcb.context, NdisStatus.RequestAborted);
    const pending = this.pendingDisconnect[slot]!;
    if (pending !== 0) this.completeDisconnect(tcb, pending, disconnectStatus);
  }

  protected failChain(context: number, chain: number, status: number): void {
    let address = chain;
    while (address !== 0) {
      const buffer = this.own.at(address);
      const next = buffer.next;
      buffer.next = 0;
      buffer.status = status;
      this.host.push(Completion.TcpSendComplete, context, address, status);
      address = next;
    }
  }
}
