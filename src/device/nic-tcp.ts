/**
 * The TCP engine's owner in a NIC: connection table, timers, buffers, and what the engine asks for (Effects).
 *
 * What the engine reports becomes descriptors to the host, in the order in which it happened: indications, events,
 * completions. Nothing is decided here that the host owns: a connection that ends stays in its slot until the host
 * terminates the offload (digest §3.6). What comes from outside is in tcp-firmware.ts.
 */
import { Prng } from '../base/prng.ts';
import { NdisStatus } from '../base/status.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { DescriptorQueue } from '../ring/descriptor-queue.ts';
import { Completion } from '../offload/descriptors.ts';
import { isMandatory, OffloadEventCode, TcpOffloadEvent, TcpUploadReason } from '../offload/events.ts';
import { HeaderFormat } from '../offload/state-objects.ts';
import type { TargetOptions } from '../offload/target-options.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { seqLt } from '../base/seq.ts';
import { ChallengeBudget } from '../tcp/challenge-budget.ts';
import { acknowledgesRead } from '../tcp/delayed-ack.ts';
import { trafficClassOf } from '../tcp/ecn.ts';
import { CloseReason, type Effects } from '../tcp/effects.ts';
import type { TcpParams } from '../tcp/params.ts';
import { dropOutOfOrder } from '../tcp/reassembly.ts';
import { SegmentWriter } from '../tcp/segment-writer.ts';
import { SentRanges } from '../tcp/sent-ranges.ts';
import { type NetBufferCursor, takeSendQueue } from '../tcp/send-queue.ts';
import { TcbTable } from '../tcp/tcb-table.ts';
import { type Tcb, TcpCachedFlag, TcpDelegatedFlag, TcpPrivateFlag, TcpState, TcpTimerBit } from '../tcp/tcb.ts';
import { sendAck } from '../tcp/transmit.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { ETHERNET, EtherType, emitEthernet } from '../wire/ethernet.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { emitIpv6 } from '../wire/ipv6.ts';
import { emitIpv4, IPV4, IPV4_LEAST_PATH_MTU, IpProtocol, Ipv4Fragment } from '../wire/ipv4.ts';
import { emitSnap, SNAP } from '../wire/llc-snap.ts';
import { emitTag, VLAN } from '../wire/vlan.ts';
import type { InvertedTree } from './inverted-tree.ts';
import type { Mac } from './mac.ts';
import { NicDelivery } from './nic-delivery.ts';
import { ReceivePool } from './receive-pool.ts';
import { type NicStatistics, trafficOf } from './statistics.ts';
import { mayAsk, UploadAdvisor } from './upload-advice.ts';

/** `pendingDisconnect` when the disconnect carried no buffer. */
export const NO_BUFFER = -1;

/** In-order segments in a row for which a connection has no buffer of its own left, before it is given up. */
const STARVED_MAX = 8;

export class NicTcp implements Effects {
  readonly params: TcpParams;
  readonly challenges: ChallengeBudget;
  readonly table: TcbTable;
  readonly sent: SentRanges;
  readonly tcb: Tcb;
  readonly pool: ReceivePool;
  readonly delivery: NicDelivery;
  readonly buffers: NetBufferCursor;
  readonly advisor: UploadAdvisor;
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
  /** Per slot: the tick at which a connection that is due for upload was stopped. */
  protected readonly stoppedAt: Int32Array;
  protected readonly target: TargetOptions;
  /** Slots whose segments found no room, a ring of the table's size. */
  protected readonly blocked: Int32Array;
  /** Of the one that advice is about: whoever noted something keeps its own cursor. */
  readonly #asked: Tcb;
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
    this.target = config.target;
    this.params = { ...config.tcp, blindAttack: config.target.blindAttack };
    const prng = new Prng(config.seed);
    this.challenges = new ChallengeBudget(this.params.challengeAcksPerSecond, prng.fork('challenges'));
    this.table = new TcbTable(memory, regions.tcbs, config.tcpEntries);
    this.sent = new SentRanges(config.tcpEntries);
    this.tcb = this.table.cursor();
    this.pool = new ReceivePool(memory, boot);
    this.buffers = NetBuffer.view(memory);
    this.own = NetBuffer.view(memory);
    const { pushTicks } = config.target;
    this.delivery = new NicDelivery(memory, config.tcpEntries, host, this.pool, this.tcb, pushTicks);
    this.advisor = new UploadAdvisor(config.target.advice, config.tcpEntries, (slot, reason) =>
      this.ask(this.#asked.at(this.table.addressOf(slot)), reason),
    );
    this.delivery.advisor = this.advisor;
    this.#asked = this.table.cursor();
    this.writer = new SegmentWriter(memory, tree.addresses);
    this.wheel = new TimerWheel(config.tcpEntries, 0);
    this.pendingDisconnect = new Int32Array(config.tcpEntries);
    this.stoppedAt = new Int32Array(config.tcpEntries);
    this.blocked = new Int32Array(config.tcpEntries);
    this.isBlocked = new Uint8Array(config.tcpEntries);
  }

  // --- Effects ---

  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean {
    const tree = this.tree;
    // An invalidated object transmits nothing (digest §3.5, strict): the host terminates what depends on it.
    if (!tree.climb(tcb.path) && this.target.invalidate === 'strict') {
      trafficOf(this.stats, tcb.localAddress).outDiscards++;
      return true;
    }
    if (tree.reachability.mustAsk(tree.path.neighbor, this.now)) this.#askReachability(tree.path.neighbor);
    const at = this.mac.reserve();
    if (at < 0) return false;
    const { view } = this.memory;
    const { neighborState } = tree;
    const srcHi = neighborState.dlSourceHi;
    const srcLo = neighborState.dlSourceLo;
    const own = (srcHi | srcLo) === 0;
    const etherType = isIpv6(tcb.localAddress) ? EtherType.Ipv6 : EtherType.Ipv4;
    emitEthernet(
      view,
      at,
      neighborState.dlDestinationHi,
      neighborState.dlDestinationLo,
      own ? this.mac.macHi : srcHi,
      own ? this.mac.macLo : srcLo,
      etherType,
    );
    let ipAt = at + ETHERNET.headerLength;
    const vid = neighborState.vlanId;
    if (vid !== 0 || tcb.userPriority !== 0) {
      emitTag(view, at + ETHERNET.etherType, EtherType.CustomerVlan, (tcb.userPriority << 13) | vid);
      view.setUint16(ipAt + 2, etherType);
      ipAt += VLAN.tagLength;
    }
    const typeAt = ipAt - 2;
    const isSnap = neighborState.headerFormat === HeaderFormat.Snap;
    if (isSnap) ipAt += SNAP.headerLength;
    const segmentLength = this.writer.headerLength(tcb, flags) + length;
    const headerLength = this.#writeIp(tcb, ipAt, segmentLength, trafficClassOf(tcb, seq, length));
    const total = headerLength + segmentLength;
    if (isSnap) emitSnap(view, typeAt, etherType, total);
    this.writer.write(tcb, ipAt + headerLength, flags, seq, length, this.now);
    this.mac.transmit(at, ipAt - at + total);
    // Text or FIN below what was sent before.
    const again = (length > 0 || (flags & TcpFlag.Fin) !== 0) && seqLt(seq, tcb.sndMax);
    this.advisor.noteSent(this.table.slotOf(tcb), again);
    this.#countSent(tcb, flags, again, total);
    return true;
  }

  /** The header in front of `length` bytes of segment, for the path that the tree's cursors are on; returns its length. */
  #writeIp(tcb: Tcb, at: number, length: number, tos: number): number {
    const { tree } = this;
    const { view, i32 } = this.memory;
    const { ttl, flowLabel, localAddress, remoteAddress } = tcb;
    if (isIpv6(localAddress)) {
      const { sourceIndex, destinationIndex } = tree;
      const { Tcp } = IpProtocol;
      return emitIpv6(view, at, tos, flowLabel, length, Tcp, ttl, i32, sourceIndex, i32, destinationIndex);
    }
    const total = IPV4.headerLength + length;
    const id = tree.nextIpId();
    const isKeptWhole = tree.pathState.pathMtu > IPV4_LEAST_PATH_MTU;
    const df = isKeptWhole && (tcb.cachedFlags & TcpCachedFlag.MayFragment) === 0 ? Ipv4Fragment.Df : 0;
    return emitIpv4(view, at, tos, total, id, df, ttl, IpProtocol.Tcp, localAddress, remoteAddress);
  }

  #countSent(tcb: Tcb, flags: number, again: boolean, length: number): void {
    const traffic = trafficOf(this.stats, tcb.localAddress);
    traffic.outDatagrams++;
    traffic.outOctets += length;
    if (again) traffic.retransmittedSegments++;
    else traffic.outSegments++;
    if ((flags & TcpFlag.Rst) !== 0) traffic.outResets++;
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
    const { pool, tcb } = this;
    const slot = this.table.slotOf(tcb);
    // Text that nobody reads leaves some room for that of others, as out-of-order text does.
    const isWanted = inOrder && (pool.quota > 0 || !this.delivery.holds(slot));
    const address = pool.allocateFor(slot, isWanted);
    if (address === 0) {
      this.stats.dropNoBuffer++;
      trafficOf(this.stats, tcb.localAddress).inDiscards++;
      // D30: its buffers are out and do not come back; the host has more.
      if (pool.starved(slot) >= STARVED_MAX) this.ask(tcb, TcpUploadReason.UploadRequested);
      return 0;
    }
    const buffer = this.own.at(address);
    buffer.dataAddress = pool.dataOf(address);
    buffer.dataLength = length;
    if (length > 0) this.memory.kernels.copy(buffer.dataAddress, at, length);
    return address;
  }

  indicateReceive(tcb: Tcb, address: number): void {
    const slot = this.table.slotOf(tcb);
    this.delivery.arrived(slot, address);
    // What is indicated is taken to be read (nic-delivery.ts).
    if (this.delivery.heldBytes(slot) === 0 && acknowledgesRead(tcb, this)) tcb.privateFlags |= TcpPrivateFlag.AckNow;
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
    this.delivery.ended(this.table.slotOf(tcb));
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
      case CloseReason.Replaced:
        this.retrieve(tcb, TcpUploadReason.UploadRequested);
        return;
      case CloseReason.Reset:
      case CloseReason.Refused:
      case CloseReason.Unreachable:
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
    if ((tcb.privateFlags & TcpPrivateFlag.Frozen) !== 0) return;
    this.wheel.scheduleNoLaterThan(this.table.slotOf(tcb), deadline);
  }

  // --- helpers ---

  /**
   * Asks the host to take the connection back (R23, digest §3.8). A mandatory reason is told once, and the device does
   * nothing for the connection from then on; with an optional one everything goes on (D03).
   */
  retrieve(tcb: Tcb, reason: TcpUploadReason): void {
    if ((tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0) return;
    const lenient = reason === TcpUploadReason.InvalidState && this.target.invalidate === 'lenient';
    const stops = isMandatory(reason) && !lenient;
    // What was received in order is owed its ACK still; nothing leaves through an object that is invalid.
    if (stops && reason !== TcpUploadReason.InvalidState) this.flushAck(tcb);
    this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateRetrieve, reason);
    if (!stops) return;
    this.stop(tcb);
    this.delivery.flush(this.table.slotOf(tcb), NdisStatus.UploadInProgress);
  }

  /** The same for a reason of the device's own choice, which is no reason while the connection is half closed (D29). */
  ask(tcb: Tcb, reason: TcpUploadReason): void {
    if (tcb.state !== TcpState.Closed && mayAsk(tcb.state)) this.retrieve(tcb, reason);
  }

  /**
   * The connection stands still: it transmits nothing, its timers keep what is left of them, its segments go up the normal
   * path — unless the device keeps those (¶57). Sends stay in the queue and go back in the chain (D04, D06).
   */
  protected stop(tcb: Tcb): void {
    const slot = this.table.slotOf(tcb);
    tcb.privateFlags |= TcpPrivateFlag.UploadDue | TcpPrivateFlag.Frozen;
    this.stoppedAt[slot] = this.now;
    this.wheel.cancel(slot);
    if (this.target.forwardWhileUploading === 'refuse') this.table.remove(slot);
  }

  /** An ACK that is owed leaves before the connection changes hands, if the wire takes it; else it travels (D08, F18). */
  protected flushAck(tcb: Tcb): void {
    const owed = (tcb.privateFlags & TcpPrivateFlag.AckNow) !== 0 || (tcb.timers & TcpTimerBit.DelayedAck) !== 0;
    if (!owed || tcb.state === TcpState.Closed || (tcb.privateFlags & TcpPrivateFlag.Frozen) !== 0) return;
    if (this.mac.linkUp && this.tree.climb(tcb.path)) sendAck(tcb, this);
  }

  /** A neighbor's own source address, which frames to it carry and frames from it come to; false: no entry is left. */
  takeSource(hi: number, lo: number): boolean {
    return (hi | lo) === 0 || this.mac.sources.take(hi, lo);
  }

  releaseSource(hi: number, lo: number): void {
    if ((hi | lo) !== 0) this.mac.sources.release(hi, lo);
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
  protected abortRequests(tcb: Tcb, slot: number, disconnectStatus: number): void {
    this.failChain(tcb.context, takeSendQueue(tcb), NdisStatus.RequestAborted);
    this.delivery.flush(slot, NdisStatus.RequestAborted);
    this.delivery.cut(slot);
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
