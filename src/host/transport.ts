/**
 * The Transport layer: TCP on the host (RFC 9293), the engine's owner on this side.
 *
 * Segments come from Network, calls from the TLI switch; events go up through the upcall queue. A connection whose
 * delegated state is not the host's at the moment is not processed here: its segments are held or forwarded
 * (transport-offload.ts).
 */
import { assert } from '../base/assert.ts';
import { NetBufferFlag } from '../memory/net-buffer.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { headersOf } from '../tcp/address-family.ts';
import { TcpFastOpen } from '../tcp/fast-open.ts';
import { activeOpen } from '../tcp/open.ts';
import { isMarked } from '../tcp/ecn.ts';
import { pathChanged } from '../tcp/path-change.ts';
import { adoptOutOfOrder, dropOutOfOrder } from '../tcp/reassembly.ts';
import { resetFor } from '../tcp/reset.ts';
import { segmentArrives } from '../tcp/segment-arrives.ts';
import { takeSendQueue } from '../tcp/send-queue.ts';
import { type Tcb, TcpDelegatedFlag, TcpState } from '../tcp/tcb.ts';
import { transmit } from '../tcp/transmit.ts';
import { mayReuseTimeWait, reopensTimeWait, replaceTimeWait } from '../tcp/time-wait.ts';
import { abort, close, consumed, send, sendAndClose } from '../tcp/user-calls.ts';
import { mayBeUrgent } from '../tcp/urgent.ts';
import { isAcceptable } from '../tcp/window.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { parseTcp, segLenOf, TcpFlag, type TcpHeader, TcpParse } from '../wire/tcp.ts';
import type { Interface } from './interface.ts';
import { confirm } from './neighbor.ts';
import type { TransportInput } from './network.ts';
import { type OpenOptions, presetTcb } from './open-options.ts';
import type { Path } from './path.ts';
import { HostSocketOptions } from './socket-options.ts';
import type { TcpErrors } from './tcp-errors.ts';
import { Upcall } from './upcalls.ts';

export interface SegmentDiversion {
  /** The delegated state is not here: takes the segment's buffer, which now describes the segment alone. */
  divert(slot: number, buffer: number): void;
}

export class Transport extends HostSocketOptions implements TransportInput {
  diversion: SegmentDiversion | null = null;
  errors: TcpErrors | null = null;
  checksumErrors = 0;

  // --- user calls, from the switch, for connections whose state is here ---

  /** The local address of connections to this one, 0 without a route; `iface`: through that interface. */
  sourceFor(remoteAddress: number, iface: Interface | null = null): number {
    const path = this.network.acquire(remoteAddress, iface);
    if (path === null) return 0;
    this.network.release(path);
    return path.source;
  }

  /**
   * Active OPEN: the slot, or -1 when there is no slot, no route or the address pair is taken. From `source`, through `iface`,
   * if they are given: of IPv6 an interface has several addresses, and the same ones may be on several links.
   */
  connect(
    remoteAddress: number,
    remotePort: number,
    localPort: number,
    source = 0,
    iface: Interface | null = null,
    options: OpenOptions = {},
  ): number {
    const path = this.network.acquire(remoteAddress, iface, source);
    if (path === null) return -1;
    const holder = this.table.lookup(remoteAddress, remotePort, path.source, localPort, path.iface.index);
    const isFree = holder < 0 || (this.params.timeWaitReuse && mayReuseTimeWait(this.at(holder), this.now));
    const slot = isFree ? this.place(path, remoteAddress, remotePort, localPort) : -1;
    if (slot < 0) {
      this.network.release(path);
      return -1;
    }
    const after = holder < 0 ? null : replaceTimeWait(this.at(holder), this);
    this.table.insert(slot);
    this.counters.activeOpens++;
    const tcb = this.at(slot);
    const { numbers, now } = this;
    presetTcb(tcb, options);
    const text = options.fastOpen === true ? this.#fastOpen(tcb, path) : 0;
    activeOpen(tcb, after ?? numbers.iss(tcb, now), numbers.tsOffset(tcb), now, this, text);
    return slot;
  }

  /** RFC 7413 4.2.1: the SYN carries the option; the bytes of text for which it waits. */
  #fastOpen(tcb: Tcb, path: Path): number {
    if ((this.params.fastOpen & TcpFastOpen.Client) === 0) return 0;
    tcb.delegatedFlags |= TcpDelegatedFlag.FastOpen;
    const mss = Math.min(path.mtu - headersOf(tcb), tcb.advertisedMss || 0xffff);
    return this.fastOpenCache.textMax(tcb, mss, this.now);
  }

  send(slot: number, chain: number): boolean {
    return send(this.at(slot), chain, this.buffers, this.now, this);
  }

  sendAndClose(slot: number, chain: number): boolean {
    return sendAndClose(this.at(slot), chain, this.buffers, this.now, this);
  }

  close(slot: number): boolean {
    return close(this.at(slot), this.now, this);
  }

  abort(slot: number): void {
    const tcb = this.at(slot);
    const before = tcb.state;
    abort(tcb, this);
    this.counters.ran(before, tcb.state);
  }

  consumed(slot: number, count: number): void {
    consumed(this.at(slot), count, this.now, this);
  }

  transmit(slot: number): void {
    transmit(this.at(slot), this.now, this);
  }

  /** The interface's traffic takes another way now: connections whose state is here send again what may be lost. */
  pathChanged(iface: Interface): void {
    for (let slot = 0; slot < this.table.capacity; slot++) {
      if (!this.table.isLive(slot)) continue;
      const tcb = this.at(slot);
      if (tcb.vid === iface.index && tcb.offloadState === OffloadState.InHost) pathChanged(tcb, this.now, this);
    }
  }

  connectionPathChanged(slot: number): void {
    pathChanged(this.at(slot), this.now, this);
  }

  /** The slot's connection is over and the switch has let go of it. */
  free(slot: number): void {
    this.cancelTimer(slot);
    this.listeners.forget(slot);
    this.table.remove(slot);
    const tcb = this.at(slot);
    this.dropOutOfOrder(tcb);
    this.network.release(this.pathOf(tcb));
    this.table.free(slot);
  }

  /** What has come back with a connection: the device's buffers, which are returned like those of frames. */
  adoptOutOfOrder(tcb: Tcb, chain: number): void {
    adoptOutOfOrder(tcb, chain, this.buffers);
    this.outOfOrder += tcb.oooCount;
  }

  /** At the end of a connection, and when a device has taken it with a copy. */
  dropOutOfOrder(tcb: Tcb): void {
    this.outOfOrder -= tcb.oooCount;
    dropOutOfOrder(tcb, this.buffers, this);
  }

  /** What is left in the send queue of an ended connection. */
  takeSendQueue(slot: number): number {
    return takeSendQueue(this.at(slot));
  }

  #sendReset(tcb: Tcb): void {
    this.emitReset(this.pathOf(tcb), tcb.localPort, tcb.remotePort);
  }

  // --- input ---

  receive(iface: Interface, ip: IpDatagram, buffer: number): boolean {
    const length = ip.payloadEnd - ip.payloadAt;
    const pseudo = this.network.addresses.pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Tcp, length);
    const { segment } = this;
    if (this.memory.kernels.checksum(ip.payloadAt, length, pseudo) !== 0xffff) {
      this.checksumErrors++;
      return false;
    }
    if (parseTcp(this.memory.view, ip.payloadAt, ip.payloadEnd, segment) !== TcpParse.Ok) {
      this.checksumErrors++;
      return false;
    }
    segment.congestionExperienced = isMarked(ip.tos);
    const slot = this.table.lookup(ip.source, segment.srcPort, ip.destination, segment.dstPort, iface.index);
    if (slot < 0) return this.#withoutConnection(iface, ip, null, buffer);
    if (reopensTimeWait(this.at(slot), segment) && this.listeners.at(ip.destination, segment.dstPort) !== null) {
      return this.#withoutConnection(iface, ip, replaceTimeWait(this.at(slot), this), buffer);
    }
    if (this.at(slot).offloadState !== OffloadState.InHost) {
      const descriptor = this.own.at(buffer);
      descriptor.dataAddress = ip.payloadAt;
      descriptor.dataLength = length;
      descriptor.next = 0;
      descriptor.flags = segment.congestionExperienced ? NetBufferFlag.CongestionExperienced : 0;
      this.diversion!.divert(slot, buffer);
      return true;
    }
    return this.process(slot, segment, buffer);
  }

  /** True: the buffer was kept, for the text of a SYN (RFC 7413), or behind the ACK of a cookie. */
  #withoutConnection(iface: Interface, ip: IpDatagram, iss: number | null, buffer: number): boolean {
    this.current = buffer;
    this.isKept = false;
    const begun = this.noConnection(iface, ip, iss);
    if (begun >= 0) return this.process(begun, this.segment, buffer);
    this.segmentsIn++;
    this.current = 0;
    return this.isKept;
  }

  /** Runs the engine on a segment of a connection whose state is here. True: the buffer was kept. */
  process(slot: number, segment: TcpHeader, buffer: number): boolean {
    this.current = buffer;
    this.isKept = false;
    // Here, not on arrival: what is forwarded to a device is counted there (E28).
    this.segmentsIn++;
    const tcb = this.at(slot);
    if (this.isOverflow(tcb, segment)) return false;
    const { oooCount: queued, state, sndUna: una } = tcb;
    const fastText = this.textOnSyn(tcb);
    if ((segment.flags & TcpFlag.Urg) !== 0) this.#noteUrgent(slot, tcb, segment);
    if (segmentArrives(tcb, segment, this.buffers, this.now, this, this.reply)) this.#sendReset(tcb);
    this.outOfOrder += tcb.oooCount - queued;
    // What we sent has arrived: the neighbor forwards (RFC 4861 7.3.1).
    if (tcb.sndUna !== una) confirm(this.pathOf(tcb).neighbor, this.now);
    this.counters.ran(state, tcb.state);
    if (fastText >= 0 && tcb.state >= TcpState.Established) {
      this.fastOpenCache.learn(tcb, segment, this.memory.u8, fastText);
    }
    this.current = 0;
    return this.isKept;
  }

  /** SEG.UP points behind the urgent data, as everybody has it (RFC 6093 3.1). */
  #noteUrgent(slot: number, tcb: Tcb, segment: TcpHeader): void {
    const ahead = (segment.segSeq + segment.urgentPointer - tcb.rcvNxt) | 0;
    if (ahead <= 0 || !mayBeUrgent(tcb, segment)) return;
    if (isAcceptable(tcb, segment.segSeq, segLenOf(segment))) this.upcalls.push(Upcall.Urgent, slot, ahead);
  }

  /** A segment that was held while the state was elsewhere; the buffer is the caller's no more. */
  processHeld(slot: number, buffer: number): void {
    const descriptor = this.own.at(buffer);
    const at = descriptor.dataAddress;
    const parsed = parseTcp(this.memory.view, at, at + descriptor.dataLength, this.segment);
    assert(parsed === TcpParse.Ok, 'a held segment was parsed before');
    this.segment.congestionExperienced = (descriptor.flags & NetBufferFlag.CongestionExperienced) !== 0;
    const tcb = this.at(slot);
    const { adapter } = this.interfaceOf(tcb);
    let kept = false;
    if (tcb.state !== TcpState.Closed) kept = this.process(slot, this.segment, buffer);
    // RFC 9293 3.10.7.1: it has ended meanwhile, and its slot only waits to be freed.
    else if (resetFor(this.segment, this.reply)) this.#sendReset(tcb);
    if (!kept) adapter.down.returnBuffer(buffer);
  }
}
