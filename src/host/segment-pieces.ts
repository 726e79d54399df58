/**
 * A TCP segment that was reassembled from fragments, on its way into the receive buffers that its fragments came in.
 *
 * Everything behind Network takes a segment in one receive buffer of the adapter: the application may keep it, a device may
 * be handed it (R29). A segment that is larger than that, which only a peer sends that ignores our MSS, is cut as
 * segmentation offload would have cut it, so that the stream is the same: FIN and PSH stay with the last piece, SYN and CWR
 * with the first. The pieces never need more buffers than the fragments had.
 */
import { BUFFER_HEADER_BYTES } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { RECEIVE_HEADROOM } from '../ring/nic-layout.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import type { AddressTable } from '../wire/address-table.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { putTcpChecksum, TCP, TcpFlag } from '../wire/tcp.ts';
import { VLAN } from '../wire/vlan.ts';
import type { Interface } from './interface.ts';
import type { TransportInput } from './network.ts';

/** What a receive buffer holds beside a datagram of the MTU: of the bytes of a fragment only the payload is needed. */
const ROOM_BEYOND_MTU = RECEIVE_HEADROOM + ETHERNET.headerLength + 2 * VLAN.tagLength;
const FIRST_ONLY = TcpFlag.Syn | TcpFlag.Cwr;
const LAST_ONLY = TcpFlag.Fin | TcpFlag.Psh;

export class SegmentPieces {
  readonly #memory: Memory;
  readonly #addresses: AddressTable;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  /** Segments that were cut. */
  cut = 0;
  checksumErrors = 0;

  constructor(memory: Memory, addresses: AddressTable) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#buffer = NetBuffer.view(memory);
  }

  /** Hands up [ip.payloadAt, ip.payloadEnd) in the buffers of `chain`; what is left of those goes back to the adapter. */
  deliver(iface: Interface, ip: IpDatagram, chain: number, transport: TransportInput): void {
    const room = iface.adapter.mtu + ROOM_BEYOND_MTU;
    const { payloadAt, payloadEnd } = ip;
    const length = payloadEnd - payloadAt;
    let left = chain;
    if (length <= room) {
      left = this.#next(chain);
      this.#memory.kernels.copy(chain + BUFFER_HEADER_BYTES, payloadAt, length);
      this.#handUp(iface, ip, chain, length, transport);
    } else if (this.#isIntact(ip, length)) {
      this.cut++;
      const { view } = this.#memory;
      const headerLength = (view.getUint8(payloadAt + TCP.dataOffset) >>> 4) << 2;
      const textMax = room - headerLength;
      // A driver that hands up more than the MTU could make too many of them: the peer sends the rest again.
      for (let offset = 0; offset < length - headerLength && left !== 0; offset += textMax) {
        const buffer = left;
        left = this.#next(buffer);
        const textLength = Math.min(textMax, length - headerLength - offset);
        this.#emit(ip, payloadAt, buffer + BUFFER_HEADER_BYTES, headerLength, offset, textLength, payloadEnd);
        this.#handUp(iface, ip, buffer, headerLength + textLength, transport);
      }
    } else {
      this.checksumErrors++;
    }
    this.giveBack(iface, left);
  }

  /** Buffers that nobody needs. */
  giveBack(iface: Interface, chain: number): void {
    let buffer = chain;
    while (buffer !== 0) {
      const next = this.#next(buffer);
      iface.adapter.down.returnBuffer(buffer);
      buffer = next;
    }
  }

  #next(buffer: number): number {
    const { next } = this.#buffer.at(buffer);
    this.#buffer.next = 0;
    return next;
  }

  /** The pieces have checksums of their own: that of the whole is looked at here. */
  #isIntact(ip: IpDatagram, length: number): boolean {
    const pseudo = this.#addresses.pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Tcp, length);
    if (this.#memory.kernels.checksum(ip.payloadAt, length, pseudo) !== 0xffff) return false;
    return (this.#memory.view.getUint8(ip.payloadAt + TCP.dataOffset) >>> 4) << 2 >= TCP.headerLength;
  }

  #emit(
    ip: IpDatagram,
    from: number,
    to: number,
    headerLength: number,
    offset: number,
    textLength: number,
    end: number,
  ): void {
    const { view, kernels } = this.#memory;
    kernels.copy(to, from, headerLength);
    const textAt = from + headerLength + offset;
    kernels.copy(to + headerLength, textAt, textLength);
    let flags = view.getUint8(from + TCP.flags);
    const urgent = view.getUint16(from + TCP.urgentPointer) - offset;
    const syn = offset > 0 && (flags & TcpFlag.Syn) !== 0 ? 1 : 0;
    if (offset > 0) flags &= ~FIRST_ONLY;
    if (textAt + textLength < end) flags &= ~LAST_ONLY;
    if (urgent <= 0) flags &= ~TcpFlag.Urg;
    view.setUint8(to + TCP.flags, flags);
    view.setUint16(to + TCP.urgentPointer, Math.max(0, urgent));
    view.setInt32(to + TCP.segSeq, (view.getInt32(from + TCP.segSeq) + syn + offset) | 0);
    const length = headerLength + textLength;
    const pseudo = this.#addresses.pseudoHeaderSum(ip.source, ip.destination, IpProtocol.Tcp, length);
    putTcpChecksum(view, to, length, pseudo);
  }

  #handUp(iface: Interface, ip: IpDatagram, buffer: number, length: number, transport: TransportInput): void {
    ip.payloadAt = buffer + BUFFER_HEADER_BYTES;
    ip.payloadEnd = ip.payloadAt + length;
    if (!transport.receive(iface, ip, buffer)) iface.adapter.down.returnBuffer(buffer);
  }
}
