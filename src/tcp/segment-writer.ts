/**
 * Writes the segment that the engine decided on: TCP header, options, payload copied from the send queue, checksum.
 *
 * Shared by host, NIC and stations; each puts it behind an IP header of its own making. The payload is copied and summed
 * in one SIMD pass (memory/kernels.ts).
 */
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { checksumOf, combine, fold, onesComplementSum } from '../wire/checksum.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import {
  emitMss,
  emitSackPermitted,
  emitSackPermittedAndTimestamps,
  emitTimestamps,
  emitWindowScale,
  emitFastOpenCookie,
  TcpOptionLength,
} from '../wire/tcp-options.ts';
import { emitTcpHeader, TCP, TcpFlag } from '../wire/tcp.ts';
import { FastOpenCookie } from './fast-open.ts';
import { SackReport, sackOptionLength } from './sack-report.ts';
import { type NetBufferCursor, seekSend } from './send-queue.ts';
import { type Tcb, TcpConstFlag } from './tcb.ts';
import { advertiseWindow } from './window.ts';

export class SegmentWriter {
  readonly #memory: Memory;
  readonly #addresses: AddressTable;
  readonly #buffers: NetBufferCursor;
  readonly #sack = new SackReport();
  /** The Fast Open option of the next SYN; the owner sets it before it asks for the length. */
  readonly fastOpen = new FastOpenCookie();

  constructor(memory: Memory, addresses: AddressTable) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#buffers = NetBuffer.view(memory);
  }

  /** Bytes of header that `write` will produce: what the owner needs for the IP total length. */
  headerLength(tcb: Tcb, flags: number): number {
    const { constFlags } = tcb;
    const timestamps = (constFlags & TcpConstFlag.Timestamp) !== 0 ? 12 : 0;
    if ((flags & TcpFlag.Syn) === 0) {
      const sack = (flags & TcpFlag.Ack) !== 0 ? sackOptionLength(tcb) : 0;
      return TCP.headerLength + timestamps + sack;
    }
    const scaling = (constFlags & TcpConstFlag.WindowScaling) !== 0 ? 4 : 0;
    // SACK permitted takes the place of the two NOPs before the timestamps.
    const sack = timestamps === 0 && (constFlags & TcpConstFlag.Sack) !== 0 ? 4 : 0;
    return TCP.headerLength + 4 + timestamps + sack + scaling + this.#fastOpenLength();
  }

  /** Writes the segment at `at` and returns its length; `at + header + length` bytes must be free. */
  write(tcb: Tcb, at: number, flags: number, seq: number, length: number, now: number): number {
    const { view } = this.#memory;
    const header = this.headerLength(tcb, flags);
    const ack = (flags & TcpFlag.Ack) !== 0 ? tcb.rcvNxt : 0;
    const syn = (flags & TcpFlag.Syn) !== 0;
    emitTcpHeader(view, at, tcb.localPort, tcb.remotePort, seq, ack, header, flags, advertiseWindow(tcb, syn));
    if (syn) this.#writeSynOptions(tcb, at + TCP.headerLength, flags, now);
    else this.#writeOptions(tcb, at + TCP.headerLength, flags, now);
    const total = header + length;
    const pseudo = this.#addresses.pseudoHeaderSum(tcb.localAddress, tcb.remoteAddress, IpProtocol.Tcp, total);
    // The header is an even number of bytes, so the payload's sum simply adds.
    let sum = onesComplementSum(view, at, header, pseudo);
    if (length > 0) sum = fold(sum + this.#copyPayload(tcb, at + header, seq, length));
    view.setUint16(at + TCP.checksum, checksumOf(sum));
    return total;
  }

  /** In the order in which Linux sends them: <mss,sackOK,TS,nop,wscale>, without timestamps <mss,nop,nop,sackOK,nop,wscale>. */
  #writeSynOptions(tcb: Tcb, at: number, flags: number, now: number): void {
    const { view } = this.#memory;
    const { constFlags } = tcb;
    const sack = (constFlags & TcpConstFlag.Sack) !== 0;
    let p = emitMss(view, at, tcb.advertisedMss);
    if ((constFlags & TcpConstFlag.Timestamp) !== 0) {
      const emit = sack ? emitSackPermittedAndTimestamps : emitTimestamps;
      p = emit(view, p, (now + tcb.tsOffset) | 0, (flags & TcpFlag.Ack) !== 0 ? tcb.tsRecent : 0);
    } else if (sack) {
      p = emitSackPermitted(view, p);
    }
    if ((constFlags & TcpConstFlag.WindowScaling) !== 0) p = emitWindowScale(view, p, tcb.rcvWindScale);
    const { bytes, length, isOld } = this.fastOpen;
    if (length >= 0) emitFastOpenCookie(view, p, bytes, length, isOld);
  }

  #fastOpenLength(): number {
    const { length, isOld } = this.fastOpen;
    const kind = isOld ? TcpOptionLength.FastOpenExperiment : TcpOptionLength.FastOpen;
    return length < 0 ? 0 : (kind + length + 3) & ~3;
  }

  #writeOptions(tcb: Tcb, at: number, flags: number, now: number): void {
    const { view } = this.#memory;
    const acks = (flags & TcpFlag.Ack) !== 0;
    let p = at;
    if ((tcb.constFlags & TcpConstFlag.Timestamp) !== 0) {
      p = emitTimestamps(view, p, (now + tcb.tsOffset) | 0, acks ? tcb.tsRecent : 0);
    }
    if (acks) this.#sack.emit(tcb, view, p, this.#buffers);
  }

  #copyPayload(tcb: Tcb, to: number, seq: number, length: number): number {
    const { kernels } = this.#memory;
    const buffers = this.#buffers;
    const offset = seekSend(tcb, seq, buffers);
    const first = Math.min(length, buffers.dataLength - offset);
    let sum = kernels.copyChecksum(to, buffers.dataAddress + offset, first, 0);
    let done = first;
    while (done < length) {
      buffers.at(buffers.next);
      const part = Math.min(length - done, buffers.dataLength);
      sum = combine(sum, done, kernels.copyChecksum(to + done, buffers.dataAddress, part, 0));
      done += part;
    }
    return sum;
  }
}
