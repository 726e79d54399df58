/**
 * Offloaded TCP in a NIC: what comes from outside — segments, the host's calls, timers, the begin and end of an offload
 * (called by nic.ts, data-calls.ts and the state operations). What the engine asks for in return is in nic-tcp.ts.
 */
import { NdisStatus } from '../base/status.ts';
import type { TimerHandler } from '../base/timer-wheel.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import { Completion, DisconnectFlag } from '../offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../offload/events.ts';
import { dropOutOfOrder } from '../tcp/reassembly.ts';
import { endValidation } from '../tcp/blind-attack.ts';
import { isEstablished } from '../tcp/end-counters.ts';
import { resetFor, ResetReply } from '../tcp/reset.ts';
import { segmentArrives } from '../tcp/segment-arrives.ts';
import { enqueueSend } from '../tcp/send-queue.ts';
import { type Tcb, TcpPrivateFlag, TcpState } from '../tcp/tcb.ts';
import { timerFired } from '../tcp/timer-fired.ts';
import { transmit } from '../tcp/transmit.ts';
import { abort, close, consumed, credited, send, sendAndClose } from '../tcp/user-calls.ts';
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import { Corruption } from './corruption.ts';
import { KeptSegments } from './kept-segments.ts';
import { NicTcp, NO_BUFFER } from './nic-tcp.ts';
import { SendBacklog } from './send-backlog.ts';
import { type OffloadedTraffic, trafficOf } from './statistics.ts';
import { judgeUrgent, Urgent } from './urgent.ts';

export class TcpFirmware extends NicTcp implements TimerHandler {
  readonly #reply = new ResetReply();
  readonly #isLive = (slot: number): boolean => this.table.isLive(slot);
  readonly kept = new KeptSegments(this.memory, this.table.capacity);
  /** Where each slot's connection counts as established. */
  readonly #establishedIn = new Array<OffloadedTraffic | null>(this.table.capacity).fill(null);
  readonly #backlog = new SendBacklog(this.table.capacity);
  readonly corruption = new Corruption(this.table.capacity);

  // --- entry points, called by nic.ts and the state operations ---

  /**
   * A segment for an offloaded connection, checksum verified. False: it is not processed here, and goes the normal way
   * (or is kept, see `keep`).
   */
  segment(slot: number, header: TcpHeader, forwarded: boolean): boolean {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if ((tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0) return false;
    if ((header.flags & TcpFlag.Urg) !== 0) {
      const verdict = judgeUrgent(tcb, header);
      if (verdict === Urgent.Discard) return true;
      if (verdict === Urgent.Upload) {
        this.retrieve(tcb, TcpUploadReason.ReceivedUrgentData);
        return false;
      }
    }
    trafficOf(this.stats, tcb.localAddress).inSegments++;
    if (tcb.state === TcpState.Closed) {
      // RFC 9293 3.10.7.1: it has ended and waits for its upload; the host forwards what still comes.
      if (resetFor(header, this.#reply)) this.emitSegment(tcb, this.#reply.flags, this.#reply.segSeq, 0);
      return true;
    }
    const una = tcb.sndUna;
    if (segmentArrives(tcb, header, this.buffers, this.now, this, this.#reply)) {
      this.emitSegment(tcb, this.#reply.flags, this.#reply.segSeq, 0);
    }
    if (tcb.sndUna !== una) this.tree.progress(tcb.path, this.now);
    this.#recount(slot, tcb);
    this.advisor.noteSegment(slot, forwarded, tcb.oooCount);
    const backlog = this.#backlog.change(slot, tcb, this.now);
    if (backlog >= 0 && tcb.state !== TcpState.Closed) {
      this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateSendBacklogChange, backlog);
    }
    return true;
  }

  /** ¶57: keeps a segment off the wire for a connection that stands still. False: it goes up the normal path. */
  keep(slot: number, at: number, length: number, isCongested: boolean): boolean {
    if (this.target.forwardWhileUploading !== 'buffer') return false;
    const address = this.takePayload(at, length, false);
    // Without room it is lost, and comes again: what is behind it must not overtake it by the other way.
    if (address === 0) return true;
    this.own.at(address).flags = isCongested ? NetBufferFlag.CongestionExperienced : 0;
    this.kept.append(slot, address);
    return true;
  }

  /** The same for one that the host forwarded: its buffer stays here until the upload. */
  keepForwarded(slot: number, address: number): boolean {
    if (this.target.forwardWhileUploading !== 'buffer' || this.corruption.has(slot)) return false;
    this.kept.append(slot, address);
    return true;
  }

  send(slot: number, chain: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (send(tcb, chain, this.buffers, this.now, this) || this.#queuesBehind(tcb, chain)) return;
    this.failChain(tcb.context, chain, NdisStatus.RequestAborted);
  }

  /** It has ended here, and earlier sends wait to go back in the chain: what comes after goes with them, in order (D04). */
  #queuesBehind(tcb: Tcb, chain: number): boolean {
    if (tcb.state !== TcpState.Closed || chain === 0 || tcb.sendDataHead === 0) return false;
    enqueueSend(tcb, chain, this.buffers);
    return true;
  }

  disconnect(slot: number, chain: number, flags: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.#disconnect(tcb, slot, chain, flags);
    this.#recount(slot, tcb);
  }

  #disconnect(tcb: Tcb, slot: number, chain: number, flags: number): void {
    const pending = chain === 0 ? NO_BUFFER : chain;
    if (flags === DisconnectFlag.Abortive) {
      this.#abort(tcb, slot, pending);
      return;
    }
    this.pendingDisconnect[slot] = NO_BUFFER;
    let ok: boolean;
    if (chain !== 0) {
      this.markLast(chain);
      ok = sendAndClose(tcb, chain, this.buffers, this.now, this);
    } else {
      ok = close(tcb, this.now, this);
    }
    if (!ok && !this.#queuesBehind(tcb, chain)) this.completeDisconnect(tcb, pending, NdisStatus.RequestAborted);
  }

  #abort(tcb: Tcb, slot: number, pending: number): void {
    // A graceful disconnect that waits for the ACK of its FIN is answered as well: it will not be done, or not here (D22).
    const earlier = this.pendingDisconnect[slot]!;
    const isOver = tcb.state === TcpState.Closed;
    const { UploadInProgress, RequestAborted, Success } = NdisStatus;
    if (!isOver && (tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0) {
      // The host does it again where the state will be.
      if (earlier !== 0) this.completeDisconnect(tcb, earlier, UploadInProgress);
      this.completeDisconnect(tcb, pending, UploadInProgress);
      return;
    }
    if (earlier !== 0) this.completeDisconnect(tcb, earlier, RequestAborted);
    if (isOver) {
      // Nothing will happen any more: success, but for sends that only the terminate gives back.
      this.completeDisconnect(tcb, pending, tcb.sendDataHead === 0 ? Success : RequestAborted);
      return;
    }
    this.pendingDisconnect[slot] = pending;
    abort(tcb, this);
  }

  /** Receives are posted, or (0) a refusal is over: what was held goes on its way. One that stands still takes none. */
  post(slot: number, chain: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (chain !== 0) this.advisor.noteReceivePosted(slot, this.own.at(chain).dataLength);
    this.delivery.post(slot, chain);
    const due = (tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0 && !this.corruption.has(slot);
    if (due) this.delivery.flush(slot, NdisStatus.UploadInProgress);
    consumed(tcb, 0, this.now, this);
  }

  /** False when the buffer is none of ours. */
  indicationRefused(slot: number, address: number): boolean {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (!this.pool.isLent(address) || !this.delivery.refused(slot, address)) return false;
    consumed(tcb, 0, this.now, this);
    return true;
  }

  /** Bytes that the application has consumed: the receive window's credit. */
  receiveReturn(slot: number, count: number): void {
    credited(this.tcb.at(this.table.addressOf(slot)), count, this.now, this);
  }

  /** The host's handle of a connection. */
  contextOf(slot: number): number {
    return this.tcb.at(this.table.addressOf(slot)).context;
  }

  /** A neighbor's state has come, which the tree's cursor is on: proof of its reachability counts from it (digest §3.9). */
  neighborLoaded(slot: number): void {
    const { hostReachabilityDelta, nicReachabilityDelta } = this.tree.neighborState;
    this.tree.reachability.load(slot, hostReachabilityDelta, nicReachabilityDelta, this.now);
  }

  /** A connection was loaded. */
  begin(slot: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.advisor.begin(slot);
    this.#backlog.begin(slot, tcb, this.now);
    this.#recount(slot, tcb);
  }

  /** A loaded or relinked connection may have something to send. */
  kick(slot: number): void {
    transmit(this.tcb.at(this.table.addressOf(slot)), this.now, this);
  }

  timerFired(slot: number, now: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    timerFired(tcb, now, this);
    this.#recount(slot, tcb);
  }

  /** The slot is about to be free: its connection counts elsewhere now, and its buffers are everybody's. */
  leave(slot: number): void {
    this.#setEstablished(slot, null);
    this.pool.release(slot);
  }

  /** The engine has run, or the connection has come: what CurrentlyEstablished and ResetEstablished make of it. */
  #recount(slot: number, tcb: Tcb): void {
    const traffic = trafficOf(this.stats, tcb.localAddress);
    if (!this.#setEstablished(slot, isEstablished(tcb.state) ? traffic : null)) return;
    if (tcb.state === TcpState.Closed) traffic.resetEstablished++;
  }

  #setEstablished(slot: number, now: OffloadedTraffic | null): boolean {
    const before = this.#establishedIn[slot]!;
    if (now === before) return false;
    this.#establishedIn[slot] = now;
    if (before !== null) before.established--;
    if (now !== null) now.established++;
    return true;
  }

  setTime(now: number): void {
    this.now = now;
    this.delivery.now = now;
    this.advisor.now = now;
  }

  /** Now and then: connections on which nothing moves. */
  lookForIdle(): void {
    if (this.advisor.isOn) this.advisor.sweep(this.#isLive);
  }

  expireTimers(now: number): number {
    return this.wheel.expire(now, this) + this.delivery.expire(now);
  }

  ticksUntilTimer(now: number): number {
    const ticks = this.wheel.ticksUntilNext(now);
    const push = this.delivery.ticksUntilNext(now);
    return ticks < 0 || (push >= 0 && push < ticks) ? push : ticks;
  }

  /** Lets connections that found no room try again. */
  retryBlocked(): number {
    let tried = 0;
    for (let left = this.blockedCount; left > 0 && this.mac.hasRoom(); left--) {
      const slot = this.blocked[this.blockedHead]!;
      this.blockedHead = (this.blockedHead + 1) % this.blocked.length;
      this.blockedCount--;
      this.isBlocked[slot] = 0;
      if (!this.table.isLive(slot)) continue;
      const tcb = this.tcb.at(this.table.addressOf(slot));
      if ((tcb.privateFlags & TcpPrivateFlag.TransmitPending) === 0) continue;
      tcb.privateFlags &= ~TcpPrivateFlag.TransmitPending;
      transmit(tcb, this.now, this);
      tried++;
    }
    return tried;
  }

  // --- the end of an offload ---

  /**
   * The control plane asks for a connection back (D30): for a reason of the device's own, not while the connection is half
   * closed (D29). What cannot be put off is asked for all the same: time-outs, invalid objects, failed hardware, TIME-WAIT.
   */
  requestUpload(slot: number, reason: TcpUploadReason): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (reason === TcpUploadReason.HardwareFailure) {
      this.corrupt(slot);
      this.#tell(slot);
    } else {
      this.ask(tcb, reason);
    }
  }

  /** The state of a connection is damaged: nothing of it is used any more. The host hears when it asks (`isCorrupt`). */
  corrupt(slot: number): void {
    if (!this.corruption.damage(slot)) return;
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.stop(tcb);
    this.table.remove(slot);
  }

  /** Asked by every state operation, which answers FAILURE then; `tellCorrupt` says the rest behind its completion. */
  isCorrupt(slot: number): boolean {
    return this.corruption.found(slot);
  }

  /** Digest §3.2: behind the completion with FAILURE, Retrieve(HardwareFailure), then Abort (C15). */
  tellCorrupt(): void {
    for (let slot = this.corruption.next(); slot >= 0; slot = this.corruption.next()) {
      if (this.table.isLive(slot)) this.#tell(slot);
    }
  }

  #tell(slot: number): void {
    if (!this.corruption.tell(slot)) return;
    const { context, state } = this.tcb.at(this.table.addressOf(slot));
    const event = Completion.TcpIndicateEvent;
    this.host.push(event, context, TcpOffloadEvent.IndicateRetrieve, TcpUploadReason.HardwareFailure);
    if (state !== TcpState.Closed) this.host.push(event, context, TcpOffloadEvent.IndicateAbort, 0);
  }

  /**
   * Terminate of a damaged connection: what is outstanding is aborted, in order, and nothing is given back that would look
   * like state (D23, D26). Where the terminate itself is what found the damage, the events come first.
   */
  discard(slot: number): void {
    this.#tell(slot);
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.abortRequests(tcb, slot, NdisStatus.RequestAborted);
    dropOutOfOrder(tcb, this.buffers, this);
    for (let address = this.kept.take(slot); address !== 0;) {
      const { next } = this.own.at(address);
      if (this.pool.isLent(address)) this.pool.free(address);
      else this.host.push(Completion.TcpForwardComplete, tcb.context, address, NdisStatus.RequestAborted);
      address = next;
    }
    this.corruption.repair(slot);
  }

  /** Before the delegated state is written out: what is owed is sent (D08), what stood still has lost no time. */
  quiesce(slot: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    // A keep-alive that only asks whether the peer is there does not travel: the host has its own rules.
    endValidation(tcb);
    if ((tcb.privateFlags & TcpPrivateFlag.UploadDue) === 0) {
      this.flushAck(tcb);
    } else {
      const stood = (this.now - this.stoppedAt[slot]!) | 0;
      tcb.rtxAt = (tcb.rtxAt + stood) | 0;
      tcb.kaAt = (tcb.kaAt + stood) | 0;
    }
  }

  /** At terminate: outstanding requests are answered (D: step 4), timers leave the wheel, lookup forgets the slot. */
  detach(slot: number, status: number): void {
    this.wheel.cancel(slot);
    this.table.remove(slot);
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.delivery.flush(slot, status);
    const pending = this.pendingDisconnect[slot]!;
    if (pending !== 0) this.completeDisconnect(tcb, pending, status);
  }
}
