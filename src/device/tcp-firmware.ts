/**
 * Offloaded TCP in a NIC: what comes from outside — segments, the host's calls, timers, the begin and end of an offload
 * (called by nic.ts, data-calls.ts and the state operations). What the engine asks for in return is in nic-tcp.ts.
 */
import { NdisStatus } from '../base/status.ts';
import type { TimerHandler } from '../base/timer-wheel.ts';
import { Completion, DisconnectFlag } from '../offload/descriptors.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../offload/events.ts';
import { resetFor, ResetReply } from '../tcp/reset.ts';
import { segmentArrives } from '../tcp/segment-arrives.ts';
import { TcpPrivateFlag, TcpState } from '../tcp/tcb.ts';
import { timerFired } from '../tcp/timer-fired.ts';
import { transmit } from '../tcp/transmit.ts';
import { abort, close, consumed, send, sendAndClose } from '../tcp/user-calls.ts';
import type { TcpHeader } from '../wire/tcp.ts';
import { NicTcp, NO_BUFFER } from './nic-tcp.ts';

export class TcpFirmware extends NicTcp implements TimerHandler {
  readonly #reply = new ResetReply();

  // --- entry points, called by nic.ts and the state operations ---

  /** A segment for an offloaded connection, checksum verified. */
  segment(slot: number, header: TcpHeader): void {
    this.stats.inSegments++;
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (tcb.state === TcpState.Closed) {
      // RFC 9293 3.10.7.1: it has ended and waits for its upload; the host forwards what still comes.
      if (resetFor(header, this.#reply)) this.emitSegment(tcb, this.#reply.flags, this.#reply.segSeq, 0);
      return;
    }
    const una = tcb.sndUna;
    segmentArrives(tcb, header, this.buffers, this.now, this, this.#reply);
    if (tcb.sndUna !== una) this.tree.progress(tcb.path, this.now);
  }

  send(slot: number, chain: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (!send(tcb, chain, this.buffers, this.now, this)) this.failChain(tcb.context, chain, NdisStatus.RequestAborted);
  }

  disconnect(slot: number, chain: number, flags: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    if (flags === DisconnectFlag.Abortive) {
      if (tcb.state === TcpState.Closed) {
        // It ended here before: nothing will happen any more, and the host waits for an answer.
        this.completeDisconnect(tcb, chain === 0 ? NO_BUFFER : chain, NdisStatus.Success);
        return;
      }
      this.pendingDisconnect[slot] = chain === 0 ? NO_BUFFER : chain;
      abort(tcb, this);
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
    if (!ok) this.completeDisconnect(tcb, chain === 0 ? NO_BUFFER : chain, NdisStatus.RequestAborted);
  }

  /** Bytes that the application has consumed: the receive window's credit. */
  receiveReturn(slot: number, count: number): void {
    consumed(this.tcb.at(this.table.addressOf(slot)), count, this.now, this);
  }

  /** The host's handle of a connection. */
  contextOf(slot: number): number {
    return this.tcb.at(this.table.addressOf(slot)).context;
  }

  /** A loaded or relinked connection may have something to send. */
  kick(slot: number): void {
    transmit(this.tcb.at(this.table.addressOf(slot)), this.now, this);
  }

  timerFired(slot: number, now: number): void {
    timerFired(this.tcb.at(this.table.addressOf(slot)), now, this);
  }

  expireTimers(now: number): number {
    return this.wheel.expire(now, this);
  }

  ticksUntilTimer(now: number): number {
    return this.wheel.ticksUntilNext(now);
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

  /** Its entry is damaged: nothing more is processed of it, the host is asked for it and told that it is over (C15). */
  failed(slot: number): void {
    const tcb = this.tcb.at(this.table.addressOf(slot));
    tcb.privateFlags |= TcpPrivateFlag.Frozen;
    this.wheel.cancel(slot);
    this.table.remove(slot);
    this.retrieve(tcb, TcpUploadReason.HardwareFailure);
    this.host.push(Completion.TcpIndicateEvent, tcb.context, TcpOffloadEvent.IndicateAbort, 0);
  }

  /** At terminate: outstanding requests are answered (D: step 4), timers leave the wheel, lookup forgets the slot. */
  detach(slot: number, status: number): void {
    this.wheel.cancel(slot);
    this.table.remove(slot);
    const tcb = this.tcb.at(this.table.addressOf(slot));
    this.delivery.flush(slot, tcb.context, status);
    const pending = this.pendingDisconnect[slot]!;
    if (pending !== 0) this.completeDisconnect(tcb, pending, status);
  }
}
